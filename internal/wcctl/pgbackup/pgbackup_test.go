package pgbackup_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/wastecoach/wastecoach/internal/wcctl/pgbackup"
)

// What pgbackrest 2.45 prints, shortened: a backup that ended at 03:00:07, no backup, and no S3.
const (
	one1 = `[{"backup":[{"error":false,"info":{"delta":31093059,"repository":{"delta":4181203,"size":4181203},` +
		`"size":31093059},"label":"20261126-030000F",` +
		`"timestamp":{"start":1795662000,"stop":1795662007},"type":"full"}],` +
		`"name":"main","repo":[{"key":1,"status":{"code":0,"message":"ok"}}],"status":{"code":0,"message":"ok"}}]`
	none1 = `[{"backup":[],"name":"main","repo":[{"key":1,"status":{"code":1,"message":"missing stanza path"}}],` +
		`"status":{"code":1,"message":"missing stanza path"}}]`
	away1 = `[{"backup":[],"name":"main","repo":[{"key":1,"status":{"code":99,"message":` +
		`"[HostConnectError] unable to connect to 's3.data.svc:7071'"}}],"status":{"code":99,"message":"other"}}]`
	restored = `step: getting the base backup before 2026-11-26 10:00:00.000000+00
step: replaying until 2026-11-26 10:00:00.000000+00
step: counting rows
last transaction: 2026-11-26 09:59:58.123456+00
rows: wastecoach.waste.jobs 200
rows: wastecoach.users.users 3
step: putting it in place
`
)

var ten = noon.Add(-2 * time.Hour)

func restore(t *testing.T, w *world, to time.Time) (pgbackup.Restored, error) {
	t.Helper()
	a, _, err := w.database.Begin(t.Context(), to)
	if err != nil {
		return pgbackup.Restored{}, err
	}
	return w.database.Restore(t.Context(), a)
}

func TestBackupsAreListed(t *testing.T) {
	t.Parallel()
	w := setup(t)
	list, err := w.database.List(t.Context())
	if err != nil || len(list) != 1 {
		t.Fatal(list, err)
	}
	end := time.Unix(1795662007, 0).UTC()
	if b := list[0]; b.Label != "20261126-030000F" || !b.End.Equal(end) || b.Bytes != 31093059 || b.Stored != 4181203 {
		t.Errorf("%+v", b)
	}
	jobs, err := w.BatchV1().Jobs("data").List(t.Context(), metav1.ListOptions{})
	if err != nil || len(jobs.Items) != 0 {
		t.Errorf("jobs are left: %v, %v", jobs.Items, err)
	}
	w.prints["list.sh"] = none1
	if list, err := w.database.List(t.Context()); err != nil || len(list) != 0 {
		t.Errorf("of an empty repository: %v, %v", list, err)
	}
	w.prints["list.sh"] = away1
	_, err = w.database.List(t.Context())
	if err == nil || !strings.Contains(err.Error(), "unable to connect to 's3.") {
		t.Errorf("without S3: %v", err)
	}
}

// TestTheCronJobCountsABackup: its lastSuccessfulTime is what status shows. Other Jobs must not count.
func TestTheCronJobCountsABackup(t *testing.T) {
	t.Parallel()
	w := setup(t)
	if _, err := w.database.Create(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := restore(t, w, ten); err != nil {
		t.Fatal(err)
	}
	jobs, err := w.BatchV1().Jobs("data").List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, job := range jobs.Items {
		owned := len(job.OwnerReferences) == 1 && job.OwnerReferences[0].UID == "cron"
		if backup := strings.HasPrefix(job.Name, "postgres-backup-"); owned != backup {
			t.Errorf("%s is the CronJob's: %t", job.Name, owned)
		}
	}
}

func TestARestore(t *testing.T) {
	t.Parallel()
	w := setup(t)
	r, err := restore(t, w, ten)
	if err != nil {
		t.Fatal(err)
	}
	w.took(t, "list.sh", "stop", "restore.sh", "start", "create.sh")
	if r.Rows["wastecoach.waste.jobs"] != 200 || len(r.Rows) != 2 || r.Short || r.Backup.Label == "" ||
		!r.Last.Equal(ten.Add(-2*time.Second+123456*time.Microsecond)) {
		t.Errorf("%+v", r)
	}
	if note := w.annotation(t); note != "" {
		t.Errorf("the note of the restore is left: %s", note)
	}
	if told := strings.Join(w.told, "\n"); !strings.Contains(told, "counting rows") {
		t.Errorf("it told %s", told)
	}
}

func TestWhatCannotBeRestored(t *testing.T) {
	t.Parallel()
	w := setup(t)
	var early *pgbackup.TimeError
	_, err := restore(t, w, time.Unix(1795662007, 5e8))
	if !errors.As(err, &early) || early.First.Unix() != 1795662008 {
		t.Errorf("before the first backup has ended: %v", err)
	}
	w.prints["list.sh"] = none1
	if _, err := restore(t, w, ten); !errors.Is(err, pgbackup.ErrNone) {
		t.Errorf("without a backup: %v", err)
	}
	w.prints["list.sh"] = away1
	if _, err := restore(t, w, ten); err == nil {
		t.Error("without S3: no error")
	}
	w.took(t, "list.sh", "list.sh", "list.sh")
	if err := w.BatchV1().CronJobs("data").Delete(t.Context(), "postgres-backup", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := restore(t, w, ten); !errors.Is(err, pgbackup.ErrOff) {
		t.Errorf("with backups off: %v", err)
	}
	if err := w.AppsV1().StatefulSets("data").Delete(t.Context(), "postgres", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := restore(t, w, ten); !errors.Is(err, pgbackup.ErrOutside) {
		t.Errorf("with a database outside: %v", err)
	}
	service := &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: "postgres"},
		Spec:       corev1.ServiceSpec{Selector: map[string]string{"cnpg.io/cluster": "postgres"}},
	}
	if _, err := w.CoreV1().Services("data").Create(t.Context(), service, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := restore(t, w, ten); !errors.Is(err, pgbackup.ErrCloudNativePG) {
		t.Errorf("with CloudNativePG: %v", err)
	}
}

// TestAFailureStartsWhatWasThere, and the next restore begins anew.
func TestAFailureStartsWhatWasThere(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.fails["restore.sh"] = true
	w.prints["restore.sh"] = "step: a\nERROR: [049]: unable to connect\nP00 INFO: aborted\n"
	_, err := restore(t, w, ten)
	if err == nil || !strings.Contains(err.Error(), "unable to connect") ||
		!strings.Contains(err.Error(), "is as it was") {
		t.Errorf("the error is %v", err)
	}
	w.took(t, "list.sh", "stop", "restore.sh", "start")
	if note := w.annotation(t); note != "" {
		t.Errorf("the note is left: %s", note)
	}
	w.fails["restore.sh"], w.prints["restore.sh"] = false, restored
	if _, err := restore(t, w, ten); err != nil {
		t.Error(err)
	}
	w.took(t, "list.sh", "stop", "restore.sh", "start", "create.sh")
}

// TestARestoreGoesOn from where it was cut off, however its Job ended meanwhile.
func TestARestoreGoesOn(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		script, moment string
		fails          bool
		want           []string
	}{
		"done meanwhile":   {"restore.sh", "counting rows", false, []string{"start", "create.sh"}},
		"failed meanwhile": {"restore.sh", "counting rows", true, []string{"restore.sh", "start", "create.sh"}},
		"in the backup":    {"create.sh", "taking the first backup after the restore", false, []string{"create.sh"}},
	} {
		w := setup(t)
		a, _, err := w.database.Begin(t.Context(), ten)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cut := context.WithCancel(t.Context())
		w.database.Tell = func(text string) {
			if text == tt.moment {
				cut()
			}
		}
		w.hangs = tt.script
		if _, err = w.database.Restore(ctx, a); !errors.Is(err, context.Canceled) {
			t.Fatalf("%s: cut off: %v", name, err)
		}
		w.hangs, w.did = "", nil
		w.end(t, a, tt.fails)
		a, goesOn, err := w.database.Begin(t.Context(), ten)
		if err != nil || !goesOn {
			t.Fatalf("%s: goes on %t, %v", name, goesOn, err)
		}
		if r, err := w.database.Restore(t.Context(), a); err != nil || r.Rows["wastecoach.waste.jobs"] != 200 {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
		w.took(t, tt.want...)
	}
}

// TestAnotherTimeTakesThePlaceOfTheFirst: two Jobs never work on one volume.
func TestAnotherTimeTakesThePlaceOfTheFirst(t *testing.T) {
	t.Parallel()
	w := setup(t)
	first, _, err := w.database.Begin(t.Context(), ten)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cut := context.WithCancel(t.Context())
	w.database.Tell = func(string) { cut() }
	w.hangs = "restore.sh"
	if _, err = w.database.Restore(ctx, first); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	w.hangs = ""
	w.database.Now = func() time.Time { return noon.Add(time.Minute) }
	if _, err := restore(t, w, ten.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	_, err = w.BatchV1().Jobs("data").Get(t.Context(), "postgres-restore-"+first.ID, metav1.GetOptions{})
	if !apierrors.IsNotFound(err) {
		t.Errorf("the first one's job is there: %v", err)
	}
}
