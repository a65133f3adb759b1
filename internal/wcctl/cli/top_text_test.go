package cli

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/gofrs/uuid/v5"

	"github.com/wastecoach/wastecoach/internal/job"
	"github.com/wastecoach/wastecoach/internal/wcctl/monitor"
)

func somePicture() monitor.Picture {
	now := time.Date(2026, 11, 26, 12, 0, 0, 0, time.Local)
	ago := func(d time.Duration) time.Time { return now.Add(-d) }
	id := func(n byte) uuid.UUID { return uuid.UUID{0x01, 0x93, 0xa5, 0xc2, 15: n} }
	share, ends := .25, now.Add(90*24*time.Hour+time.Minute)
	backup := ago(26 * time.Hour)
	return monitor.Picture{
		At: now, Source: "cluster waste",
		Jobs: monitor.JobPage{
			Items: []monitor.Job{
				{
					ID: id(3), User: id(9), Status: job.Processing, Stage: job.StageVision, Progress: 40, Attempt: 2,
					Stalled: true, CreatedAt: ago(time.Minute),
				},
				{
					ID: id(2), User: id(9), Status: job.Queued, Stage: job.StageQueue, Attempt: 1, Archived: true,
					CreatedAt: ago(2 * time.Minute),
				},
				{
					ID: id(1), User: id(8), Status: job.Failed, Stage: job.StageVision, Progress: 40, Attempt: 1,
					Class: "bulky", Item: "소파", CreatedAt: ago(time.Hour),
					Error: &monitor.JobError{Code: "vision_refused"},
				},
			},
			Counts:  map[job.Status]int64{job.Processing: 1, job.AwaitingUpload: 2, job.Failed: 3},
			Last24h: monitor.Outcome24h{Succeeded: 200, Failed: 3, Canceled: 1, Cached: 150},
		},
		Queues: []monitor.Queue{
			{
				Name: "waste", Pending: 100_000, Active: 20, Retry: 1, Oldest: 75 * time.Second,
				Processed: 12, Failed: 2,
				Wait: monitor.Latency{P50: 20 * time.Millisecond, P95: 1250 * time.Millisecond},
			},
			{Name: "recycling", Paused: true},
		},
		Workers: []monitor.Worker{{
			ID: "11111111-2222-3333-4444-555555555555", Host: "node-1", PID: 7, Queues: []string{"waste"},
			Concurrency: 4, StartedAt: ago(3 * time.Hour), Status: "active",
			Running: []monitor.Running{{
				Task: "waste:analyze", Job: uuid.NullUUID{UUID: id(3), Valid: true},
				Since: ago(1500 * time.Millisecond),
			}},
		}},
		Services: []monitor.Service{
			{Name: "auth", Replicas: 2, Ready: 2, Versions: []string{"v1.0.0"}, Rate: 1.25, P95: 3 * time.Millisecond},
			{
				Name: "waste", Replicas: 3, Ready: 2, Versions: []string{"v1.0.0", "v1.1.0"}, Errors: .02,
				Why: "waste-2: /readyz answers 503",
			},
		},
		Cluster: &monitor.ClusterState{
			Version: "v1.36.3", Pods: map[string]int{"Running": 20, "Pending": 1},
			Nodes: []monitor.Node{
				{Name: "a", Roles: []string{"control-plane"}, Ready: true, CPU: &share, Memory: &share, Pods: 9},
				{Name: "b", Roles: []string{"worker"}, Pressure: []string{"disk"}, Pods: 11},
			},
			Waiting: []string{"waste/waste-1: ImagePullBackOff"}, CertificatesExpire: &ends, DatabaseBackupAt: &backup,
			Rollouts: []monitor.Rollout{{Name: "waste/waste-api", Wanted: 3, Updated: 1, Ready: 3}},
		},
		Events: []monitor.Event{
			{At: ago(time.Second), Kind: "job.canceled", Subject: id(1).String(), Actor: "alice@laptop"},
			{
				At: ago(time.Minute), Kind: "pod.warning", Subject: "waste/waste-1",
				Message: "Failed:\x1b[31m pull\nfailed", Bad: true,
			},
		},
		Faults: map[monitor.Part]monitor.Fault{
			monitor.Workers: {Message: "Redis at 10.0.0.2:6379 does not answer", ReadAt: ago(30 * time.Second)},
		},
	}
}

func TestPictureAsText(t *testing.T) {
	t.Parallel()
	var text strings.Builder
	if err := writePicture(&text, somePicture()); err != nil {
		t.Fatal(err)
	}
	golden(t, "top_once.txt", text.String())
	err := pictureError(somePicture())
	var told *Error
	if !errors.As(err, &told) || !strings.Contains(err.Error(), "workers: Redis at") {
		t.Errorf("%v", err)
	}
	text.Reset()
	empty := monitor.Picture{Source: "wcctl dev", At: somePicture().At}
	if err := writePicture(&text, empty); err != nil || strings.Contains(text.String(), "WORKERS") {
		t.Errorf("%v: %s", err, text.String())
	}
	if err := pictureError(empty); err != nil {
		t.Errorf("%v", err)
	}
}

func TestOutcomesAsText(t *testing.T) {
	t.Parallel()
	var out, errs strings.Builder
	con := &console{out: &out, err: &errs}
	err := showOutcomes(con, outputText, monitor.Cancel, []monitor.Outcome{
		{Subject: "a", Changed: true}, {Subject: "b"}, {Subject: "c", Error: "it has ended already"},
	})
	if err == nil || err.Error() != "1 of 3 not done" {
		t.Errorf("%v", err)
	}
	if got := out.String(); got != "a  canceled\nb  unchanged: canceled already\n" {
		t.Errorf("%q", got)
	}
	if got := errs.String(); got != "c  not done: it has ended already\n" {
		t.Errorf("%q", got)
	}
	for _, verb := range []monitor.Verb{
		monitor.Retry, monitor.Cancel, monitor.Archive, monitor.Delete, monitor.RunNow, monitor.Repair,
		monitor.Pause, monitor.Resume,
	} {
		if done[verb] == "" {
			t.Errorf("no word for %s", verb)
		}
	}
}
