package waste

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/gofrs/uuid/v5"
	"github.com/jackc/pgx/v5"

	"github.com/wastecoach/wastecoach/internal/job"
	"github.com/wastecoach/wastecoach/internal/operator"
	"github.com/wastecoach/wastecoach/internal/problem"
)

// searchWindow is how many jobs a search by words looks at: it has no index to ask.
const searchWindow = 2000

// The times after which nobody seems to care for a job. A worker's lease ends by itself; a job in the
// queue is overdue when the reconciler, too, has passed it by.
const (
	overdueAfter = "5 seconds"
	silentAfter  = "45 seconds" // longer than the longest model call; see stalledAfter
)

// stalledSQL tells that nobody has been heard of who works on a job. Who waits for its photo, or was
// put aside by an operator, waits for neither.
const stalledSQL = `(status = 'processing' AND (check_at < now()
		OR worker IS NULL AND updated_at < now() - interval '` + silentAfter + `')
	OR status = 'queued' AND check_at < now() - interval '` + overdueAfter + `')`

// archivedSQL is how the row of a job looks that waits for an operator: until its last day.
const archivedSQL = `(status = 'queued' AND check_at = expires_at)`

// viewColumns are a job as operators see it, in the order of view.
const viewColumns = `id, user_id, next_task, dispatch, status, stage, progress, restarts, tries,
	COALESCE(worker, ''), check_at, COALESCE(` + stalledSQL + `, false), COALESCE(` + archivedSQL + `, false),
	COALESCE(NULLIF(advice ->> 'class', ''), verdict ->> 'class', ''),
	COALESCE(NULLIF(advice ->> 'item_name', ''), verdict ->> 'label', ''),
	verdict_cached OR answered_from_cache(result), created_at, updated_at, started_at, finished_at,
	error, (steps -> -1 ->> 'started_at')::timestamptz, version, now()`

// view is a row of viewColumns.
type view struct {
	ID, UserID                uuid.UUID
	NextTask                  string
	Dispatch                  int
	Status                    job.Status
	Stage                     job.Stage
	Progress, Restarts, Tries int
	Worker                    string
	CheckAt                   *time.Time
	Stalled, Archived         bool
	Class, Item               string
	Cached                    bool
	CreatedAt, UpdatedAt      time.Time
	StartedAt, FinishedAt     *time.Time
	Error                     *problem.Document
	StepAt                    *time.Time
	Version                   int64
	Now                       time.Time
}

// chosen is a statement that yields the ids of jobs, the newest first.
type chosen struct {
	sql  string
	args []any
}

func (c *chosen) arg(v any) string {
	c.args = append(c.args, v)
	return fmt.Sprintf("$%d", len(c.args))
}

var hexadecimal = regexp.MustCompile(`^[0-9a-f-]{4,36}$`)

// beginsID tells of what can begin a UUID and is hardly a word: it has a digit.
func beginsID(text string) bool {
	return hexadecimal.MatchString(strings.ToLower(text)) && strings.ContainsAny(text, "0123456789")
}

// choose finds the ids by an index, whichever the query. Words are sought among the first window of
// them.
func choose(q operator.Query, orphans []string, window int) chosen {
	var c chosen
	text := strings.ToLower(q.Text)
	before := uuid.Max
	if q.Before != "" {
		before = uuid.FromStringOrNil(q.Before) // it was checked
	}
	bound := "id < " + c.arg(before)
	limit := c.arg(window)
	states := []string{""}
	if len(q.Status) > 0 {
		states = nil
		for _, s := range q.Status {
			states = append(states, " AND status = "+c.arg(string(s)))
		}
	}
	var parts []string
	add := func(where string) {
		for _, state := range states {
			parts = append(parts, `(SELECT id FROM analyses WHERE `+where+state+` AND `+bound+
				` ORDER BY id DESC LIMIT `+limit+`)`)
		}
	}
	switch {
	case beginsID(text):
		low, high := c.arg(padded(text, '0')), c.arg(padded(text, 'f'))
		add("id BETWEEN " + low + " AND " + high)
		add("user_id BETWEEN " + low + " AND " + high)
	case q.Stalled:
		add("check_at < now() AND " + stalledSQL)
		add("status = 'processing' AND " + stalledSQL)
		add("id = ANY(" + c.arg(orphans) + "::text[]::uuid[])")
	default:
		add("true")
	}
	if c.sql = parts[0]; len(parts) > 1 {
		c.sql = strings.Join(parts, " UNION ") + " ORDER BY id DESC LIMIT " + limit
	}
	return c
}

// padded completes the beginning of a UUID.
func padded(prefix string, digit rune) uuid.UUID {
	digits := strings.ReplaceAll(prefix, "-", "")
	digits = digits[:min(len(digits), 32)]
	return uuid.FromStringOrNil(digits + strings.Repeat(string(digit), 32-len(digits)))
}

// listed is one page of views, with the cursor of the next.
type listed struct {
	views []view
	next  string
}

// operatorPage returns the newest jobs that a query chooses.
func (s *Store) operatorPage(
	ctx context.Context, q operator.Query, orphans []string,
) (listed, error) {
	byWords := q.Text != "" && !beginsID(q.Text)
	window := q.Limit + 1 // one more row tells whether there is a next page
	if byWords {
		window = searchWindow
	}
	c := choose(q, orphans, window)
	match := "true"
	if byWords {
		pattern := c.arg("%" + escapeLike(q.Text) + "%")
		match = `(COALESCE(advice ->> 'class', verdict ->> 'class') ILIKE ` + pattern + `
			OR COALESCE(advice ->> 'item_name', '') || ' ' || COALESCE(verdict ->> 'label', '') ILIKE ` + pattern + `
			OR error ->> 'code' ILIKE ` + pattern + ` OR error ->> 'detail' ILIKE ` + pattern + `
			OR try_error ->> 'detail' ILIKE ` + pattern + `)`
	}
	limit := c.arg(q.Limit + 1)
	rows, err := s.pool.Query(ctx, `WITH seen AS MATERIALIZED (`+c.sql+`)
		SELECT `+viewColumns+` FROM analyses WHERE id IN (SELECT id FROM seen) AND `+match+`
		ORDER BY id DESC LIMIT `+limit, c.args...)
	if err != nil {
		return listed{}, fmt.Errorf("listing jobs: %w", err)
	}
	views, err := pgx.CollectRows(rows, pgx.RowToStructByPos[view])
	if err != nil {
		return listed{}, fmt.Errorf("listing jobs: %w", err)
	}
	if len(views) > q.Limit {
		views = views[:q.Limit]
		return listed{views, views[q.Limit-1].ID.String()}, nil
	}
	if !byWords {
		return listed{views: views}, nil
	}
	next, err := s.endOfWindow(ctx, choose(q, orphans, window), window)
	return listed{views, next}, err
}

// endOfWindow is where a search that found less than a page goes on; empty where it saw all.
func (s *Store) endOfWindow(ctx context.Context, c chosen, window int) (string, error) {
	var last uuid.NullUUID
	var n int
	err := s.pool.QueryRow(ctx, `SELECT (array_agg(id ORDER BY id))[1], count(*) FROM (`+c.sql+`) seen`,
		c.args...).Scan(&last, &n)
	if err != nil {
		return "", fmt.Errorf("listing jobs: %w", err)
	}
	if n < window || !last.Valid {
		return "", nil
	}
	return last.UUID.String(), nil
}

func escapeLike(text string) string {
	return strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(text)
}

// counts are the sums that the triggers keep; no job is looked at.
func (s *Store) counts(
	ctx context.Context,
) (map[job.Status]int64, operator.Outcome24h, error) {
	var ended operator.Outcome24h
	counts := map[job.Status]int64{}
	rows, err := s.pool.Query(ctx, `SELECT status, sum(present)::bigint,
			COALESCE(sum(ended) FILTER (WHERE hour > now() - interval '24 hours'), 0)::bigint,
			COALESCE(sum(ended) FILTER (WHERE cached AND hour > now() - interval '24 hours'), 0)::bigint
		FROM (SELECT hour, status, cached, present, ended FROM analysis_counts
			UNION ALL SELECT hour, status, cached, present, ended FROM analysis_changes) changes
		GROUP BY status`)
	if err != nil {
		return nil, ended, fmt.Errorf("counting jobs: %w", err)
	}
	var status job.Status
	var present, lately, cached int64
	_, err = pgx.ForEachRow(rows, []any{&status, &present, &lately, &cached}, func() error {
		counts[status] = present
		switch status {
		case job.Succeeded:
			ended.Succeeded, ended.Cached = lately, cached
		case job.Failed:
			ended.Failed = lately
		case job.Canceled:
			ended.Canceled = lately
		}
		return nil
	})
	if err != nil {
		return nil, ended, fmt.Errorf("counting jobs: %w", err)
	}
	return counts, ended, nil
}

// foldCounts sums up the changes since the last time, and the hours that are not asked for any more.
func (s *Store) foldCounts(ctx context.Context) error {
	_, err := s.pool.Exec(ctx, `WITH
			new AS (DELETE FROM analysis_changes RETURNING hour, status, cached, present, ended),
			old AS (DELETE FROM analysis_counts
				WHERE hour < now() - interval '26 hours' AND hour > 'epoch'
				RETURNING status, cached, present, ended)
		INSERT INTO analysis_counts AS c (hour, status, cached, present, ended)
		SELECT hour, status, cached, sum(present), sum(ended)
		FROM (SELECT hour, status, cached, present, ended FROM new
			UNION ALL SELECT 'epoch', status, cached, present, ended FROM old) both_of_them
		GROUP BY hour, status, cached
		ON CONFLICT (hour, status, cached) DO UPDATE
			SET present = c.present + excluded.present, ended = c.ended + excluded.ended`)
	if err != nil {
		return fmt.Errorf("summing up the counts: %w", err)
	}
	return nil
}

// etaSample is how many of the last answered jobs tell how long a stage takes.
const etaSample = 100

// remaining is how long the jobs of late took from the beginning of a stage to their end.
func (s *Store) remaining(ctx context.Context) (map[job.Stage]time.Duration, error) {
	rows, err := s.pool.Query(ctx, `SELECT step ->> 'stage', percentile_cont(0.5) WITHIN GROUP (
				ORDER BY extract(epoch FROM finished_at - (step ->> 'started_at')::timestamptz))
		FROM (SELECT steps, finished_at FROM analyses WHERE status = 'succeeded'
			ORDER BY id DESC LIMIT $1) late, jsonb_array_elements(steps) step
		GROUP BY 1`, etaSample)
	if err != nil {
		return nil, fmt.Errorf("looking at the durations of late: %w", err)
	}
	durations := map[job.Stage]time.Duration{}
	var stage job.Stage
	var secs float64
	_, err = pgx.ForEachRow(rows, []any{&stage, &secs}, func() error {
		durations[stage] = time.Duration(secs * float64(time.Second))
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("looking at the durations of late: %w", err)
	}
	return durations, nil
}

// detailed is what a view leaves out.
type detailed struct {
	Steps    []operator.Step
	TryError *operator.JobError
	Photo    operator.Photo
}

// operatorJob returns a job with everything, whosever it is, or ErrJobNotFound.
func (s *Store) operatorJob(ctx context.Context, id uuid.UUID) (view, detailed, error) {
	var d detailed
	rows, err := s.pool.Query(ctx, `SELECT `+viewColumns+` FROM analyses WHERE id = $1`, id)
	if err != nil {
		return view{}, d, fmt.Errorf("reading job %s: %w", id, err)
	}
	v, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[view])
	if errors.Is(err, pgx.ErrNoRows) {
		return view{}, d, operator.ErrJobNotFound
	}
	if err == nil {
		err = s.pool.QueryRow(ctx, `SELECT a.steps, a.try_error, encode(u.sha256, 'hex'), u.size, u.content_type
			FROM analyses a JOIN uploads u ON u.id = a.upload_id WHERE a.id = $1`, id).
			Scan(&d.Steps, &d.TryError, &d.Photo.SHA256, &d.Photo.Size, &d.Photo.ContentType)
	}
	if err != nil {
		return view{}, d, fmt.Errorf("reading job %s: %w", id, err)
	}
	return v, d, nil
}

// operatorEvents are the last failures and actions, newest first.
func (s *Store) operatorEvents(ctx context.Context, limit int) ([]operator.Event, error) {
	rows, err := s.pool.Query(ctx, `SELECT at, kind, subject, message, actor, bad FROM (
			(SELECT finished_at AS at, 'job.failed' AS kind, id::text AS subject,
				COALESCE(error ->> 'code', '') || ': ' || COALESCE(
					NULLIF(try_error ->> 'detail', ''), error ->> 'detail', '') AS message,
				'' AS actor, true AS bad
			FROM analyses WHERE status = 'failed' ORDER BY finished_at DESC LIMIT $1)
			UNION ALL
			(SELECT at, kind, subject, COALESCE('refused: ' || refused, ''), actor, refused IS NOT NULL
			FROM operator_actions ORDER BY at DESC LIMIT $1)) events
		ORDER BY at DESC LIMIT $1`, limit)
	if err != nil {
		return nil, fmt.Errorf("listing events: %w", err)
	}
	events, err := pgx.CollectRows(rows, pgx.RowToStructByPos[operator.Event])
	if err != nil {
		return nil, fmt.Errorf("listing events: %w", err)
	}
	return slices.Clip(events), nil
}
