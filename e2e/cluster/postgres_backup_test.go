//go:build e2e

package cluster

import (
	"fmt"
	"maps"
	"strings"

	"github.com/wastecoach/wastecoach/internal/wcctl/pgbackup"
)

// toPointInTime takes the database back to where it was. What is written there meanwhile is lost.
func (l *lab) toPointInTime() {
	l.t.Helper()
	l.sql("DROP TABLE IF EXISTS public.e2e")
	l.sql("CREATE TABLE public.e2e AS SELECT generate_series(1, 1000) AS n")
	var taken pgbackup.Backup
	create := l.wcctl("backup", "create", "postgres", "-o", "json").ok()
	create.into(&taken)
	l.t.Logf("%s: %d bytes of %d, %.1f s", taken.Label, taken.Stored, taken.Bytes, create.Took.Seconds())
	if status := l.wcctl("status").ok().Stdout; !strings.Contains(status, "PostgreSQL's is less than an hour old") &&
		!strings.Contains(status, "there is no backup of the control plane") {
		l.t.Errorf("status does not tell of the backup:\n%s", status)
	}
	l.sql("INSERT INTO public.e2e SELECT generate_series(1001, 1500)")
	before := l.rows()
	to := strings.Replace(l.sql("SELECT clock_timestamp() AT TIME ZONE 'UTC'"), " ", "T", 1) + "Z"
	l.sql("INSERT INTO public.e2e SELECT generate_series(1501, 9999)")
	l.sql("CREATE TABLE public.e2e_later ()")
	l.sql("DROP TABLE public.e2e")

	var restored pgbackup.Restored
	restore := l.wcctlWithin(upPatience, "backup", "restore", "postgres", "--to-time", to, "--yes", "-o", "json").ok()
	restore.into(&restored)
	l.t.Logf("back at %s after %.1f s, %d tables", to, restore.Took.Seconds(), len(restored.Rows))
	if !maps.Equal(restored.Rows, before) {
		l.t.Errorf("the restore has %v, there were %v", restored.Rows, before)
	}
	if n := l.sql("SELECT count(*) FROM public.e2e"); n != "1500" {
		l.t.Errorf("%s rows, want 1500", n)
	}
	if later := l.sql("SELECT coalesce(to_regclass('public.e2e_later')::text, 'gone')"); later != "gone" {
		l.t.Errorf("%s is there", later)
	}
	if list := l.wcctl("backup", "list").ok().Stdout; !strings.Contains(list, restored.Backup.Label) {
		l.t.Errorf("the backup after the restore is not listed:\n%s", list)
	}
	l.sql("DROP TABLE public.e2e")
	l.wantAnalysis()
}

// sql asks the database in its pod.
func (l *lab) sql(statement string) string {
	l.t.Helper()
	const script = `PGPASSWORD=$(cat /run/secrets/postgres/password) psql -h /tmp -U postgres -qtAF ' ' wastecoach -c "$1"`
	answer := l.kubectl("--namespace", "data", "exec", "postgres-0", "--container", "postgres", "--",
		"sh", "-c", script, "sh", statement)
	return strings.TrimSpace(answer.Stdout)
}

// rows counts those of every table, as a restore does.
func (l *lab) rows() map[string]int64 {
	l.t.Helper()
	all := map[string]int64{}
	tables := l.sql("SELECT schemaname || '.' || relname FROM pg_stat_user_tables ORDER BY 1")
	for table := range strings.FieldsSeq(tables) {
		var n int64
		if _, err := fmt.Sscan(l.sql("SELECT count(*) FROM "+table), &n); err != nil {
			l.t.Fatal(err)
		}
		all["wastecoach."+table] = n
	}
	return all
}
