package waste

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/gofrs/uuid/v5"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/wastecoach/wastecoach/internal/erasure"
	"github.com/wastecoach/wastecoach/internal/job"
)

// Store is the SQL of the schema waste as the API needs it.
type Store struct{ pool *pgxpool.Pool }

// NewStore returns a Store.
func NewStore(pool *pgxpool.Pool) *Store { return &Store{pool: pool} }

const uploadColumns = `id, user_id, sha256, size, content_type, object_key, created_at, expires_at,
	upload_ends_at`

const analysisColumns = `id, user_id, upload_id, idempotency_key, request_hash, request_id, locale,
	lat, lng, status, progress, stage, next_task, dispatch, attempt, version, tries, restarts,
	worker, check_at, photo_key, fingerprint, verdict, verdict_cached, advice, result, error,
	created_at, updated_at, started_at, finished_at, expires_at`

// AddUpload stores an announced upload, unless its user is being erased: what a user sends
// begins with an upload, so that nothing else of them need be refused.
func (s *Store) AddUpload(ctx context.Context, u Upload) error {
	tag, err := s.pool.Exec(ctx, `INSERT INTO uploads (`+uploadColumns+`)
		SELECT $1::uuid, $2::uuid, $3::bytea, $4::bigint, $5::text, $6::text, $7::timestamptz,
			$8::timestamptz, $9::timestamptz
		WHERE NOT EXISTS (SELECT FROM erasures WHERE user_id = $2)`,
		u.ID, u.UserID, u.SHA256, u.Size, u.ContentType, u.ObjectKey, u.CreatedAt, u.ExpiresAt,
		u.EndsAt)
	if err != nil {
		return fmt.Errorf("storing upload %s: %w", u.ID, err)
	}
	if tag.RowsAffected() == 0 {
		return erasure.ErrErased
	}
	return nil
}

// Upload returns a user's upload, or ErrUploadNotFound.
func (s *Store) Upload(ctx context.Context, user, id uuid.UUID) (Upload, error) {
	rows, err := s.pool.Query(ctx,
		`SELECT `+uploadColumns+` FROM uploads WHERE id = $1 AND user_id = $2`, id, user)
	if err != nil {
		return Upload{}, fmt.Errorf("reading upload %s: %w", id, err)
	}
	u, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[Upload])
	if errors.Is(err, pgx.ErrNoRows) {
		return Upload{}, ErrUploadNotFound
	}
	if err != nil {
		return Upload{}, fmt.Errorf("reading upload %s: %w", id, err)
	}
	return u, nil
}

// PostgreSQL's codes.
const (
	uniqueViolation     = "23505"
	foreignKeyViolation = "23503"
)

// errKeyTaken says that the user's idempotency key has a row already.
var errKeyTaken = errors.New("idempotency key taken")

// AddAnalysis stores a new job: its row is its outbox entry too.
func (s *Store) AddAnalysis(ctx context.Context, a *Analysis) error {
	_, err := s.pool.Exec(ctx, `INSERT INTO analyses (`+analysisColumns+`) VALUES (`+
		placeholders(analysisColumns)+`)`,
		a.ID, a.UserID, a.UploadID, a.IdempotencyKey, a.RequestHash, a.RequestID, a.Locale,
		a.Lat, a.Lng, a.Status, a.Progress, a.Stage, a.NextTask, a.Dispatch, a.Attempt, a.Version,
		a.Tries, a.Restarts, a.Worker, a.CheckAt, a.PhotoKey, a.Fingerprint, a.Verdict, a.VerdictCached,
		a.Advice, a.Result, a.Error, a.CreatedAt, a.UpdatedAt, a.StartedAt, a.FinishedAt, a.ExpiresAt)
	var pgErr *pgconn.PgError
	if errors.As(err, &pgErr) && pgErr.Code == uniqueViolation {
		if strings.Contains(pgErr.ConstraintName, "upload_id") {
			return ErrUploadUsed
		}
		return errKeyTaken
	}
	if pgErr != nil && pgErr.Code == foreignKeyViolation {
		return ErrUploadNotFound // its user was erased this moment
	}
	if err != nil {
		return fmt.Errorf("storing analysis %s: %w", a.ID, err)
	}
	return nil
}

func placeholders(columns string) string {
	marks := make([]string, strings.Count(columns, ",")+1)
	for i := range marks {
		marks[i] = fmt.Sprintf("$%d", i+1)
	}
	return strings.Join(marks, ", ")
}

// ByKey returns the job that the user made with an idempotency key, or ErrAnalysisNotFound.
func (s *Store) ByKey(ctx context.Context, user uuid.UUID, key string) (Analysis, error) {
	return s.one(ctx, `SELECT `+analysisColumns+` FROM analyses
		WHERE user_id = $1 AND idempotency_key = $2`, user, key)
}

// Analysis returns a user's job, or ErrAnalysisNotFound.
func (s *Store) Analysis(ctx context.Context, user, id uuid.UUID) (Analysis, error) {
	return s.one(ctx, `SELECT `+analysisColumns+` FROM analyses
		WHERE id = $1 AND user_id = $2`, id, user)
}

// Filter chooses jobs of a user: those before a job, of one status where it is set.
type Filter struct {
	Status job.Status
	Before uuid.UUID
	Limit  int
}

// List returns jobs, newest first.
func (s *Store) List(ctx context.Context, user uuid.UUID, f Filter) ([]Analysis, error) {
	rows, err := s.pool.Query(ctx, `SELECT `+analysisColumns+` FROM analyses
		WHERE user_id = $1 AND id < $2 AND ($3 = '' OR status = $3)
		ORDER BY id DESC LIMIT $4`, user, f.Before, f.Status, f.Limit)
	if err != nil {
		return nil, fmt.Errorf("listing analyses: %w", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Analysis])
	if err != nil {
		return nil, fmt.Errorf("listing analyses: %w", err)
	}
	return list, nil
}

// Cancel ends an unfinished job, or returns ErrAnalysisNotFound when there is none.
func (s *Store) Cancel(ctx context.Context, user, id uuid.UUID) (Analysis, error) {
	return s.one(ctx, `UPDATE analyses SET status = 'canceled', check_at = NULL, worker = NULL,
			version = version + 10, updated_at = now(), finished_at = now()
		WHERE id = $1 AND user_id = $2 AND check_at IS NOT NULL
		RETURNING `+analysisColumns, id, user)
}

// SetFeedback stores the user's newest word on a job, and counts the answer as the class that it
// names.
func (s *Store) SetFeedback(ctx context.Context, user, id uuid.UUID, f Feedback) error {
	_, err := s.pool.Exec(ctx, `WITH counted AS (
			UPDATE answers SET class = $3 WHERE user_id = $2 AND mark = (
				SELECT answer_mark($2, COALESCE(a.same_as, u.sha256))
				FROM analyses a JOIN uploads u ON u.id = a.upload_id WHERE a.id = $1))
		INSERT INTO feedback (analysis_id, user_id, class, comment, created_at, updated_at)
		VALUES ($1, $2, $3, $4, now(), now())
		ON CONFLICT (analysis_id) DO UPDATE
			SET class = excluded.class, comment = excluded.comment, updated_at = now()`,
		id, user, f.Class, f.Comment)
	if err != nil {
		return fmt.Errorf("storing feedback on %s: %w", id, err)
	}
	return nil
}

func (s *Store) one(ctx context.Context, sql string, args ...any) (Analysis, error) {
	rows, err := s.pool.Query(ctx, sql, args...)
	if err != nil {
		return Analysis{}, fmt.Errorf("reading an analysis: %w", err)
	}
	a, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[Analysis])
	if errors.Is(err, pgx.ErrNoRows) {
		return Analysis{}, ErrAnalysisNotFound
	}
	if err != nil {
		return Analysis{}, fmt.Errorf("reading an analysis: %w", err)
	}
	return a, nil
}

// seconds is how durations travel to make_interval.
func seconds(d time.Duration) float64 { return d.Seconds() }
