package waste

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gofrs/uuid/v5"

	"github.com/wastecoach/wastecoach/internal/job"
	"github.com/wastecoach/wastecoach/internal/objectstore"
	"github.com/wastecoach/wastecoach/internal/openaitest"
	"github.com/wastecoach/wastecoach/internal/operator"
	"github.com/wastecoach/wastecoach/internal/queue"
	"github.com/wastecoach/wastecoach/internal/testdb"
)

const me = "alice@laptop"

// asOperator is how wcctl sees the service.
func (s *system) asOperator() *operator.Client {
	return operator.NewClient(s.bare.URL, internalToken, http.DefaultClient)
}

func (s *system) page(q operator.Query) operator.Page {
	s.t.Helper()
	page, err := s.asOperator().Page(s.t.Context(), q)
	if err != nil {
		s.t.Fatal(err)
	}
	return page
}

func (s *system) detail(id uuid.UUID) operator.JobDetail {
	s.t.Helper()
	d, err := s.asOperator().Detail(s.t.Context(), id)
	if err != nil {
		s.t.Fatal(err)
	}
	return d
}

// act does something to one job and compares the outcome: "changed", "unchanged", or what the refusal
// says.
func (s *system) act(verb operator.Verb, id uuid.UUID, want string) {
	s.t.Helper()
	outcomes, err := s.asOperator().Act(s.t.Context(), me, operator.Action{Verb: verb, Jobs: []uuid.UUID{id}})
	if err != nil || len(outcomes) != 1 {
		s.t.Fatalf("%s: %+v, %v", verb, outcomes, err)
	}
	o := outcomes[0]
	got := o.Error
	switch {
	case o.Error != "":
	case o.Changed:
		got = "changed"
	default:
		got = "unchanged"
	}
	if o.Subject != id.String() || !strings.Contains(got, want) {
		s.t.Fatalf("%s: %s is %q, want %q", verb, o.Subject, got, want)
	}
}

func (s *system) queued(seed uint64) uuid.UUID {
	s.t.Helper()
	return s.analyze(s.upload(jpegOf(seed)).UploadID).want(http.StatusAccepted).job().ID
}

// setupOperated has no worker yet.
func setupOperated(t testing.TB) *system {
	t.Helper()
	return setup(t, "WASTE_INTERNAL_TOKEN="+internalToken)
}

func TestOperatorSeesEachStepAndWhyItFailed(t *testing.T) {
	t.Parallel()
	s := setupOperated(t)
	s.model.Script(openaitest.ServerError(), openaitest.OK())
	s.work()
	id := s.queued(1)
	s.succeeded(id)
	d := s.detail(id)
	var stages []string
	for i, step := range d.Steps {
		stages = append(stages, fmt.Sprintf("%d:%s", step.Attempt, step.Stage))
		if step.EndedAt == nil || step.EndedAt.Before(step.StartedAt) {
			t.Errorf("step %d of an ended job: %+v", i, step)
		}
		if i > 0 && !step.StartedAt.Equal(*d.Steps[i-1].EndedAt) {
			t.Errorf("step %d begins at %s, the one before ends at %s", i, step.StartedAt, d.Steps[i-1].EndedAt)
		}
		works := step.Stage != job.StageQueue && step.Stage != job.StageAdvice
		if works != (step.Worker != "") {
			t.Errorf("step %d is in the hands of %q: %+v", i, step.Worker, step)
		}
		if failed := i == 4; failed != (step.Error != nil) {
			t.Errorf("step %d: error %+v", i, step.Error)
		}
	}
	// Vision begins when the photo is prepared and goes on in the model's call: one step.
	want := []string{
		"1:queue", "1:fetch", "1:cache", "1:prepare", "1:vision",
		"2:queue", "2:vision", "2:advice", "2:location",
	}
	if !slices.Equal(stages, want) {
		t.Errorf("steps %v, want %v", stages, want)
	}
	if d.LastError == "" || !strings.Contains(d.LastError, "500") {
		t.Errorf("last error %q", d.LastError)
	}
	if d.Photo == nil || d.Photo.ContentType != "image/jpeg" || len(d.Photo.SHA256) != 64 || d.Photo.Size == 0 {
		t.Errorf("photo %+v", d.Photo)
	}
	if d.Status != job.Succeeded || d.Progress != 100 || d.Attempt != 2 || d.User != s.user || len(d.Result) == 0 {
		t.Errorf("%+v", d.Job)
	}
	if _, err := s.asOperator().Detail(t.Context(), uuid.Must(uuid.NewV4())); !errors.Is(err, operator.ErrJobNotFound) {
		t.Errorf("a job that is not there: %v", err)
	}
}

func TestOperatorCancelsAndRetries(t *testing.T) {
	t.Parallel()
	s := setupOperated(t)
	id := s.queued(1)
	s.act(operator.Retry, id, "unchanged")
	s.act(operator.Delete, id, "not finished")
	s.act(operator.Cancel, id, "changed")
	s.act(operator.Cancel, id, "unchanged")
	s.act(operator.Cancel, uuid.Must(uuid.NewV4()), "no such job")
	if j := s.get(id).want(http.StatusOK).job(); j.Status != job.Canceled {
		t.Errorf("its user sees %s", j.Status)
	}
	if n := s.stat().Pending; n != 0 {
		t.Errorf("%d tasks are pending", n)
	}
	s.act(operator.Retry, id, "changed")
	if j := s.get(id).want(http.StatusOK).job(); j.Status != job.Queued || j.Error != nil || j.FinishedAt != nil {
		t.Errorf("its user sees %+v", j)
	}
	s.work()
	s.succeeded(id)
	s.act(operator.Retry, id, "answer already")
	s.act(operator.Cancel, id, "ended already")
	s.act(operator.Archive, id, "ended already")
	s.act(operator.Delete, id, "changed")
	s.get(id).wantCode(http.StatusNotFound, "analysis_not_found")
	if n := query[int](s, `SELECT count(*) FROM waste.uploads`); n != 1 {
		t.Errorf("%d uploads: what may come by the link must be found", n)
	}
	key := query[string](s, `SELECT object_key FROM waste.uploads`)
	if _, err := objectstore.New(s.cfg.S3).Head(t.Context(), key); !errors.Is(err, objectstore.ErrNotFound) {
		t.Errorf("the original is still in the store: %v", err)
	}

	events, err := s.asOperator().Events(t.Context(), 50)
	if err != nil {
		t.Fatal(err)
	}
	var kinds []string
	for _, e := range events {
		if e.Actor != me || e.Bad != strings.HasPrefix(e.Message, "refused: ") {
			t.Errorf("%+v", e)
		}
		if !e.Bad {
			kinds = append(kinds, e.Kind)
		}
	}
	if !slices.Equal(kinds, []string{"job.deleted", "job.retried", "job.canceled"}) {
		t.Errorf("events %v", kinds)
	}
	for _, line := range []string{
		`"event":"job_canceled","actor":"operator:` + me + `","subject":"job:` + id.String() + `","outcome":"done"`,
		`"event":"job_deleted","actor":"operator:` + me + `","subject":"job:` + id.String() + `","outcome":"refused"`,
	} {
		if !strings.Contains(s.log.String(), line) {
			t.Errorf("the audit log has no %s:\n%s", line, s.log.String())
		}
	}
}

// stat is the queue waste.
func (s *system) stat() queue.Stat {
	s.t.Helper()
	stats, err := queue.Stats(s.t.Context(), s.redis.Client(1), queue.Waste)
	if err != nil {
		s.t.Fatal(err)
	}
	return stats[0]
}

// A failed job whose photo was prepared goes on from there: the original is gone by then.
func TestOperatorRetriesAFailedJobFromItsLastGoodStage(t *testing.T) {
	t.Parallel()
	s := setupOperated(t)
	s.model.Script(openaitest.Status(http.StatusBadRequest, "invalid_image"), openaitest.OK())
	s.work()
	id := s.queued(1)
	if j := s.finished(id); j.Status != job.Failed {
		t.Fatalf("%+v", j)
	}
	waitFor(t, "the original to go", s.originalsGone)
	page := s.page(operator.Query{Status: []job.Status{job.Failed}})
	if len(page.Items) != 1 || page.Items[0].Error == nil || page.Counts[job.Failed] != 1 || page.Last24h.Failed != 1 {
		t.Errorf("%+v", page)
	}
	events, err := s.asOperator().Events(t.Context(), 1)
	if err != nil || len(events) != 1 || events[0].Kind != "job.failed" || events[0].Subject != id.String() {
		t.Errorf("%+v, %v", events, err)
	}
	s.act(operator.Retry, id, "changed")
	s.succeeded(id)
	if n := len(s.model.Calls()); n != 2 {
		t.Errorf("%d calls", n)
	}
	page = s.page(operator.Query{})
	if page.Counts[job.Failed] != 0 || page.Counts[job.Succeeded] != 1 {
		t.Errorf("counts %v", page.Counts)
	}
}

func TestOperatorCannotRetryWithoutAPhoto(t *testing.T) {
	t.Parallel()
	s := setupOperated(t)
	id := s.queued(1)
	s.act(operator.Cancel, id, "changed")
	s.work()
	waitFor(t, "the original to go", s.originalsGone)
	s.act(operator.Retry, id, "photo is gone")
	if j := s.get(id).want(http.StatusOK).job(); j.Status != job.Canceled {
		t.Errorf("%s", j.Status)
	}
}

func TestOperatorPutsAJobAside(t *testing.T) {
	t.Parallel()
	s := setupOperated(t)
	id := s.queued(1)
	s.act(operator.Archive, id, "changed")
	s.act(operator.Archive, id, "unchanged")
	s.act(operator.Repair, id, "put aside")
	if d := s.detail(id); !d.Archived || d.Stalled || d.Orphan || d.TaskState != "archived" {
		t.Errorf("%+v, task %s", d.Job, d.TaskState)
	}
	s.work()
	other := s.queued(2)
	s.succeeded(other) // the worker and the reconciler have passed the first one by
	if st := s.stat(); st.Archived != 1 || st.Pending != 0 {
		t.Errorf("%+v", st)
	}
	if j := s.get(id).want(http.StatusOK).job(); j.Status != job.Queued {
		t.Errorf("%s", j.Status)
	}
	s.act(operator.Retry, id, "changed")
	s.succeeded(id)
	if st := s.stat(); st.Archived != 0 {
		t.Errorf("%+v", st)
	}
}

// A worker that has the job while it is put aside writes nothing more.
func TestOperatorTakesAJobFromItsWorker(t *testing.T) {
	t.Parallel()
	s := setupOperated(t)
	s.model.Script(openaitest.Slow(time.Second), openaitest.OK())
	stop := s.work()
	id := s.queued(1)
	s.await(id, func(j job.Job) bool { return j.Progress >= 40 })
	if d := s.detail(id); d.Worker == "" || d.Lease == nil || d.TaskState != "active" {
		t.Errorf("%+v, task %q", d.Job, d.TaskState)
	}
	s.act(operator.Archive, id, "changed")
	stop()
	if d := s.detail(id); !d.Archived || d.Worker != "" || d.Progress != 40 {
		t.Errorf("%+v", d.Job)
	}
}

func TestOperatorRepairsAnOrphan(t *testing.T) {
	t.Parallel()
	s := setupOperated(t)
	id := s.queued(1)
	s.act(operator.Repair, id, "unchanged")
	s.flushRedis()
	s.exec(`UPDATE waste.analyses SET updated_at = now() - interval '3 seconds'`)
	if d := s.detail(id); !d.Orphan || d.Stalled || d.TaskState != "" {
		t.Errorf("%+v", d.Job)
	}
	s.act(operator.Repair, id, "changed")
	if d := s.detail(id); d.Orphan || d.TaskState != "pending" {
		t.Errorf("%+v, task %q", d.Job, d.TaskState)
	}
	// As a worker leaves it that loses its lease in Redis: asynq never recovers that.
	jobs := s.redis.Client(1)
	task := id.String() + ":1"
	for _, err := range []error{
		jobs.LMove(t.Context(), "asynq:{waste}:pending", "asynq:{waste}:active", "RIGHT", "LEFT").Err(),
		jobs.HSet(t.Context(), "asynq:{waste}:t:"+task, "state", "active").Err(),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	s.exec(`UPDATE waste.analyses SET updated_at = now() - interval '3 seconds'`)
	if page := s.page(operator.Query{Stalled: true}); len(page.Items) != 1 || !page.Items[0].Orphan {
		t.Errorf("%+v", page.Items)
	}
	s.act(operator.Repair, id, "changed")
	s.work()
	s.succeeded(id)
}

func (s *system) exec(sql string, args ...any) {
	s.t.Helper()
	if _, err := s.db.Pool(testdb.Superuser).Exec(s.t.Context(), sql, args...); err != nil {
		s.t.Fatal(err)
	}
}

func TestOperatorDoesNotWaitForARetry(t *testing.T) {
	t.Parallel()
	s := setupOperated(t)
	s.model.Script(openaitest.RateLimited(20*time.Second), openaitest.OK())
	s.work()
	id := s.queued(1)
	waitFor(t, "the retry", func() bool { return s.detail(id).TaskState == "retry" })
	began := time.Now()
	s.act(operator.RunNow, id, "changed")
	s.succeeded(id)
	if took := time.Since(began); took > 15*time.Second {
		t.Errorf("it took %s", took)
	}
	s.act(operator.RunNow, id, "ended already")
}

func TestOperatorPausesAQueue(t *testing.T) {
	t.Parallel()
	s := setupOperated(t)
	pause := func(verb operator.Verb, name string) operator.Outcome {
		t.Helper()
		done, err := s.asOperator().Act(t.Context(), me, operator.Action{Verb: verb, Queue: name})
		if err != nil || len(done) != 1 {
			t.Fatalf("%+v, %v", done, err)
		}
		return done[0]
	}
	if o := pause(operator.Pause, "nonsense"); !strings.Contains(o.Error, "no queue") {
		t.Errorf("%+v", o)
	}
	if o := pause(operator.Pause, queue.Waste); !o.Changed {
		t.Errorf("%+v", o)
	}
	if o := pause(operator.Pause, queue.Waste); o.Changed || o.Error != "" {
		t.Errorf("%+v", o)
	}
	s.work()
	id := s.queued(1)
	if st := s.stat(); !st.Paused || st.Pending != 1 {
		t.Errorf("%+v", st)
	}
	if o := pause(operator.Resume, queue.Waste); !o.Changed {
		t.Errorf("%+v", o)
	}
	s.succeeded(id)
}

func TestOperatorFindsJobs(t *testing.T) {
	t.Parallel()
	s := setupOperated(t)
	var ids []uuid.UUID
	for i := range 7 {
		ids = append(ids, s.queued(uint64(i)+1))
	}
	s.act(operator.Cancel, ids[0], "changed")
	s.act(operator.Cancel, ids[1], "changed")
	s.exec(`UPDATE waste.analyses SET verdict = '{"class": "bulky", "label": "소파"}' WHERE id = $1`, ids[2])
	s.exec(`UPDATE waste.analyses SET status = 'failed', check_at = NULL, finished_at = now(),
		error = '{"code": "vision_refused", "detail": "100% dark"}' WHERE id = $1`, ids[3])
	newest := func(of ...int) []uuid.UUID {
		var want []uuid.UUID
		for _, i := range of {
			want = append(want, ids[i])
		}
		return want
	}
	for name, tt := range map[string]struct {
		query operator.Query
		want  []uuid.UUID
	}{
		"all":             {operator.Query{}, newest(6, 5, 4, 3, 2, 1, 0)},
		"canceled":        {operator.Query{Status: []job.Status{job.Canceled}}, newest(1, 0)},
		"two statuses":    {operator.Query{Status: []job.Status{job.Canceled, job.Failed}}, newest(3, 1, 0)},
		"an id":           {operator.Query{Text: ids[4].String()}, newest(4)},
		"a user":          {operator.Query{Text: s.user.String()[:18]}, newest(6, 5, 4, 3, 2, 1, 0)},
		"a class":         {operator.Query{Text: "BULKY"}, newest(2)},
		"an item":         {operator.Query{Text: "소파"}, newest(2)},
		"an error":        {operator.Query{Text: "vision_ref"}, newest(3)},
		"no wildcard":     {operator.Query{Text: "100%"}, newest(3)},
		"nor this":        {operator.Query{Text: "vision%refused"}, nil},
		"nothing":         {operator.Query{Text: "zebra"}, nil},
		"stalled: none":   {operator.Query{Stalled: true}, nil},
		"class, failed":   {operator.Query{Text: "bulky", Status: []job.Status{job.Failed}}, nil},
		"somebody else's": {operator.Query{Text: uuid.Must(uuid.NewV4()).String()}, nil},
	} {
		var got []uuid.UUID
		for _, j := range s.page(tt.query).Items {
			got = append(got, j.ID)
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("%s: %v, want %v", name, got, tt.want)
		}
	}
	var paged []uuid.UUID
	q := operator.Query{Limit: 3}
	for range 4 {
		page := s.page(q)
		for _, j := range page.Items {
			paged = append(paged, j.ID)
		}
		if q.Before = page.Next; q.Before == "" {
			break
		}
	}
	if !slices.Equal(paged, newest(6, 5, 4, 3, 2, 1, 0)) || q.Before != "" {
		t.Errorf("in pages: %v, then %q", paged, q.Before)
	}
	s.exec(`UPDATE waste.analyses SET check_at = now() - interval '10 seconds' WHERE id = $1`, ids[5])
	s.exec(`UPDATE waste.analyses SET status = 'processing', worker = 'w', check_at = now() WHERE id = $1`, ids[6])
	if page := s.page(operator.Query{Stalled: true}); len(page.Items) != 2 || page.Items[1].ID != ids[5] {
		t.Errorf("stalled: %+v", page.Items)
	}
}

// The sums that triggers keep equal what a count of the rows says, folded or not.
func TestOperatorCountsWithoutCounting(t *testing.T) {
	t.Parallel()
	s := setupOperated(t)
	var ids []uuid.UUID
	for i := range 6 {
		ids = append(ids, s.queued(uint64(i)+1))
	}
	s.act(operator.Cancel, ids[0], "changed")
	stop := s.work()
	for _, id := range ids[1:] {
		s.succeeded(id)
	}
	if again := s.analyze(s.upload(jpegOf(2)).UploadID); again.Status != http.StatusCreated {
		t.Fatalf("not cached: %d", again.Status)
	}
	stop()
	s.act(operator.Delete, ids[5], "changed")
	store := NewStore(s.db.Pool("waste"))
	check := func(when string) {
		t.Helper()
		want := map[job.Status]int64{}
		for _, status := range job.Statuses() {
			n := query[int64](s, `SELECT count(*) FROM waste.analyses WHERE status = $1`, status)
			if n > 0 {
				want[status] = n
			}
		}
		page := s.page(operator.Query{})
		for _, status := range job.Statuses() {
			if page.Counts[status] != want[status] {
				t.Errorf("%s: %d %s, want %d", when, page.Counts[status], status, want[status])
			}
		}
		if want := (operator.Outcome24h{Succeeded: 6, Canceled: 1, Cached: 1}); page.Last24h != want {
			t.Errorf("%s: %+v, want %+v", when, page.Last24h, want)
		}
	}
	check("as it came")
	if err := store.foldCounts(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := query[int](s, `SELECT count(*) FROM waste.analysis_changes`); n != 0 {
		t.Errorf("%d changes are left", n)
	}
	check("folded")
	s.act(operator.Delete, ids[0], "changed")
	s.exec(`UPDATE waste.analysis_counts SET hour = hour - interval '3 days'`)
	if err := store.foldCounts(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := query[int](s, `SELECT count(DISTINCT hour) FROM waste.analysis_counts`); n != 2 {
		t.Errorf("%d hours are kept, want this one and the epoch", n)
	}
	page := s.page(operator.Query{})
	if page.Counts[job.Canceled] != 0 || page.Counts[job.Succeeded] != 5 || page.Last24h != (operator.Outcome24h{}) {
		t.Errorf("three days later: %+v", page)
	}
}

func TestOperatorNeedsTheToken(t *testing.T) {
	t.Parallel()
	s := setupOperated(t)
	for _, c := range []*operator.Client{
		operator.NewClient(s.bare.URL, "another", http.DefaultClient),
		operator.NewClient(s.bare.URL, "", http.DefaultClient),
	} {
		if _, err := c.Page(t.Context(), operator.Query{}); !operator.IsRefused(err, "internal_token_refused") {
			t.Errorf("%v", err)
		}
		id := uuid.Must(uuid.NewV4())
		_, err := c.Act(t.Context(), me, operator.Action{Verb: operator.Cancel, Jobs: []uuid.UUID{id}})
		if !operator.IsRefused(err, "internal_token_refused") {
			t.Errorf("%v", err)
		}
	}
	closed := setup(t)
	c := operator.NewClient(closed.bare.URL, "", http.DefaultClient)
	if _, err := c.Page(t.Context(), operator.Query{}); !operator.IsRefused(err, "internal_token_refused") {
		t.Errorf("without a token: %v", err)
	}
}

func TestOperatorRequestsAreChecked(t *testing.T) {
	t.Parallel()
	s := setupOperated(t)
	c := s.asOperator()
	id := uuid.Must(uuid.NewV4())
	for name, a := range map[string]operator.Action{
		"no verb":        {Jobs: []uuid.UUID{id}},
		"unknown verb":   {Verb: "explode", Jobs: []uuid.UUID{id}},
		"no job":         {Verb: operator.Cancel},
		"no queue":       {Verb: operator.Pause},
		"both":           {Verb: operator.Pause, Queue: "waste", Jobs: []uuid.UUID{id}},
		"job of a queue": {Verb: operator.Pause, Jobs: []uuid.UUID{id}},
	} {
		if _, err := c.Act(t.Context(), me, a); !operator.IsRefused(err, "operator_request_malformed") {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, actor := range []string{"", "a\nb", strings.Repeat("a", 101)} {
		_, err := c.Act(t.Context(), actor, operator.Action{Verb: operator.Pause, Queue: "waste"})
		if !operator.IsRefused(err, "operator_request_malformed") {
			t.Errorf("actor %q: %v", actor, err)
		}
	}
	for name, q := range map[string]operator.Query{
		"status": {Status: []job.Status{"dead"}}, "cursor": {Before: "x"}, "text": {Text: strings.Repeat("x", 101)},
	} {
		if _, err := c.Page(t.Context(), q); !operator.IsRefused(err, "operator_request_malformed") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// With Redis away, PostgreSQL still tells all jobs; nothing is taken for an orphan.
func TestOperatorWithoutRedis(t *testing.T) {
	t.Parallel()
	s := setupOperated(t)
	id := s.queued(1)
	s.exec(`UPDATE waste.analyses SET updated_at = now() - interval '3 seconds'`)
	s.cfg.Redis.Addr = "127.0.0.1:1"
	s.serve()
	page := s.page(operator.Query{})
	if len(page.Items) != 1 || page.Items[0].ID != id || page.Items[0].Orphan {
		t.Errorf("%+v", page.Items)
	}
	s.act(operator.Cancel, id, "changed")
	outcomes, err := s.asOperator().Act(t.Context(), me, operator.Action{Verb: operator.Pause, Queue: queue.Waste})
	if err != nil || len(outcomes) != 1 || !strings.Contains(outcomes[0].Error, "cannot be reached") {
		t.Errorf("%+v, %v", outcomes, err)
	}
}
