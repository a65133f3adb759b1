package recycling

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gofrs/uuid/v5"
	"github.com/hibiken/asynq"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/wastecoach/wastecoach/internal/job"
	"github.com/wastecoach/wastecoach/internal/llm"
	"github.com/wastecoach/wastecoach/internal/modelprovider"
	"github.com/wastecoach/wastecoach/internal/openaitest"
	"github.com/wastecoach/wastecoach/internal/pipeline"
	"github.com/wastecoach/wastecoach/internal/progress"
	"github.com/wastecoach/wastecoach/internal/queue"
	"github.com/wastecoach/wastecoach/internal/redisdb"
	"github.com/wastecoach/wastecoach/internal/testdb"
	"github.com/wastecoach/wastecoach/internal/testredis"
	"github.com/wastecoach/wastecoach/services/recycling/rulebase"
)

const testLease = time.Second

// plant is real PostgreSQL and Redis, a model on the wire, and any number of workers.
type plant struct {
	redis *testredis.Redis
	pool  *pgxpool.Pool
	rules *rules
	model *openaitest.Server
	llm   modelprovider.Config
}

func setup(t *testing.T) *plant {
	t.Helper()
	db := testdb.New(t, "recycling")
	model, base := openaitest.Start(t)
	p := &plant{
		redis: testredis.New(t), pool: db.Pool("recycling"), model: model,
		llm: modelprovider.Config{
			Provider: modelprovider.OpenAI, BaseURL: base, Model: "test-model", Format: "json_schema",
			Timeout: 5 * time.Second, Concurrency: 4, MaxOutputTokens: 1000,
			BreakerFailures: 100, BreakerOpenFor: time.Second,
		},
	}
	p.rules = rulesOn(t, p.pool)
	return p
}

func (p *plant) redisConfig() redisdb.Config {
	return redisdb.Config{Addr: p.redis.Addr(), FirstDB: p.redis.FirstDB()}
}

// worker is as Work makes it, in a process of its own as far as the others can tell.
func (p *plant) worker(t *testing.T, name string) *worker {
	t.Helper()
	model, err := llm.New(p.llm, modelprovider.Deps{
		Log: discard(), Registerer: prometheus.NewRegistry(), Redis: p.redis.Client(1),
	})
	if err != nil {
		t.Fatal(err)
	}
	adviser := p.adviser(t, p.rules)
	adviser.model = model
	return &worker{
		name: name, lease: testLease, store: p.rules.store, rules: p.rules, adviser: adviser,
		progress: progress.NewStore(p.redis.Client(1)), tasks: adviser.desk.tasks, logger: discard(),
	}
}

// adviser is one process's, without a model.
func (p *plant) adviser(t *testing.T, r *rules) *adviser {
	t.Helper()
	tasks := queue.NewClient(p.redisConfig().Asynq())
	t.Cleanup(func() { _ = tasks.Close() })
	return &adviser{
		cache:   newAdviceCache(p.redis.Client(2), p.llm.ModelName(), "v1"),
		desk:    &desk{store: r.store, tasks: tasks, logger: discard()},
		metrics: newAdviceMetrics(prometheus.NewRegistry()), logger: discard(),
	}
}

func ask(class, label string) pipeline.AdviseRequest {
	return pipeline.AdviseRequest{
		JobRef:  pipeline.JobRef{JobID: uuid.Must(uuid.NewV7()), Dispatch: 1},
		Version: 50, RequestID: "request-1", Locale: "en",
		Found: pipeline.Found{Class: wasteClass(class), Label: label},
	}
}

func payload(t *testing.T, request pipeline.AdviseRequest) []byte {
	t.Helper()
	text, err := json.Marshal(request)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// sent reads what the waste queue holds for a job.
func (p *plant) sent(t *testing.T, id uuid.UUID) []pipeline.CompleteRequest {
	t.Helper()
	inspector := asynq.NewInspector(p.redisConfig().Asynq())
	defer inspector.Close()
	// asynq's client names a queue once only, so after a flush the inspector would not know it.
	if err := p.redis.Client(1).SAdd(t.Context(), "asynq:queues", queue.Waste).Err(); err != nil {
		t.Fatal(err)
	}
	waiting, err := inspector.ListPendingTasks(queue.Waste, asynq.PageSize(1000))
	if err != nil {
		t.Fatal(err)
	}
	var found []pipeline.CompleteRequest
	for _, task := range waiting {
		var request pipeline.CompleteRequest
		if err := json.Unmarshal(task.Payload, &request); err != nil {
			t.Fatal(err)
		}
		if request.JobID != id {
			continue
		}
		want := fmt.Sprintf("%s:complete:%d:", id, request.Dispatch)
		if !strings.HasPrefix(task.ID, want) {
			t.Errorf("task id %s, want %s and the attempt", task.ID, want)
		}
		if task.Type != pipeline.Complete {
			t.Errorf("task type %s", task.Type)
		}
		found = append(found, request)
	}
	return found
}

func (p *plant) onlyAdvice(t *testing.T, id uuid.UUID) pipeline.Advice {
	t.Helper()
	sent := p.sent(t, id)
	if len(sent) == 0 || sent[0].Advice == nil {
		t.Fatalf("%d tasks were sent on, want one with advice: %v", len(sent), sent)
	}
	for _, again := range sent {
		if !reflect.DeepEqual(again.Advice, sent[0].Advice) {
			t.Errorf("sent on with %v, and with %v", again.Advice, sent[0].Advice)
		}
	}
	return *sent[0].Advice
}

func counted(t *testing.T, counter prometheus.Counter) float64 {
	t.Helper()
	var metric dto.Metric
	if err := counter.Write(&metric); err != nil {
		t.Fatal(err)
	}
	return metric.GetCounter().GetValue()
}

func stepIDs(advice pipeline.Advice) string {
	ids := make([]string, 0, len(advice.Steps))
	for _, step := range advice.Steps {
		ids = append(ids, step.ID)
	}
	return strings.Join(ids, " ")
}

func TestAdviseByModelThenByCache(t *testing.T) {
	t.Parallel()
	p := setup(t)
	w := p.worker(t, "a")
	first, second := ask("paper", "cardboard"), ask("paper", "corrugated_box")
	for _, request := range []pipeline.AdviseRequest{first, second} {
		if err := w.advise(t.Context(), payload(t, request)); err != nil {
			t.Fatal(err)
		}
	}
	fresh, cached := p.onlyAdvice(t, first.JobID), p.onlyAdvice(t, second.JobID)
	if fresh.Model != "test-model" || fresh.Cached || !cached.Cached {
		t.Errorf("model %s, cached %t then %t", fresh.Model, fresh.Cached, cached.Cached)
	}
	if fresh.ItemID != "corrugated_box" || stepIDs(fresh) != "remove_tape flatten bundle" {
		t.Errorf("advice on %s with steps %s", fresh.ItemID, stepIDs(fresh))
	}
	if fresh.Where == "" || fresh.Source == "" || len(fresh.Mistakes) == 0 || fresh.Why == "" {
		t.Errorf("advice lacks the rule's own words: %+v", fresh)
	}
	if calls := len(p.model.Calls()); calls != 1 {
		t.Errorf("%d calls of the model, want 1", calls)
	}
	keys := p.redis.Client(2).Keys(t.Context(), "advice:*").Val()
	if len(keys) != 1 || !strings.HasSuffix(keys[0], ":kr:en:test-model:v1") {
		t.Fatalf("cached under %v", keys)
	}
	if ttl := p.redis.Client(2).TTL(t.Context(), keys[0]).Val(); ttl < adviceTTL-time.Minute || ttl > adviceTTL {
		t.Errorf("cached for %s", ttl)
	}
	for source, want := range map[string]float64{sourceLLM: 1, sourceCache: 1, sourceRule: 0} {
		if got := counted(t, w.adviser.metrics.advice.WithLabelValues(source)); got != want {
			t.Errorf("recycling_advice_total{source=%q} is %v, want %v", source, got, want)
		}
	}
}

func TestRuleAnswersForAFailingModel(t *testing.T) {
	t.Parallel()
	p := setup(t)
	invented := openaitest.Answer(`{"summary":"Sell it","why":"It is worth money","steps":[` +
		`{"id":"remove_tape","text":"Remove the tape"},{"id":"flatten","text":"Flatten it"},` +
		`{"id":"bundle","text":"Tie it"},{"id":"sell","text":"Sell it at the market"}]}`)
	for _, tc := range []struct {
		name      string
		behaviors []openaitest.Behavior
		kind      string
	}{
		{"down", []openaitest.Behavior{openaitest.ServerError()}, "unavailable"},
		{"limited", []openaitest.Behavior{openaitest.RateLimited(time.Second)}, "rate_limited"},
		{"garbage twice", []openaitest.Behavior{openaitest.Garbage(), openaitest.Garbage()}, "invalid_answer"},
		{"invented step twice", []openaitest.Behavior{invented, invented}, "invalid_answer"},
		{"refused", []openaitest.Behavior{openaitest.Refuse()}, "refused"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := p.worker(t, tc.name)
			p.model.Script(tc.behaviors...)
			request := ask("paper", "cardboard")
			if err := w.advise(t.Context(), payload(t, request)); err != nil {
				t.Fatal(err)
			}
			advice := p.onlyAdvice(t, request.JobID)
			if advice.Model != llm.RuleModel || advice.Cached {
				t.Errorf("model %s, cached %t", advice.Model, advice.Cached)
			}
			if stepIDs(advice) != "remove_tape flatten bundle" || strings.Contains(advice.Summary, "Sell") {
				t.Errorf("advice %q with steps %s", advice.Summary, stepIDs(advice))
			}
			if got := counted(t, w.adviser.metrics.failed.WithLabelValues(tc.kind)); got != 1 {
				t.Errorf("failures of kind %s: %v, want 1", tc.kind, got)
			}
			if keys := p.redis.Client(2).Keys(t.Context(), "advice:*").Val(); len(keys) != 0 {
				t.Errorf("the rule's own words are cached under %v", keys)
			}
		})
	}
}

// A worker that is killed after the model answered leaves a lease and, at best, a cache entry.
func TestTakeoverAfterAKilledWorker(t *testing.T) {
	t.Parallel()
	p := setup(t)
	request := ask("glass", "glass_bottle")
	hash, err := requestHash(request)
	if err != nil {
		t.Fatal(err)
	}
	dead, err := p.rules.store.claimJob(t.Context(), request.JobID, hash, "dead", testLease)
	if err != nil {
		t.Fatal(err)
	}
	w := p.worker(t, "heir")
	if err := w.advise(t.Context(), payload(t, request)); err != nil {
		t.Fatal(err)
	}
	if sent := p.sent(t, request.JobID); len(sent) != 0 || len(p.model.Calls()) != 0 {
		t.Fatalf("the lease of another did not hold: %d sent, %d calls", len(sent), len(p.model.Calls()))
	}
	eventually(t, "the heir takes the job over", func() bool {
		if err := w.advise(t.Context(), payload(t, request)); err != nil {
			t.Fatal(err)
		}
		return len(p.sent(t, request.JobID)) == 1
	})
	err = p.rules.store.commitAdvice(t.Context(), dead, pipeline.Advice{ItemID: "from the dead"})
	if !errors.Is(err, errLeaseLost) {
		t.Errorf("a write of the dead worker gave %v, want %v", err, errLeaseLost)
	}
	if advice := p.onlyAdvice(t, request.JobID); advice.ItemID != "glass_bottle" {
		t.Errorf("advice on %s", advice.ItemID)
	}
}

// The cache is written before the commit, so a kill between the two does not pay twice.
func TestKillBetweenAnswerAndCommitPaysOnce(t *testing.T) {
	t.Parallel()
	p := setup(t)
	request := ask("metal", "can")
	doomed := p.worker(t, "doomed")
	item, err := p.rules.store.findItem(t.Context(), p.rules.base.Version, request.Found.Class, "can")
	if err != nil {
		t.Fatal(err)
	}
	_, err = doomed.adviser.advise(t.Context(), question{
		item: item, region: rulebase.Nationwide, locale: "en", job: request.JobID.String(),
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.worker(t, "heir").advise(t.Context(), payload(t, request)); err != nil {
		t.Fatal(err)
	}
	if calls := len(p.model.Calls()); calls != 1 {
		t.Errorf("%d calls of the model, want 1", calls)
	}
	p.onlyAdvice(t, request.JobID)
}

func TestLeaseIsKeptWhileTheModelThinks(t *testing.T) {
	t.Parallel()
	p := setup(t)
	p.model.Script(openaitest.Slow(3 * testLease))
	request := ask("vinyl", "snack_bag")
	done := make(chan error, 1)
	go func() { done <- p.worker(t, "slow").advise(t.Context(), payload(t, request)) }()
	eventually(t, "the model is asked", func() bool { return len(p.model.Calls()) == 1 })
	rival := p.worker(t, "rival")
	for {
		select {
		case err := <-done:
			if err != nil {
				t.Fatal(err)
			}
			if calls := len(p.model.Calls()); calls != 1 {
				t.Errorf("%d calls of the model, want 1", calls)
			}
			p.onlyAdvice(t, request.JobID)
			return
		default:
			if err := rival.advise(t.Context(), payload(t, request)); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestLostLeaseDropsTheTask(t *testing.T) {
	t.Parallel()
	p := setup(t)
	p.model.Script(openaitest.Hang())
	request := ask("vinyl", "snack_bag")
	done := make(chan error, 1)
	go func() { done <- p.worker(t, "old").advise(t.Context(), payload(t, request)) }()
	eventually(t, "the model is asked", func() bool { return len(p.model.Calls()) == 1 })
	_, err := p.pool.Exec(t.Context(),
		"UPDATE advice_jobs SET attempt = attempt + 1, worker = 'new' WHERE id = $1", request.JobID)
	if err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-done:
		if err != nil || len(p.sent(t, request.JobID)) != 0 {
			t.Errorf("advise = %v, %d tasks sent on; want nothing", err, len(p.sent(t, request.JobID)))
		}
	case <-time.After(testDeadline):
		t.Fatal("the handler goes on without its lease")
	}
}

func TestEndOfContextReleasesTheJob(t *testing.T) {
	t.Parallel()
	p := setup(t)
	p.model.Script(openaitest.Hang())
	request := ask("vinyl", "snack_bag")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- p.worker(t, "stopping").advise(ctx, payload(t, request)) }()
	eventually(t, "the model is asked", func() bool { return len(p.model.Calls()) == 1 })
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Fatalf("advise = %v, want an error that queues the task again", err)
	}
	var leased bool
	err := p.pool.QueryRow(t.Context(),
		"SELECT lease_until IS NOT NULL FROM advice_jobs WHERE id = $1", request.JobID).Scan(&leased)
	if err != nil || leased {
		t.Fatalf("leased %t, %v", leased, err)
	}
	if err := p.worker(t, "next").advise(t.Context(), payload(t, request)); err != nil {
		t.Fatal(err)
	}
	p.onlyAdvice(t, request.JobID)
}

func TestCommittedAdviceIsOnlySentOn(t *testing.T) {
	t.Parallel()
	p := setup(t)
	w := p.worker(t, "a")
	request := ask("eps", "styrofoam")
	if err := w.advise(t.Context(), payload(t, request)); err != nil {
		t.Fatal(err)
	}
	first := p.onlyAdvice(t, request.JobID)
	p.redis.Flush()
	request.Dispatch = 2
	for range 2 { // the second is a duplicate of the same dispatch
		if err := w.advise(t.Context(), payload(t, request)); err != nil {
			t.Fatal(err)
		}
	}
	again := p.onlyAdvice(t, request.JobID)
	if again.Summary != first.Summary || len(p.model.Calls()) != 1 {
		t.Errorf("after Redis was emptied: %q of %d calls, want %q of 1",
			again.Summary, len(p.model.Calls()), first.Summary)
	}
	request.Found = pipeline.Found{Class: "glass", Label: "glass_bottle"}
	request.Dispatch = 3
	if err := w.advise(t.Context(), payload(t, request)); err != nil {
		t.Fatal(err)
	}
	sent := p.sent(t, request.JobID)
	if last := sent[0]; !slices.ContainsFunc(sent, func(r pipeline.CompleteRequest) bool {
		return r.Dispatch == 3 && r.Advice.ItemID == "glass_bottle"
	}) {
		t.Errorf("another question of the same job was answered with %+v", last.Advice)
	}
}

func TestDuplicatesAtTheSameTimePayOnce(t *testing.T) {
	t.Parallel()
	p := setup(t)
	p.model.Mix(1, openaitest.Chance{Share: 1, Behavior: openaitest.Slow(200 * time.Millisecond)})
	w := p.worker(t, "a")
	requests := []pipeline.AdviseRequest{ask("food", "leftovers"), ask("food", "leftovers"), ask("food", "bread")}
	requests = append(requests, requests[0], requests[0])
	done := make(chan error, len(requests))
	for _, request := range requests {
		text := payload(t, request)
		go func() { done <- w.advise(t.Context(), text) }()
	}
	for range requests {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	for _, request := range requests[:3] {
		p.onlyAdvice(t, request.JobID)
	}
	if calls := len(p.model.Calls()); calls != 1 {
		t.Errorf("%d calls of the model for one item, want 1", calls)
	}
}

func TestProgress(t *testing.T) {
	t.Parallel()
	p := setup(t)
	p.model.Script(openaitest.Slow(500 * time.Millisecond))
	w := p.worker(t, "a")
	request := ask("lamp", "light_bulb")
	put := func(version int64) {
		body, err := json.Marshal(job.Job{
			ID: request.JobID, Status: job.Processing, Progress: 60, Stage: job.StageVision,
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := w.progress.Put(t.Context(), request.JobID, progress.Snapshot{
			Owner: uuid.Must(uuid.NewV4()), Version: version, Body: body,
		}); err != nil {
			t.Fatal(err)
		}
	}
	seen := func() (job.Job, int64) {
		var j job.Job
		snap, ok, err := w.progress.Get(t.Context(), request.JobID)
		if err != nil || !ok {
			t.Fatalf("snapshot: %t, %v", ok, err)
		}
		if err := json.Unmarshal(snap.Body, &j); err != nil {
			t.Fatal(err)
		}
		return j, snap.Version
	}
	put(request.Version)
	done := make(chan error, 1)
	text := payload(t, request)
	go func() { done <- w.advise(t.Context(), text) }()
	eventually(t, "70 % is shown", func() bool { j, version := seen(); return j.Progress == 70 && version == 51 })
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	j, version := seen()
	if j.Progress != 80 || version != 52 || j.Stage != job.StageAdvice || j.Status != job.Processing ||
		j.Message != job.Message(job.StageAdvice, "en") || j.UpdatedAt.IsZero() {
		t.Errorf("version %d shows %+v", version, j)
	}
	put(70)
	if err := w.advise(t.Context(), text); err != nil {
		t.Fatal(err)
	}
	if j, version := seen(); j.Progress != 60 || version != 70 {
		t.Errorf("a newer state was overwritten: version %d, %d %%", version, j.Progress)
	}
}

func TestBadPayloadsAreDeadLetters(t *testing.T) {
	t.Parallel()
	p := setup(t)
	w := p.worker(t, "a")
	unknown := ask("gold", "bar")
	nameless := ask("glass", "jar")
	nameless.JobID = uuid.Nil
	for name, text := range map[string][]byte{
		"not JSON": []byte("{"), "class": payload(t, unknown), "no job": payload(t, nameless),
	} {
		if err := w.advise(t.Context(), text); !errors.Is(err, asynq.SkipRetry) {
			t.Errorf("%s: %v, want a permanent error", name, err)
		}
	}
}

func TestForgetJobs(t *testing.T) {
	t.Parallel()
	p := setup(t)
	w := p.worker(t, "a")
	old, recent := ask("battery", "aa_battery"), ask("battery", "aa_battery")
	for _, request := range []pipeline.AdviseRequest{old, recent} {
		if err := w.advise(t.Context(), payload(t, request)); err != nil {
			t.Fatal(err)
		}
	}
	_, err := p.pool.Exec(t.Context(),
		"UPDATE advice_jobs SET updated_at = now() - interval '8 days' WHERE id = $1", old.JobID)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := w.store.forgetJobs(t.Context(), 7*24*time.Hour); err != nil || n != 1 {
		t.Errorf("forgot %d jobs, %v; want 1", n, err)
	}
}

// TestWork runs the worker as its binary does, with a task in the queue and an empty Redis at start.
func TestWork(t *testing.T) {
	t.Parallel()
	p := setup(t)
	cfg, err := LoadConfig([]string{
		"RECYCLING_POSTGRES_DSN=" + p.pool.Config().ConnString(),
		"RECYCLING_REDIS_ADDR=" + p.redis.Addr(),
		fmt.Sprintf("RECYCLING_REDIS_FIRST_DB=%d", p.redis.FirstDB()),
		"RECYCLING_HTTP_ADDR=127.0.0.1:0", "RECYCLING_LLM_SIMULATOR_LATENCY=10ms",
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- Work(ctx, cfg, discard()) }()
	tasks := queue.NewClient(p.redisConfig().Asynq())
	defer tasks.Close()
	request := ask("clear_pet", "clear_pet_bottle")
	if _, err := tasks.Enqueue(t.Context(), queue.Task{
		Type: pipeline.Advise, ID: request.JobID.String() + ":1", Queue: queue.Recycling,
		Payload: request, Timeout: time.Minute, MaxRetry: 5,
	}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the task is sent on", func() bool { return len(p.sent(t, request.JobID)) == 1 })
	if advice := p.onlyAdvice(t, request.JobID); advice.Model != "simulator" {
		t.Errorf("advice by %s", advice.Model)
	}
	cancel()
	if err := <-done; err != nil {
		t.Errorf("Work = %v", err)
	}
}

func TestServe(t *testing.T) {
	t.Parallel()
	environ := []string{
		"RECYCLING_POSTGRES_DSN=" + testdb.New(t, "recycling").DSN("recycling"),
		"RECYCLING_HTTP_ADDR=127.0.0.1:0",
	}
	cfg, err := LoadConfig(environ)
	if err != nil {
		t.Fatal(err)
	}
	var log lockedBuffer
	logger := slog.New(slog.NewTextHandler(&log, nil))
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- Serve(ctx, cfg, logger) }()
	eventually(t, "the rules are loaded and the port is open", func() bool {
		return strings.Contains(log.String(), "rules loaded") && strings.Contains(log.String(), "listening")
	})
	cancel()
	if err := <-done; err != nil {
		t.Errorf("Serve = %v", err)
	}
	for _, line := range []string{"RECYCLING_LEASE=1ms", "RECYCLING_LLM_PROVIDER=oracle", "RECYCLING_LEASE=x"} {
		if _, err := LoadConfig(append(environ, line)); err == nil {
			t.Errorf("%s is accepted", line)
		}
	}
}

// lockedBuffer is a log that a test reads while it is written.
type lockedBuffer struct {
	mu   sync.Mutex
	text strings.Builder
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}
