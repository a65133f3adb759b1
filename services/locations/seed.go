package locations

import (
	"context"
	_ "embed" // the seed is a file
	"fmt"
	"log/slog"
	"strings"
	"time"
)

// SeedSource marks the points that come with the binary (seed/README.md says what they are).
const SeedSource = "seed"

// seedRetry is the pause after a try that found no database.
const seedRetry = time.Second

//go:embed seed/seoul.csv
var seedFile string

// seed fills an empty table, once the database can be reached.
func seed(ctx context.Context, s *store, logger *slog.Logger) error {
	for ctx.Err() == nil {
		err := trySeed(ctx, s, logger)
		if err == nil {
			return nil
		}
		logger.WarnContext(ctx, "seed not loaded", "error", err)
		select {
		case <-ctx.Done():
		case <-time.After(seedRetry):
		}
	}
	return nil
}

func trySeed(ctx context.Context, s *store, logger *slog.Logger) error {
	empty, err := s.empty(ctx)
	if err != nil || !empty {
		return err
	}
	report, err := Import(ctx, s.pool, strings.NewReader(seedFile), CSV, Options{Source: SeedSource})
	if err != nil {
		return err
	}
	if report.Refused > 0 {
		return fmt.Errorf("loading the seed: line %d %s", report.Refusals[0].Line, report.Refusals[0].Reason)
	}
	logger.InfoContext(ctx, "seed loaded", "points", report.Inserted)
	return nil
}
