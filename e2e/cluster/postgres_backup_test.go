//go:build e2e

package cluster

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/wastecoach/wastecoach/internal/wcctl/pgbackup"
)

// systemEnv is a folder with the wastecoach.yaml of a cluster that wcctl deploy --all was run on.
const systemEnv = "WASTECOACH_E2E_SYSTEM"

// deployed is a cluster with the whole system, as its operator has it before himself.
type deployed struct {
	t   *testing.T
	dir string
}

// wcctl runs a command there and returns what it prints; with want it is decoded.
func (d deployed) wcctl(want any, args ...string) string {
	d.t.Helper()
	var told strings.Builder
	cmd := exec.CommandContext(d.t.Context(), wcctlPath(d.t), args...)
	cmd.Dir, cmd.Stderr = d.dir, &told
	began := time.Now()
	out, err := cmd.Output()
	if err != nil {
		d.t.Fatalf("wcctl %s: %v\n%s%s", strings.Join(args, " "), err, out, told.String())
	}
	d.t.Logf("wcctl %s: %.1f s", strings.Join(args, " "), time.Since(began).Seconds())
	if want != nil {
		if err := json.Unmarshal(out, want); err != nil {
			d.t.Fatalf("wcctl %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
	return string(out)
}

// sql asks the database in its pod.
func (d deployed) sql(statement string) string {
	d.t.Helper()
	script := `PGPASSWORD=$(cat /run/secrets/postgres/password) psql -h /tmp -U postgres -qtAF ' ' wastecoach -c "$1"`
	cmd := exec.CommandContext(d.t.Context(), "kubectl", "--kubeconfig", filepath.Join(d.dir, ".wastecoach", "kubeconfig"),
		"-n", "data", "exec", "postgres-0", "-c", "postgres", "--", "sh", "-c", script, "sh", statement)
	out, err := cmd.CombinedOutput()
	if err != nil {
		d.t.Fatalf("%s: %v\n%s", statement, err, out)
	}
	return strings.TrimSpace(string(out))
}

// rows counts those of every table, as a restore does.
func (d deployed) rows() map[string]int64 {
	d.t.Helper()
	all := map[string]int64{}
	tables := d.sql("SELECT schemaname || '.' || relname FROM pg_stat_user_tables ORDER BY 1")
	for table := range strings.FieldsSeq(tables) {
		var n int64
		if _, err := fmt.Sscan(d.sql("SELECT count(*) FROM "+table), &n); err != nil {
			d.t.Fatal(err)
		}
		all["wastecoach."+table] = n
	}
	return all
}

// TestPostgresBackup takes the database of a deployed system back to a point in time. What is written
// there meanwhile is lost.
//
//nolint:paralleltest // it has the cluster for itself
func TestPostgresBackup(t *testing.T) {
	dir := os.Getenv(systemEnv)
	if dir == "" {
		t.Skip(systemEnv + " names no cluster with the system on it")
	}
	d := deployed{t, dir}
	d.sql("DROP TABLE IF EXISTS public.e2e")
	d.sql("CREATE TABLE public.e2e AS SELECT generate_series(1, 1000) AS n")
	var taken pgbackup.Backup
	d.wcctl(&taken, "backup", "create", "postgres", "-o", "json")
	t.Logf("%s: %d bytes of %d", taken.Label, taken.Stored, taken.Bytes)
	if status := d.wcctl(nil, "status"); !strings.Contains(status, "PostgreSQL's is less than an hour old") &&
		!strings.Contains(status, "there is no backup of the control plane") {
		t.Errorf("status does not tell of the backup:\n%s", status)
	}
	d.sql("INSERT INTO public.e2e SELECT generate_series(1001, 1500)")
	before := d.rows()
	to := strings.Replace(d.sql("SELECT clock_timestamp() AT TIME ZONE 'UTC'"), " ", "T", 1) + "Z"
	d.sql("INSERT INTO public.e2e SELECT generate_series(1501, 9999)")
	d.sql("CREATE TABLE public.e2e_later ()")
	d.sql("DROP TABLE public.e2e")

	var restored pgbackup.Restored
	d.wcctl(&restored, "backup", "restore", "postgres", "--to-time", to, "--yes", "-o", "json")
	if !maps.Equal(restored.Rows, before) {
		t.Errorf("the restore has %v, there were %v", restored.Rows, before)
	}
	if n := d.sql("SELECT count(*) FROM public.e2e"); n != "1500" {
		t.Errorf("%s rows, want 1500", n)
	}
	if later := d.sql("SELECT coalesce(to_regclass('public.e2e_later')::text, 'gone')"); later != "gone" {
		t.Errorf("%s is there", later)
	}
	list := d.wcctl(nil, "backup", "list")
	if !strings.Contains(list, restored.Backup.Label) {
		t.Errorf("the backup after the restore is not listed:\n%s", list)
	}
	d.sql("DROP TABLE public.e2e")
}
