package kube

import (
	"strings"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"
)

func TestTheClusterKnowsItsNewestBackup(t *testing.T) {
	t.Parallel()
	c := &Cluster{client: fake.NewClientset(), slow: map[string]remembered{}}
	if b, err := c.Backup(t.Context()); err != nil || !b.At.IsZero() {
		t.Fatalf("before the first: %+v, %v", b, err)
	}
	first := Backup{At: began, File: "/a", Computer: "desk", Bytes: 7, Revision: 9}
	second := Backup{At: began.Add(time.Hour), File: "/b", Computer: "ci", Bytes: 8, Revision: 10}
	for _, step := range []struct{ record, want Backup }{{first, first}, {second, second}, {first, second}} {
		if err := c.RecordBackup(t.Context(), step.record); err != nil {
			t.Fatal(err)
		}
		if got, err := c.Backup(t.Context()); err != nil || got != step.want {
			t.Errorf("after %s: %+v, %v, want %+v", step.record.File, got, err, step.want)
		}
	}
}

func TestTheClusterKnowsTheNewestBackupOfItsDatabase(t *testing.T) {
	t.Parallel()
	cron := func(last *metav1.Time) *batchv1.CronJob {
		return &batchv1.CronJob{
			ObjectMeta: metav1.ObjectMeta{Name: "postgres-backup", Namespace: "data"},
			Status:     batchv1.CronJobStatus{LastSuccessfulTime: last},
		}
	}
	at := func(age time.Duration) *metav1.Time { return &metav1.Time{Time: began.Add(-age)} }
	control := Backup{At: began.Add(-time.Hour), Bytes: 2048, Computer: "desk"}
	for name, tt := range map[string]struct {
		client  *fake.Clientset
		control Backup
		state   State
		message string
	}{
		"outside": {fake.NewClientset(), control, OK, "the newest is 1 hour old, 2 KiB on desk"},
		"none":    {fake.NewClientset(cron(nil)), control, Warning, "there is no backup of PostgreSQL"},
		"old": {
			fake.NewClientset(cron(at(26 * time.Hour))), control, Warning,
			"the newest backup of PostgreSQL is 26 hours old",
		},
		"fresh": {
			fake.NewClientset(cron(at(3 * time.Hour))), control, OK,
			"the newest is 1 hour old, 2 KiB on desk; PostgreSQL's is 3 hours old",
		},
		"the control plane first": {
			fake.NewClientset(cron(nil)), Backup{}, Warning, "there is no backup of the control plane",
		},
	} {
		c := &Cluster{client: tt.client, slow: map[string]remembered{}}
		s := &snapshot{at: began, backup: answered(tt.control, nil)}
		s.databaseBackup = answered(c.DatabaseBackup(t.Context()))
		if got := judgeBackups(s, Options{}); got.State != tt.state || !strings.HasPrefix(got.Message, tt.message) {
			t.Errorf("%s: %s %q, want %s %q", name, got.State, got.Message, tt.state, tt.message)
		}
	}
}
