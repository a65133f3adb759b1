package recycling

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/gofrs/uuid/v5"
	"github.com/hibiken/asynq"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"

	"github.com/wastecoach/wastecoach/internal/llm"
	"github.com/wastecoach/wastecoach/internal/openaitest"
	"github.com/wastecoach/wastecoach/internal/pipeline"
	"github.com/wastecoach/wastecoach/internal/queue"
	"github.com/wastecoach/wastecoach/services/recycling/rulebase"
)

// web is one replica of the API.
func (p *plant) web(t *testing.T, r *rules) *httptest.Server {
	t.Helper()
	return serve(t, &api{
		service:   &service{store: r.store, rules: r, adviser: p.adviser(t, r)},
		retention: time.Hour, now: time.Now,
	})
}

func serve(t *testing.T, routes *api) *httptest.Server {
	t.Helper()
	server, err := newServer(routes, prometheus.NewRegistry(), nil)
	if err != nil {
		t.Fatal(err)
	}
	contract.Routes(t, server.Routes())
	web := httptest.NewServer(contract.Wrap(t, server.Handler()))
	t.Cleanup(web.Close)
	return web
}

func post(t *testing.T, web *httptest.Server, body string, want int) (map[string]any, http.Header) {
	t.Helper()
	return send(t, web, http.MethodPost, "/advice", body, want)
}

func send(
	t *testing.T, web *httptest.Server, method, path, body string, want int, header ...string,
) (map[string]any, http.Header) {
	t.Helper()
	request, err := http.NewRequest(method, web.URL+"/api/v1/recycling"+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(header); i += 2 {
		request.Header.Set(header[i], header[i+1])
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	if answer.StatusCode != want {
		t.Fatalf("%s %s %.100s: %d %s, want %d", method, path, body, answer.StatusCode, text, want)
	}
	var decoded map[string]any
	if len(text) > 0 {
		if err := json.Unmarshal(text, &decoded); err != nil {
			t.Fatal(err)
		}
	}
	return decoded, answer.Header
}

// waiting returns the tasks of POST /advice that are in the queue.
func (p *plant) waiting(t *testing.T) []answerRequest {
	t.Helper()
	inspector := asynq.NewInspector(p.redisConfig().Asynq())
	defer inspector.Close()
	// asynq's client names a queue once only, so after a flush the inspector would not know it.
	if err := p.redis.Client(1).SAdd(t.Context(), "asynq:queues", queue.Recycling).Err(); err != nil {
		t.Fatal(err)
	}
	tasks, err := inspector.ListPendingTasks(queue.Recycling, asynq.PageSize(100))
	if err != nil {
		t.Fatal(err)
	}
	var all []answerRequest
	for _, task := range tasks {
		var request answerRequest
		if err := json.Unmarshal(task.Payload, &request); err != nil || task.Type != taskAnswer {
			t.Fatalf("task %s: %v", task.Type, err)
		}
		all = append(all, request)
	}
	return all
}

func (p *plant) answer(t *testing.T, w *worker, id string) {
	t.Helper()
	text := fmt.Sprintf(`{"job_id": %q}`, id)
	if err := w.answer(t.Context(), []byte(text)); err != nil {
		t.Fatal(err)
	}
}

func testAdviceRoute(t *testing.T, p *plant, web *httptest.Server) {
	const wanted = `{"item_id": "clear_pet_bottle", "locale": "en"}`
	other := p.web(t, p.rules) // the second replica
	job, header := post(t, web, wanted, http.StatusAccepted)
	id, _ := job["id"].(string)
	path := "/advice/" + id
	if job["status"] != "queued" || job["progress"] != 0.0 || header.Get("Location") != "/api/v1/recycling"+path {
		t.Errorf("job %v at %s", job, header.Get("Location"))
	}
	same, _ := post(t, other, wanted, http.StatusAccepted)
	korean, _ := post(t, web, `{"item_id": "clear_pet_bottle"}`, http.StatusAccepted)
	if same["id"] != id || korean["id"] == id {
		t.Errorf("jobs %v, %v and in Korean %v", id, same["id"], korean["id"])
	}
	if tasks := p.waiting(t); len(tasks) != 2 {
		t.Errorf("%d tasks for two wishes: %v", len(tasks), tasks)
	}
	polled, header := send(t, other, http.MethodGet, path, "", http.StatusOK)
	if !reflect.DeepEqual(polled, job) || header.Get("Poll-After-Ms") != "500" {
		t.Errorf("polled %v, again after %s ms; want %v", polled, header.Get("Poll-After-Ms"), job)
	}
	etag := header.Get("ETag")
	send(t, web, http.MethodGet, path, "", http.StatusNotModified, "If-None-Match", etag)

	w := p.worker(t, "a")
	for range 2 { // the second is a duplicate
		p.answer(t, w, id)
	}
	done, header := send(t, web, http.MethodGet, path, "", http.StatusOK, "If-None-Match", etag)
	result, _ := done["result"].(map[string]any)
	if done["status"] != "succeeded" || done["progress"] != 100.0 || done["finished_at"] == nil ||
		header.Get("Poll-After-Ms") != "" || result["model"] != "test-model" || result["cached"] != false {
		t.Errorf("job %v", done)
	}
	advice, _ := post(t, other, wanted, http.StatusOK)
	if result["cached"] = true; !reflect.DeepEqual(advice, result) {
		t.Errorf("advice %v, want %v", advice, result)
	}
	if calls := len(p.model.Calls()); calls != 1 {
		t.Errorf("%d calls of the model, want 1", calls)
	}
	post(t, web, `{"item_id": "clear_pet_bottle", "locale": "en", "region": "kr-99999"}`, http.StatusOK)
	local, _ := post(t, web, `{"item_id": "clear_pet_bottle", "locale": "en", "region": "kr-11680"}`,
		http.StatusAccepted)
	id, _ = local["id"].(string)
	p.answer(t, w, id)
	local, _ = send(t, web, http.MethodGet, "/advice/"+id, "", http.StatusOK)
	if text := fmt.Sprint(local["result"]); !strings.Contains(text, "region_days") ||
		!strings.Contains(text, "Gangnam-gu, notice") {
		t.Errorf("advice in Gangnam-gu: %s", text)
	}
	testAdviceRefused(t, web)
}

func testAdviceRefused(t *testing.T, web *httptest.Server) {
	for body, want := range map[string]int{
		`{`: http.StatusBadRequest, `{"item_id": "x", "parts": []}`: http.StatusBadRequest,
		`{"item_id": "nothing"}`: http.StatusNotFound, `{"item_id": "\u0000"}`: http.StatusNotFound,
		`{}`: http.StatusUnprocessableEntity,
		`{"item_id": "receipt", "region": "kr-1"}`:           http.StatusUnprocessableEntity,
		`{"item_id": "receipt", "locale": "fr"}`:             http.StatusUnprocessableEntity,
		`{"item_id": "` + strings.Repeat("x", 70_000) + `"}`: http.StatusRequestEntityTooLarge,
	} {
		post(t, web, body, want)
	}
	send(t, web, http.MethodPost, "/advice", `{}`, http.StatusUnsupportedMediaType, "Content-Type", "text/plain")
	for _, id := range []string{"x", uuid.Must(uuid.NewV7()).String()} {
		send(t, web, http.MethodGet, "/advice/"+id, "", http.StatusNotFound)
	}
}

func TestRuleIsTheAdviceWithoutAModel(t *testing.T) {
	t.Parallel()
	p := setup(t)
	web := serve(t, &api{
		service: &service{store: p.rules.store, rules: p.rules, adviser: p.adviser(t, p.rules), ruleOnly: true},
		now:     time.Now,
	})
	advice, _ := post(t, web, `{"item_id": "receipt", "locale": "en"}`, http.StatusOK)
	if advice["model"] != llm.RuleModel || len(p.waiting(t)) != 0 {
		t.Errorf("advice %v with %d tasks", advice, len(p.waiting(t)))
	}
}

func TestAdviceOfAnAnalysisAnswersTheRoute(t *testing.T) {
	t.Parallel()
	p := setup(t)
	if err := p.worker(t, "a").advise(t.Context(), payload(t, ask("general", "receipt"))); err != nil {
		t.Fatal(err)
	}
	advice, _ := post(t, p.web(t, p.rules), `{"item_id": "receipt", "locale": "en"}`, http.StatusOK)
	if advice["cached"] != true {
		t.Errorf("advice %v", advice)
	}
}

// A job of an analysis is its owner's: the public route does not show it.
func TestJobsOfAnalysesAreNotShown(t *testing.T) {
	t.Parallel()
	p := setup(t)
	request := ask("general", "receipt")
	if err := p.worker(t, "a").advise(t.Context(), payload(t, request)); err != nil {
		t.Fatal(err)
	}
	send(t, p.web(t, p.rules), http.MethodGet, "/advice/"+request.JobID.String(), "", http.StatusNotFound)
}

func TestReplicasAskOnce(t *testing.T) {
	t.Parallel()
	p := setup(t)
	p.model.Mix(1, openaitest.Chance{Share: 1, Behavior: openaitest.Slow(300 * time.Millisecond)})
	const replicas = 4
	requests := make([]pipeline.AdviseRequest, replicas)
	done := make(chan error, replicas)
	for i := range requests {
		requests[i] = ask("food", "leftovers")
		w, text := p.worker(t, fmt.Sprint(i)), payload(t, requests[i])
		go func() { done <- w.advise(t.Context(), text) }()
	}
	cached := 0
	for range requests {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	for _, request := range requests {
		if p.onlyAdvice(t, request.JobID).Cached {
			cached++
		}
	}
	if calls := len(p.model.Calls()); calls != 1 || cached != replicas-1 {
		t.Errorf("%d calls of the model and %d cached answers for %d replicas", calls, cached, replicas)
	}
}

func TestFlightOfADeadProcessEnds(t *testing.T) {
	t.Parallel()
	p := setup(t)
	w, request := p.worker(t, "heir"), ask("food", "leftovers")
	item, err := w.store.findItem(t.Context(), p.rules.base.Version, "food", "leftovers")
	if err != nil {
		t.Fatal(err)
	}
	key, err := w.adviser.cache.key(item, rulebase.Nationwide, "en")
	if err != nil {
		t.Fatal(err)
	}
	err = p.redis.Client(2).Set(t.Context(), "flight:"+key, "dead", 300*time.Millisecond).Err()
	if err != nil {
		t.Fatal(err)
	}
	if err := w.advise(t.Context(), payload(t, request)); err != nil {
		t.Fatal(err)
	}
	if advice := p.onlyAdvice(t, request.JobID); advice.Model != "test-model" || len(p.model.Calls()) != 1 {
		t.Errorf("advice by %s after %d calls", advice.Model, len(p.model.Calls()))
	}
	if left := p.redis.Client(2).Exists(t.Context(), "flight:"+key).Val(); left != 0 {
		t.Error("the flight's lock is left behind")
	}
}

func TestLockIsKeptWhileItIsHeld(t *testing.T) {
	t.Parallel()
	p := setup(t)
	mine, theirs := p.adviser(t, p.rules).cache, p.adviser(t, p.rules).cache
	unlock, err := mine.lock(t.Context(), "k")
	if err != nil || unlock == nil {
		t.Fatalf("lock: %v", err)
	}
	short := 100 * time.Millisecond
	eventually(t, "some time of the lock is over", func() bool {
		return p.redis.Client(2).PTTL(t.Context(), "flight:k").Val() < flightLease-2*short
	})
	eventually(t, "the lock is renewed", func() bool {
		return p.redis.Client(2).PTTL(t.Context(), "flight:k").Val() > flightLease-short
	})
	if other, err := theirs.lock(t.Context(), "k"); err != nil || other != nil {
		t.Errorf("a held lock was given, %v", err)
	}
	unlock()
	if other, err := theirs.lock(t.Context(), "k"); err != nil || other == nil {
		t.Errorf("a free lock was not given, %v", err)
	} else {
		other()
	}
}

func TestStaleAdviceIsGivenAndAskedForAnew(t *testing.T) {
	t.Parallel()
	p := setup(t)
	w := p.worker(t, "a")
	if err := w.advise(t.Context(), payload(t, ask("general", "receipt"))); err != nil {
		t.Fatal(err)
	}
	later := func() time.Time { return time.Now().Add(adviceFresh + time.Minute) }
	w.adviser.cache.now = later
	for range 2 {
		request := ask("general", "receipt")
		if err := w.advise(t.Context(), payload(t, request)); err != nil {
			t.Fatal(err)
		}
		if advice := p.onlyAdvice(t, request.JobID); !advice.Cached || len(p.model.Calls()) != 1 {
			t.Errorf("cached %t after %d calls", advice.Cached, len(p.model.Calls()))
		}
	}
	tasks := p.waiting(t)
	if len(tasks) != 1 {
		t.Fatalf("%d tasks ask anew, want 1", len(tasks))
	}
	p.answer(t, w, tasks[0].JobID.String())
	if calls := len(p.model.Calls()); calls != 2 {
		t.Errorf("%d calls of the model, want 2", calls)
	}
	if err := w.advise(t.Context(), payload(t, ask("general", "receipt"))); err != nil {
		t.Fatal(err)
	}
	if tasks := p.waiting(t); len(tasks) != 1 || len(p.model.Calls()) != 2 {
		t.Errorf("the new answer is not fresh: %d tasks, %d calls", len(tasks), len(p.model.Calls()))
	}
}

func TestCacheKeepsItsBound(t *testing.T) {
	t.Parallel()
	p := setup(t)
	cache := p.adviser(t, p.rules).cache
	cache.answers = 3
	now := time.Now()
	cache.now = func() time.Time { return now }
	for n := range 5 {
		now = now.Add(time.Second)
		if err := cache.put(t.Context(), fmt.Sprintf("advice:%d", n), pipeline.Advice{ItemID: "x"}); err != nil {
			t.Fatal(err)
		}
	}
	for n := range 5 {
		advice, fresh, err := cache.get(t.Context(), fmt.Sprintf("advice:%d", n))
		if err != nil || (advice != nil) != (n >= 2) || fresh != (n >= 2) {
			t.Errorf("answer %d: %v, fresh %t, %v", n, advice, fresh, err)
		}
	}
	if keys := p.redis.Client(2).DBSize(t.Context()).Val(); keys != 4 {
		t.Errorf("%d keys, want 3 answers and their index", keys)
	}
	large := pipeline.Advice{ItemID: "x", Why: strings.Repeat("y", maxAnswerSize)}
	if err := cache.put(t.Context(), "advice:large", large); err == nil {
		t.Error("an answer over the bound is kept")
	}
	now = now.Add(adviceTTL + time.Second)
	if err := cache.put(t.Context(), "advice:6", pipeline.Advice{ItemID: "x"}); err != nil {
		t.Fatal(err)
	}
	if left := p.redis.Client(2).ZCard(t.Context(), answersKey).Val(); left != 1 {
		t.Errorf("the index names %d answers, want the one that has not run out", left)
	}
}

func TestBrokenCacheEntriesAreMisses(t *testing.T) {
	t.Parallel()
	p := setup(t)
	cache := p.adviser(t, p.rules).cache
	for _, text := range []string{"{", `{"item_id": "an older layout"}`} {
		if err := p.redis.Client(2).Set(t.Context(), "advice:k", text, 0).Err(); err != nil {
			t.Fatal(err)
		}
		if advice, _, err := cache.get(t.Context(), "advice:k"); err == nil || advice != nil {
			t.Errorf("%s is read as %v", text, advice)
		}
	}
}

func TestDailyBudgetLeavesTheRule(t *testing.T) {
	t.Parallel()
	p := setup(t)
	p.llm.InputPrice, p.llm.OutputPrice, p.llm.DailyBudgetMicroUSD = 1, 1, 1
	w, request := p.worker(t, "a"), ask("general", "receipt")
	if err := w.advise(t.Context(), payload(t, request)); err != nil {
		t.Fatal(err)
	}
	if advice := p.onlyAdvice(t, request.JobID); advice.Model != llm.RuleModel || len(p.model.Calls()) != 0 {
		t.Errorf("advice by %s after %d calls", advice.Model, len(p.model.Calls()))
	}
	if got := counted(t, w.adviser.metrics.failed.WithLabelValues("budget_exceeded")); got != 1 {
		t.Errorf("%v failures of kind budget_exceeded, want 1", got)
	}
}

func TestLostTaskIsSentAgain(t *testing.T) {
	t.Parallel()
	p := setup(t)
	web := p.web(t, p.rules)
	job, _ := post(t, web, `{"item_id": "receipt"}`, http.StatusAccepted)
	id, _ := job["id"].(string)
	p.redis.Flush()
	send(t, web, http.MethodGet, "/advice/"+id, "", http.StatusOK)
	if tasks := p.waiting(t); len(tasks) != 0 {
		t.Errorf("%d tasks are sent while the first may yet come", len(tasks))
	}
	for range 2 {
		_, err := p.pool.Exec(t.Context(),
			"UPDATE advice_jobs SET dispatched_at = dispatched_at - interval '16 s' WHERE id = $1 AND dispatch = 1", id)
		if err != nil {
			t.Fatal(err)
		}
		send(t, web, http.MethodGet, "/advice/"+id, "", http.StatusOK)
		post(t, web, `{"item_id": "receipt"}`, http.StatusAccepted)
		if tasks := p.waiting(t); len(tasks) != 1 || tasks[0].JobID.String() != id {
			t.Errorf("tasks %v, want one of %s", tasks, id)
		}
	}
}

func TestWishWithoutRedis(t *testing.T) {
	t.Parallel()
	p := setup(t)
	adviser := p.adviser(t, p.rules)
	away := redis.NewClient(&redis.Options{Addr: "127.0.0.1:1", MaxRetries: -1})
	t.Cleanup(func() { _ = away.Close() })
	tasks := queue.NewClient(asynq.RedisClientOpt{Addr: "127.0.0.1:1"})
	t.Cleanup(func() { _ = tasks.Close() })
	adviser.cache.redis, adviser.desk.tasks = away, tasks
	web := serve(t, &api{
		service: &service{store: p.rules.store, rules: p.rules, adviser: adviser}, now: time.Now,
	})
	job, _ := post(t, web, `{"item_id": "receipt", "locale": "en"}`, http.StatusAccepted)
	id, _ := job["id"].(string)
	w := p.worker(t, "a")
	w.adviser.cache.redis = away
	p.answer(t, w, id)
	done, _ := send(t, web, http.MethodGet, "/advice/"+id, "", http.StatusOK)
	if done["status"] != "succeeded" || len(p.model.Calls()) != 1 {
		t.Errorf("job %v after %d calls", done, len(p.model.Calls()))
	}
}

func TestItemOfOtherRulesFailsTheJob(t *testing.T) {
	t.Parallel()
	p := setup(t)
	w := p.worker(t, "a")
	j, err := w.adviser.desk.open(t.Context(), "advice:gone", wish{ItemID: "gone", Region: "kr", Locale: "en"})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		p.answer(t, w, j.ID.String())
	}
	failed, _ := send(t, p.web(t, p.rules), http.MethodGet, "/advice/"+j.ID.String(), "", http.StatusOK)
	problem, _ := failed["error"].(map[string]any)
	if failed["status"] != "failed" || problem["code"] != "item_not_found" || failed["finished_at"] == nil {
		t.Errorf("job %v", failed)
	}
}

func TestAnswerRefusesWhatIsNoJob(t *testing.T) {
	t.Parallel()
	p := setup(t)
	w := p.worker(t, "a")
	for _, text := range []string{"{", fmt.Sprintf(`{"job_id": %q}`, uuid.Must(uuid.NewV7()))} {
		if err := w.answer(t.Context(), []byte(text)); !errors.Is(err, asynq.SkipRetry) {
			t.Errorf("%s: %v, want a permanent error", text, err)
		}
	}
}

func TestJobThatTakesLong(t *testing.T) {
	t.Parallel()
	made := time.Now()
	j := adviceJob{ID: uuid.Must(uuid.NewV7()), attempt: 2, createdAt: made, updatedAt: made}
	for after, stalled := range map[time.Duration]bool{time.Second: false, time.Minute: true} {
		view, err := j.view(made.Add(after), time.Hour)
		if err != nil || view.Stalled != stalled || view.Progress != advising || view.Attempt != 2 {
			t.Errorf("after %s: %+v, %v", after, view, err)
		}
	}
}
