package monitor

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/gofrs/uuid/v5"

	"github.com/wastecoach/wastecoach/internal/job"
	"github.com/wastecoach/wastecoach/internal/operator"
	"github.com/wastecoach/wastecoach/internal/wcctl/devstate"
)

func TestPictureOfARunningSystem(t *testing.T) {
	t.Parallel()
	s := setup(t)
	held := s.add(job.Queued)
	began, release := make(chan struct{}), make(chan struct{})
	s.work(func(context.Context, []byte) error {
		began <- struct{}{}
		<-release
		return nil
	})
	<-began
	canceled := s.add(job.Canceled)
	system := s.open()
	// A worker tells every five seconds what it runs.
	var p Picture
	until(t, "the worker to tell of its task", func() bool {
		p = s.picture(system)
		return len(p.Workers) == 1 && len(p.Workers[0].Running) == 1
	})
	if len(p.Faults) != 0 || p.Source != "wcctl dev at "+s.state.URL || p.Cluster != nil {
		t.Errorf("%q, faults %+v, cluster %v", p.Source, p.Faults, p.Cluster)
	}
	if items := p.Jobs.Items; len(items) != 2 || items[0].ID != canceled || items[1].ID != held ||
		p.Jobs.Counts[job.Queued] != 1 || p.Jobs.Counts[job.Canceled] != 1 || p.Jobs.Last24h.Canceled != 1 {
		t.Errorf("jobs %+v", p.Jobs)
	}
	if q := p.Queues; len(q) != 2 || q[0].Name != "waste" || q[0].Active != 1 || q[0].Pending != 0 ||
		q[0].Orphans != 0 {
		t.Errorf("queues %+v", q)
	}
	w := p.Workers[0]
	r := w.Running[0]
	if w.Concurrency != 3 || w.Status != "active" || w.Queues[0] != "waste" || r.Job.UUID != held || !r.Job.Valid ||
		r.Task != "waste:analyze" || !r.Lease.After(p.At) || !r.Deadline.After(p.At) || r.Since.IsZero() {
		t.Errorf("worker %+v", w)
	}
	if sv := p.Services; len(sv) != 2 || sv[0].Name != "waste" || sv[0].Ready != 1 || sv[1].Name != "waste-worker" ||
		sv[1].Replicas != 1 || len(sv[0].Versions) != 1 {
		t.Errorf("services %+v", sv)
	}
	close(release)
	until(t, "the run to be measured", func() bool {
		p = s.picture(system)
		return p.Queues[0].Run.P95 > 0 && p.Queues[0].Wait.P95 > 0 && p.Queues[0].Processed == 1
	})
}

func TestActions(t *testing.T) {
	t.Parallel()
	s := setup(t)
	id := s.add(job.Queued)
	system := s.open()
	act := func(a Action) Outcome {
		t.Helper()
		outcomes, err := system.Act(t.Context(), a)
		if err != nil || len(outcomes) != 1 {
			t.Fatalf("%+v, %v", outcomes, err)
		}
		return outcomes[0]
	}
	if o := act(Action{Verb: Cancel, Jobs: []uuid.UUID{id}}); !o.Changed || o.Error != "" || o.Subject != id.String() {
		t.Errorf("%+v", o)
	}
	if o := act(Action{Verb: Pause, Queue: "waste"}); !o.Changed {
		t.Errorf("%+v", o)
	}
	d, err := system.Job(t.Context(), id)
	if err != nil || d.Status != job.Canceled || len(d.Steps) != 1 || d.Steps[0].EndedAt == nil {
		t.Errorf("%+v, %v", d, err)
	}
	if _, err := system.Job(t.Context(), uuid.Must(uuid.NewV4())); !errors.Is(err, operator.ErrJobNotFound) {
		t.Errorf("a job that is not there: %v", err)
	}
	p := s.picture(system)
	if !p.Queues[0].Paused || p.Queues[0].Pending != 0 {
		t.Errorf("%+v", p.Queues[0])
	}
	if len(p.Events) != 2 || p.Events[0].Kind != "queue.paused" || p.Events[1].Kind != "job.canceled" ||
		p.Events[1].Actor != "alice@laptop" {
		t.Errorf("events %+v", p.Events)
	}
}

// Redis goes and comes back: its parts stay as they were, and say so; the others go on.
func TestPictureWhileRedisIsAway(t *testing.T) {
	t.Parallel()
	s := setup(t)
	s.add(job.Queued)
	system := s.open()
	before := s.picture(system)
	if before.Queues[0].Pending != 1 || len(before.Faults) != 0 {
		t.Fatalf("%+v, faults %+v", before.Queues, before.Faults)
	}
	if err := s.redis.Kill(); err != nil {
		t.Fatal(err)
	}
	s.add(job.Canceled)
	p := s.picture(system)
	fault, bad := p.Faults[Queues]
	if !bad || !strings.Contains(fault.Message, s.redis.Addr()) || fault.ReadAt.After(before.At) ||
		fault.ReadAt.IsZero() {
		t.Errorf("fault %+v", fault)
	}
	if len(p.Queues) != 2 || p.Queues[0].Pending != 1 {
		t.Errorf("the last value is gone: %+v", p.Queues)
	}
	if _, bad := p.Faults[Jobs]; bad || len(p.Jobs.Items) != 2 {
		t.Errorf("jobs %+v, faults %+v", p.Jobs, p.Faults)
	}
	if err := s.redis.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	until(t, "the queues to come back", func() bool {
		p = s.picture(system)
		_, bad := p.Faults[Queues]
		return !bad && p.Queues[0].Pending == 0 // it is an empty one
	})
}

// The stack is stopped and started anew elsewhere: the same System finds it.
func TestPictureOfAStackThatMoved(t *testing.T) {
	t.Parallel()
	s := setup(t)
	s.add(job.Canceled)
	system := s.open()
	s.picture(system)
	if err := devstate.Remove(s.dir); err != nil {
		t.Fatal(err)
	}
	p := s.picture(system)
	if fault := p.Faults[Jobs]; fault.Hint != "wcctl dev" || len(p.Jobs.Items) != 1 || len(p.Faults) < 2 {
		t.Errorf("%+v, %d jobs", p.Faults, len(p.Jobs.Items))
	}
	s.state.URL = "http://127.0.0.1:2"
	s.serve()
	p = s.picture(system)
	if _, bad := p.Faults[Jobs]; bad || p.Source != "wcctl dev at http://127.0.0.1:2" {
		t.Errorf("%q: %+v", p.Source, p.Faults)
	}
}

// Of several replicas one that answers is enough.
func TestJobsAreAskedOfAnyReplica(t *testing.T) {
	t.Parallel()
	s := setup(t)
	s.state.Replicas["waste"] = append([]string{"http://" + freeAddr(t)}, s.state.Replicas["waste"]...)
	s.tell()
	id := s.add(job.Canceled)
	page, err := s.open().Jobs(t.Context(), JobQuery{})
	if err != nil || len(page.Items) != 1 || page.Items[0].ID != id {
		t.Errorf("%+v, %v", page, err)
	}
}

func TestNothingRuns(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	_, err := Open(t.Context(), Options{Data: dir})
	if !errors.Is(err, ErrNotRunning) || !strings.Contains(Explain(err), dir) || HintOf(err) != "wcctl dev" {
		t.Errorf("%v, hint %q", err, HintOf(err))
	}
	// One that was killed leaves its file.
	addr := freeAddr(t)
	state := devstate.State{
		URL: "http://" + addr, RedisAddr: addr, Replicas: map[string][]string{"waste": {"http://" + addr}},
	}
	if err := devstate.Write(dir, state); err != nil {
		t.Fatal(err)
	}
	system, err := Open(t.Context(), Options{Data: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer system.Close()
	_, err = system.Picture(t.Context(), JobQuery{})
	if err == nil || Explain(err) != "nobody listens at "+addr {
		t.Errorf("%v", err)
	}
	if _, err := system.Queues(t.Context()); err == nil {
		t.Error("queues of a Redis that is not there")
	}
}

// stubborn is a site whose replicas do not answer until the test lets them.
type stubborn struct {
	site
	release chan struct{}
}

func (s *stubborn) replicas(ctx context.Context) ([]replica, error) {
	select {
	case <-s.release:
	case <-ctx.Done():
	}
	return nil, ctx.Err()
}

// A part that hangs holds up the first picture only, and is not asked twice at a time.
func TestASlowPartHoldsUpNothing(t *testing.T) {
	t.Parallel()
	s := setup(t)
	slow := &stubborn{site: &devSite{dir: s.dir}, release: make(chan struct{})}
	system := newSystem(slow, Options{})
	defer system.Close()
	if _, err := system.Jobs(t.Context(), JobQuery{}); err != nil {
		t.Fatal(err)
	}
	first := system.services.start()
	if again := system.services.start(); again != first {
		t.Error("the part is read twice at a time")
	}
	system.services.mu.Lock()
	system.services.readAt = time.Now()
	system.services.mu.Unlock()
	began := time.Now()
	p := s.picture(system)
	if took := time.Since(began); took > servicesTimeout/2 {
		t.Errorf("the picture took %s", took)
	}
	if len(p.Queues) != 2 {
		t.Errorf("%+v", p.Queues)
	}
	close(slow.release)
	<-first
}

func TestACallerWhoLeavesGetsAnErrorAndBreaksNothing(t *testing.T) {
	t.Parallel()
	s := setup(t)
	system := s.open()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := system.Picture(ctx, JobQuery{}); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	if p := s.picture(system); len(p.Faults) != 0 {
		t.Errorf("%+v", p.Faults)
	}
}
