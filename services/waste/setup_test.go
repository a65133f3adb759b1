package waste

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/gofrs/uuid/v5"

	"github.com/wastecoach/wastecoach/api"
	"github.com/wastecoach/wastecoach/internal/apitest"
	"github.com/wastecoach/wastecoach/internal/job"
	"github.com/wastecoach/wastecoach/internal/openaitest"
	"github.com/wastecoach/wastecoach/internal/pipeline"
	"github.com/wastecoach/wastecoach/internal/queue"
	"github.com/wastecoach/wastecoach/internal/redisdb"
	"github.com/wastecoach/wastecoach/internal/telemetry"
	"github.com/wastecoach/wastecoach/internal/testdb"
	"github.com/wastecoach/wastecoach/internal/testphoto"
	"github.com/wastecoach/wastecoach/internal/testredis"
	"github.com/wastecoach/wastecoach/internal/tests3"
	"github.com/wastecoach/wastecoach/internal/token"
	"github.com/wastecoach/wastecoach/internal/wasteclass"
)

var contract = apitest.Must(api.Document("waste"))

// unprovoked are answers that stand for what nobody has thought of.
var unprovoked = []string{"default"}

func TestMain(m *testing.M) { os.Exit(tests3.Main(apitest.Covering(m, contract, unprovoked...))) }

// patience bounds every wait of a test; nothing is expected to take it.
const testPatience = 30 * time.Second

// system is the waste API and its worker on real parts. The vision model, the recycling worker
// and the locations service stand at the wire.
type system struct {
	t     testing.TB
	cfg   Config
	db    *testdb.DB
	redis *testredis.Redis
	model *openaitest.Server
	url   string
	// bare serves without holding the exchanges against the document.
	bare *httptest.Server
	key  ed25519.PrivateKey
	user uuid.UUID
	// placesDown makes the locations service fail; advised counts the advice given.
	placesDown atomic.Bool
	advised    atomic.Int64
	// adviceTakes is how long the recycling worker is busy with one job.
	adviceTakes atomic.Int64
	// log is what the API and the worker logged.
	log lockedBuffer
}

type lockedBuffer struct {
	mu sync.Mutex
	bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.String()
}

// setup starts the API. Workers are started by work.
func setup(t testing.TB, environ ...string) *system {
	t.Helper()
	return setupOn(t, testdb.New(t, "waste"), tests3.New(t), environ...)
}

// setupOn is setup on a database and a bucket that the test may take away.
func setupOn(t testing.TB, db *testdb.DB, bucket tests3.Bucket, environ ...string) *system {
	t.Helper()
	s := &system{t: t, user: uuid.Must(uuid.NewV7()), db: db, redis: testredis.New(t)}
	var modelURL string
	s.model, modelURL = openaitest.Start(t)
	locations := httptest.NewServer(http.HandlerFunc(s.nearby))
	t.Cleanup(locations.Close)
	cfg, err := LoadConfig(append([]string{
		"WASTE_POSTGRES_DSN=" + s.db.DSN("waste"),
		"WASTE_REDIS_ADDR=" + s.redis.Addr(),
		fmt.Sprintf("WASTE_REDIS_FIRST_DB=%d", s.redis.FirstDB()),
		"WASTE_S3_ENDPOINT=" + bucket.Endpoint, "WASTE_S3_BUCKET=" + bucket.Name,
		"WASTE_S3_REGION=" + bucket.Region,
		"WASTE_S3_ACCESS_KEY=" + bucket.AccessKey, "WASTE_S3_SECRET_KEY=" + bucket.SecretKey,
		"WASTE_VISION_PROVIDER=openai", "WASTE_VISION_BASE_URL=" + modelURL,
		"WASTE_VISION_MODEL=test-model", "WASTE_VISION_TIMEOUT=5s",
		"WASTE_JWKS_URL=unused", "WASTE_LOCATIONS_URL=" + locations.URL,
		"WASTE_HTTP_ADDR=127.0.0.1:0", "WASTE_WORKER_SHUTDOWN_TIMEOUT=2s",
		"WASTE_JOBS_LEASE=2s", "WASTE_JOBS_UPLOAD_GRACE=1s", "WASTE_JOBS_RECONCILE_INTERVAL=100ms",
	}, environ...))
	if err != nil {
		t.Fatal(err)
	}
	s.cfg = cfg
	s.serve()
	return s
}

func (s *system) serve() {
	t := s.t
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	s.key = private
	keys := &oidc.StaticKeySet{PublicKeys: []crypto.PublicKey{public}}
	verifier, err := token.NewVerifier(keys, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	p, err := open(t.Context(), s.cfg, "waste")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.close)
	server, err := p.server(s.cfg, verifier, s.logger("api"))
	if err != nil {
		t.Fatal(err)
	}
	contract.Routes(t, server.Routes())
	web := httptest.NewServer(contract.Wrap(t, server.Handler()))
	t.Cleanup(web.Close)
	s.url = web.URL + "/api/v1/waste"
	s.bare = httptest.NewServer(server.Handler())
	t.Cleanup(s.bare.Close)
}

func (s *system) logger(name string) *slog.Logger {
	level := slog.LevelError + 4
	if testing.Verbose() {
		level = slog.LevelInfo
	}
	return telemetry.NewLogger(io.MultiWriter(s.t.Output(), &s.log), name, level)
}

// work starts a waste worker and stands in for the recycling worker. It returns what stops them.
func (s *system) work() func() {
	ctx, cancel := context.WithCancel(s.t.Context())
	ended := make(chan error, 1)
	go func() { ended <- Work(ctx, s.cfg, s.logger("worker")) }()
	stopAdvice := s.advise()
	stopped := false
	stop := func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-ended; err != nil {
			s.t.Errorf("the worker ended with %v", err)
		}
		stopAdvice()
	}
	s.t.Cleanup(stop)
	return stop
}

// advise answers the recycling queue as the recycling worker does.
func (s *system) advise() func() {
	redis := s.cfg.Redis.Asynq()
	tasks := queue.NewClient(redis)
	server := queue.NewServer(queue.Config{
		Concurrency: 4, CheckInterval: 50 * time.Millisecond, ShutdownTimeout: 2 * time.Second,
	}, queue.Recycling, redis, s.logger("advice"), telemetry.NewRegistry())
	server.Handle(pipeline.Advise, func(ctx context.Context, payload []byte) error {
		var r pipeline.AdviseRequest
		if err := json.Unmarshal(payload, &r); err != nil {
			return queue.Permanent(err)
		}
		s.advised.Add(1)
		select {
		case <-time.After(time.Duration(s.adviceTakes.Load())):
		case <-ctx.Done():
			return ctx.Err()
		}
		_, err := tasks.Enqueue(ctx, queue.Task{
			Type: pipeline.Complete, Queue: queue.Waste, Timeout: 10 * time.Second,
			ID: fmt.Sprintf("%s:complete:%d", r.JobID, r.Dispatch), JobID: r.JobID.String(),
			Payload: pipeline.CompleteRequest{JobRef: r.JobRef, Advice: &pipeline.Advice{
				ItemID: "item", ItemName: "Item " + r.Locale, Class: r.Found.Class, Model: "rule",
				Steps: []pipeline.Step{{ID: "rinse", Text: "Rinse it"}}, Mistakes: []string{},
			}},
		})
		return err
	})
	ctx, cancel := context.WithCancel(s.t.Context())
	ended := make(chan error, 1)
	go func() { ended <- server.Run(ctx) }()
	return func() {
		cancel()
		if err := <-ended; err != nil {
			s.t.Errorf("the recycling worker ended with %v", err)
		}
		_ = tasks.Close()
	}
}

func (s *system) nearby(w http.ResponseWriter, r *http.Request) {
	if s.placesDown.Load() {
		http.Error(w, "down", http.StatusServiceUnavailable)
		return
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"points": []pipeline.Point{{
		ID: "p1", Name: "Point for " + r.URL.Query().Get("accepts"), DistanceM: 120,
		Lat: 37.5, Lng: 127, Accepts: []wasteclass.Class{},
	}}})
}

// answer is one exchange with the API.
type answer struct {
	t      testing.TB
	Status int
	Header http.Header
	Body   []byte
}

func (a answer) want(status int) answer {
	a.t.Helper()
	if a.Status != status {
		a.t.Fatalf("status %d, want %d: %s", a.Status, status, a.Body)
	}
	return a
}

// wantCode asserts a problem document.
func (a answer) wantCode(status int, code string) answer {
	a.t.Helper()
	a.want(status)
	var p struct{ Code string }
	a.into(&p)
	if p.Code != code {
		a.t.Fatalf("code %q, want %q: %s", p.Code, code, a.Body)
	}
	return a
}

func (a answer) into(v any) {
	a.t.Helper()
	if err := json.Unmarshal(a.Body, v); err != nil {
		a.t.Fatalf("reading %q: %v", a.Body, err)
	}
}

func (a answer) job() job.Job {
	a.t.Helper()
	var j job.Job
	a.into(&j)
	return j
}

func (s *system) token(user uuid.UUID) string {
	raw, err := token.Sign(s.key, "test", token.Principal{UserID: user}, time.Now())
	if err != nil {
		s.t.Fatal(err)
	}
	return raw
}

// call sends a request as s.user; header pairs follow the body.
func (s *system) call(method, path string, body any, headers ...string) answer {
	s.t.Helper()
	var content io.Reader
	switch b := body.(type) {
	case nil:
	case string:
		content = strings.NewReader(b)
	default:
		encoded, err := json.Marshal(b)
		if err != nil {
			s.t.Fatal(err)
		}
		content = bytes.NewReader(encoded)
	}
	r, err := http.NewRequestWithContext(s.t.Context(), method, s.url+path, content)
	if err != nil {
		s.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+s.token(s.user))
	if content != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
		if headers[i+1] == "" {
			r.Header.Del(headers[i])
		}
	}
	return s.send(r)
}

var noRedirects = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error {
	return http.ErrUseLastResponse
}}

func (s *system) send(r *http.Request) answer {
	s.t.Helper()
	response, err := noRedirects.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return answer{s.t, response.StatusCode, response.Header, content}
}

func announcement(data []byte) UploadRequest {
	sum := sha256.Sum256(data)
	return UploadRequest{
		SHA256: hex.EncodeToString(sum[:]), Size: int64(len(data)), ContentType: "image/jpeg",
	}
}

func (s *system) announce(data []byte) UploadTicket {
	s.t.Helper()
	var ticket UploadTicket
	s.call("POST", "/uploads", announcement(data)).want(http.StatusCreated).into(&ticket)
	return ticket
}

func (s *system) put(ticket UploadTicket, data []byte) answer {
	s.t.Helper()
	r, err := http.NewRequestWithContext(
		s.t.Context(), ticket.Method, ticket.URL, bytes.NewReader(data))
	if err != nil {
		s.t.Fatal(err)
	}
	for name, value := range ticket.Headers {
		r.Header.Set(name, value)
	}
	return s.send(r)
}

func (s *system) upload(data []byte) UploadTicket {
	s.t.Helper()
	ticket := s.announce(data)
	s.put(ticket, data).want(http.StatusOK)
	return ticket
}

func (s *system) analyze(upload uuid.UUID) answer {
	s.t.Helper()
	key := uuid.Must(uuid.NewV7()).String()
	return s.call("POST", "/analyses", map[string]any{
		"upload_id": upload, "locale": "en", "location": Location{37.5, 127},
	}, "Idempotency-Key", key)
}

func (s *system) get(id uuid.UUID, headers ...string) answer {
	s.t.Helper()
	return s.call("GET", "/analyses/"+id.String(), nil, headers...)
}

// await polls as the app does until ok, and checks that progress never goes back.
func (s *system) await(id uuid.UUID, ok func(job.Job) bool) job.Job {
	s.t.Helper()
	deadline := time.Now().Add(testPatience)
	var last job.Job
	for time.Now().Before(deadline) {
		j := s.get(id, "Prefer", "wait=1").want(http.StatusOK).job()
		if j.Progress < last.Progress && j.Attempt == last.Attempt {
			s.t.Fatalf("progress went back from %d to %d", last.Progress, j.Progress)
		}
		if j.Progress%10 != 0 {
			s.t.Fatalf("progress %d is not in steps of 10", j.Progress)
		}
		last = j
		if ok(j) {
			return j
		}
	}
	s.t.Fatalf("the job did not get there in %s: %+v", testPatience, last)
	return last
}

func (s *system) finished(id uuid.UUID) job.Job {
	s.t.Helper()
	return s.await(id, func(j job.Job) bool { return j.Status.Final() })
}

func (s *system) succeeded(id uuid.UUID) pipeline.Result {
	s.t.Helper()
	j := s.finished(id)
	if j.Status != job.Succeeded || j.Progress != 100 {
		s.t.Fatalf("the job ended as %s at %d: %+v", j.Status, j.Progress, j.Error)
	}
	var r pipeline.Result
	if err := json.Unmarshal(j.Result, &r); err != nil {
		s.t.Fatal(err)
	}
	return r
}

// query asks PostgreSQL as the superuser for one value.
func query[T any](s *system, sql string, args ...any) T {
	s.t.Helper()
	var v T
	err := s.db.Pool(testdb.Superuser).QueryRow(s.t.Context(), sql, args...).Scan(&v)
	if err != nil {
		s.t.Fatalf("%s: %v", sql, err)
	}
	return v
}

func (s *system) flushRedis() {
	for _, db := range []redisdb.DB{redisdb.Jobs, redisdb.Common} {
		if err := s.redis.Client(int(db)).FlushDB(s.t.Context()).Err(); err != nil {
			s.t.Fatal(err)
		}
	}
}

func jpegOf(seed uint64) []byte { return testphoto.JPEG(testphoto.Picture(seed), 92) }

func checksum(chunk []byte) uint32 { return crc32.ChecksumIEEE(chunk) }
