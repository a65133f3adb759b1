package waste

import (
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/wastecoach/wastecoach/internal/job"
	"github.com/wastecoach/wastecoach/internal/operator"
	"github.com/wastecoach/wastecoach/internal/pipeline"
	"github.com/wastecoach/wastecoach/internal/testdb"
)

// BenchmarkOperatorPage measures an operator's page at a table of OPERATOR_JOBS rows (100,000), of which
// one in ten is queued. With -v it prints the plan of each query.
func BenchmarkOperatorPage(b *testing.B) {
	rows := 100_000
	if text := os.Getenv("OPERATOR_JOBS"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil {
			b.Fatal(err)
		}
		rows = n
	}
	s := setupOperated(b)
	fillAnalyses(b, s, rows)
	store := NewStore(s.db.Pool("waste"))
	for name, q := range map[string]operator.Query{
		"newest":     {Limit: 50},
		"failed":     {Limit: 50, Status: []job.Status{job.Failed}},
		"unfinished": {Limit: 50, Status: []job.Status{job.AwaitingUpload, job.Queued, job.Processing}},
		"by-id":      {Limit: 50, Text: "00000000-0000-7000-8000-0000000000ff"},
		"by-words":   {Limit: 50, Text: "zebra"},
		"stalled":    {Limit: 50, Stalled: true},
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, err := store.operatorPage(b.Context(), q, nil); err != nil {
					b.Fatal(err)
				}
			}
			explain(b, s, choose(q, nil, 51))
		})
	}
	b.Run("counts", func(b *testing.B) {
		for b.Loop() {
			counts, _, err := store.counts(b.Context())
			if err != nil || counts[job.Queued] != int64(rows/10) {
				b.Fatal(counts, err)
			}
		}
	})
}

// fillAnalyses makes rows without the triggers, which would take minutes, and counts them as the
// migration does.
func fillAnalyses(b *testing.B, s *system, rows int) {
	b.Helper()
	conn, err := pgx.Connect(b.Context(), s.db.DSN(testdb.Superuser))
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close(b.Context())
	for _, sql := range []string{
		`SET session_replication_role = replica`,
		`SET search_path = waste`,
		`CREATE TEMP TABLE n AS SELECT i, ('00000000-0000-7000-8000-' || lpad(to_hex(i), 12, '0'))::uuid AS id,
			CASE WHEN i % 10 = 0 THEN 'queued' WHEN i % 100 = 1 THEN 'failed' ELSE 'succeeded' END AS status
			FROM generate_series(1, ` + strconv.Itoa(rows) + `) i`,
		`INSERT INTO uploads (id, user_id, sha256, size, content_type, object_key, created_at, expires_at,
			upload_ends_at, original_deleted_at)
		SELECT id, gen_random_uuid(), sha256(i::text::bytea), 1, 'image/jpeg', i::text, now(), now(), now(), now()
		FROM n`,
		`INSERT INTO analyses (id, user_id, upload_id, idempotency_key, request_hash, request_id, locale, status,
			stage, check_at, created_at, updated_at, finished_at, expires_at, result, verdict, error)
		SELECT n.id, u.user_id, n.id, i::text, '', '', 'ko', status, 'queue',
			CASE status WHEN 'queued' THEN now() + interval '1 hour' END, now(), now(),
			CASE WHEN status <> 'queued' THEN now() END, now() + interval '1 day',
			CASE status WHEN 'succeeded' THEN jsonb_build_object('cached', i % 3 = 0, 'text', repeat('x', 500)) END,
			'{"class": "plastic", "label": "bottle"}',
			CASE status WHEN 'failed' THEN '{"code": "vision_refused", "detail": "too dark"}'::jsonb END
		FROM n JOIN uploads u ON u.id = n.id`,
		`INSERT INTO analysis_counts (hour, status, cached, present, ended)
		SELECT date_trunc('hour', now()), status, answered_from_cache(result), count(*), count(*)
		FROM analyses GROUP BY 2, 3`,
		`ANALYZE analyses`,
	} {
		if _, err := conn.Exec(b.Context(), sql); err != nil {
			b.Fatal(err)
		}
	}
}

// explain prints the plan, and fails on one that reads the whole table.
func explain(b *testing.B, s *system, c chosen) {
	b.Helper()
	rows, err := s.db.Pool("waste").Query(b.Context(), "EXPLAIN (ANALYZE, BUFFERS) "+c.sql, c.args...)
	if err != nil {
		b.Fatal(err)
	}
	lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		b.Fatal(err)
	}
	plan := strings.Join(lines, "\n")
	b.Log("\n" + plan)
	if strings.Contains(plan, "Seq Scan on analyses") {
		b.Error("the whole table is read")
	}
}

// BenchmarkAdvance measures what the triggers cost the statement that writes progress.
func BenchmarkAdvance(b *testing.B) {
	s := setupOperated(b)
	id := s.queued(1)
	store := NewStore(s.db.Pool("waste"))
	a, err := store.claim(b.Context(), pipeline.JobRef{JobID: id}, pipeline.Analyze, "w", time.Hour)
	if err != nil {
		b.Fatal(err)
	}
	for _, mode := range []string{"ENABLE", "DISABLE"} {
		s.exec(`ALTER TABLE waste.analyses ` + mode + ` TRIGGER USER`)
		b.Run(strings.ToLower(mode)+"d", func(b *testing.B) {
			stages := []job.Stage{job.StageCache, job.StagePrepare}
			for i := 0; b.Loop(); i++ { // each one is a new step
				if _, err := store.advance(b.Context(), &a, step{Stage: stages[i%2]}, time.Hour); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
