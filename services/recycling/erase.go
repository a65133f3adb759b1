package recycling

import (
	"context"
	"fmt"

	"github.com/wastecoach/wastecoach/internal/erasure"
)

// eraser removes the advice given to jobs. The service knows no users; the LLM cache in DB 2 holds
// what is said about an item, to everybody, and nothing of a photo or a person.
type eraser struct{ store *store }

const adviceJobs = "recycling.advice_jobs"

// Erase implements erasure.Holder.
func (e *eraser) Erase(ctx context.Context, r erasure.Request) (erasure.Report, error) {
	tag, err := e.store.pool.Exec(ctx, `DELETE FROM advice_jobs WHERE id = ANY($1)`, r.Jobs)
	if err != nil {
		return erasure.Report{}, fmt.Errorf("erasing the advice to jobs: %w", err)
	}
	return erasure.Report{Counts: erasure.Counts{adviceJobs: tag.RowsAffected()}}, nil
}

// Left implements erasure.Holder.
func (e *eraser) Left(ctx context.Context, r erasure.Request) (erasure.Report, error) {
	var n int64
	err := e.store.pool.QueryRow(ctx,
		`SELECT count(*) FROM advice_jobs WHERE id = ANY($1)`, r.Jobs).Scan(&n)
	if err != nil {
		return erasure.Report{}, fmt.Errorf("counting the advice to jobs: %w", err)
	}
	return erasure.Report{Counts: erasure.Counts{adviceJobs: n}}, nil
}
