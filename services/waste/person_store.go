package waste

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/gofrs/uuid/v5"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/wastecoach/wastecoach/internal/problem"
)

// personData are the parts of what a user is told about themselves, each one row by row.
var personData = []struct{ name, sql string }{
	{"analyses", `SELECT a.id, a.status, a.stage, a.locale, a.lat, a.lng, a.request_id,
			a.idempotency_key, a.verdict, a.advice, a.result, a.error, a.fingerprint,
			a.created_at, a.started_at, a.finished_at, a.expires_at,
			CASE WHEN a.photo_key IS NOT NULL THEN 'photos/' || a.id || '.jpg' END AS photo_file,
			f.class AS feedback_class, f.comment AS feedback_comment, f.created_at AS feedback_at
		FROM analyses a LEFT JOIN feedback f ON f.analysis_id = a.id
		WHERE a.user_id = $1 ORDER BY a.id`},
	{"uploads", `SELECT id, encode(sha256, 'hex') AS sha256, size, content_type, created_at
		FROM uploads WHERE user_id = $1 ORDER BY id`},
	{"answers", `SELECT class, answered_at, repeats
		FROM answers WHERE user_id = $1 ORDER BY answered_at`},
}

// writeData writes one JSON object on one line, as the rows come.
func (s *Store) writeData(ctx context.Context, w io.Writer, user uuid.UUID) error {
	for i, part := range personData {
		opening := `,"`
		if i == 0 {
			opening = `{"`
		}
		if _, err := io.WriteString(w, opening+part.name+`":[`); err != nil {
			return err
		}
		rows, err := s.pool.Query(ctx, `SELECT row_to_json(x)::text FROM (`+part.sql+`) x`, user)
		if err != nil {
			return fmt.Errorf("reading %s: %w", part.name, err)
		}
		var row, comma string
		_, err = pgx.ForEachRow(rows, []any{&row}, func() error {
			_, err := io.WriteString(w, comma+row)
			comma = ","
			return err
		})
		if err != nil {
			return fmt.Errorf("writing %s: %w", part.name, err)
		}
		if _, err := io.WriteString(w, "]"); err != nil {
			return err
		}
	}
	_, err := io.WriteString(w, "}\n")
	return err
}

// photoOf is where an analysis's photo is in the store.
type photoOf struct {
	AnalysisID uuid.UUID `json:"analysis_id"`
	Key        string    `json:"key"`
}

func (s *Store) keptPhotos(ctx context.Context, user uuid.UUID) ([]photoOf, error) {
	rows, err := s.pool.Query(ctx, `SELECT id, photo_key FROM analyses
		WHERE user_id = $1 AND photo_key IS NOT NULL ORDER BY id`, user)
	if err != nil {
		return nil, fmt.Errorf("listing photos: %w", err)
	}
	photos, err := pgx.CollectRows(rows, pgx.RowToStructByPos[photoOf])
	if err != nil {
		return nil, fmt.Errorf("listing photos: %w", err)
	}
	return photos, nil
}

// dayAnswers is how many photos of a class a user had answered on a day; Repeats are those that
// came again, or nearly the same.
type dayAnswers struct {
	Day     string `json:"day"`
	Class   string `json:"class"`
	Count   int64  `json:"count"`
	Repeats int64  `json:"repeats"`
}

// invalidParameter is PostgreSQL's code of a time zone that it does not know.
const invalidParameter = "22023"

func (s *Store) answersByDay(
	ctx context.Context, user uuid.UUID, zone string,
) ([]dayAnswers, error) {
	rows, err := s.pool.Query(ctx, `SELECT (answered_at AT TIME ZONE $2::text)::date AS day, class,
			count(*), sum(repeats)
		FROM answers WHERE user_id = $1 GROUP BY 1, 2 ORDER BY 1, 2`, user, zone)
	if err != nil {
		return nil, fmt.Errorf("counting answers: %w", err)
	}
	days, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (dayAnswers, error) {
		var d dayAnswers
		var day time.Time
		err := row.Scan(&day, &d.Class, &d.Count, &d.Repeats)
		d.Day = day.Format(time.DateOnly)
		return d, err
	})
	var pgErr *pgconn.PgError
	if errors.As(err, &pgErr) && pgErr.Code == invalidParameter {
		return nil, ErrInvalid.WithFields(problem.Field{
			Pointer: "tz", Code: "unknown", Detail: "is not a time zone",
		})
	}
	if err != nil {
		return nil, fmt.Errorf("counting answers: %w", err)
	}
	return days, nil
}
