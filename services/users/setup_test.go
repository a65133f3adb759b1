package users

import (
	"crypto"
	"crypto/ed25519"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/gofrs/uuid/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"

	apidoc "github.com/wastecoach/wastecoach/api"
	"github.com/wastecoach/wastecoach/internal/apitest"
	"github.com/wastecoach/wastecoach/internal/env"
	"github.com/wastecoach/wastecoach/internal/erasure"
	"github.com/wastecoach/wastecoach/internal/httpserver"
	"github.com/wastecoach/wastecoach/internal/job"
	"github.com/wastecoach/wastecoach/internal/objectstore"
	"github.com/wastecoach/wastecoach/internal/problem"
	"github.com/wastecoach/wastecoach/internal/testdb"
	"github.com/wastecoach/wastecoach/internal/tests3"
	"github.com/wastecoach/wastecoach/internal/token"
)

var contract = apitest.Must(apidoc.Document("users"))

func TestMain(m *testing.M) { os.Exit(tests3.Main(apitest.Covering(m, contract))) }

// world is the service with a database and a bucket of its own, and stand-ins for the other services.
type world struct {
	t      *testing.T
	key    ed25519.PrivateKey
	pool   *pgxpool.Pool
	cfg    Config
	parts  parts
	server *httpserver.Server
	url    string
	user   uuid.UUID
	now    func() time.Time
	waste  *wasteStandIn
	// asked is what the other services were asked to erase or count, in order.
	asked *askedLog
	peers map[string]*peer
}

func setup(t *testing.T) *world {
	t.Helper()
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{
		t: t, key: key, pool: testdb.New(t, "users").Pool("users"), user: uuid.Must(uuid.NewV7()),
		asked: &askedLog{}, peers: map[string]*peer{}, now: time.Now,
	}
	for _, name := range []string{"auth", "waste", "recycling"} {
		w.peers[name] = &peer{name: name, log: w.asked, data: `{"held_by":"` + name + `"}` + "\n"}
	}
	w.waste = newWasteStandIn(t, w.peers["waste"].handler())
	w.cfg = Config{
		S3: bucketConfig(tests3.New(t)), WasteTimeout: wasteTimeout,
		Auth: w.peers["auth"].serve(t), Recycling: w.peers["recycling"].serve(t),
		Deletion: DeletionConfig{Settle: 50 * time.Millisecond, Interval: 5 * time.Millisecond},
		Export:   ExportConfig{Keep: time.Hour, Interval: 5 * time.Millisecond},
	}
	w.start(w.waste.url)
	return w
}

func bucketConfig(b tests3.Bucket) objectstore.Config {
	return objectstore.Config{
		Endpoint: b.Endpoint, Region: b.Region, Bucket: b.Name,
		AccessKey: b.AccessKey, SecretKey: env.Secret(b.SecretKey),
	}
}

func (w *world) start(wasteURL string) {
	w.t.Helper()
	var err error
	w.cfg.Waste = erasure.Peer{URL: wasteURL, Token: peerToken}
	w.parts = parts{
		cfg: w.cfg, pool: w.pool,
		keys:     &oidc.StaticKeySet{PublicKeys: []crypto.PublicKey{w.key.Public()}},
		registry: prometheus.NewRegistry(), logger: slog.New(slog.DiscardHandler), now: w.now,
	}
	w.server, err = newServer(w.parts)
	if err != nil {
		w.t.Fatal(err)
	}
	listener := httptest.NewServer(contract.Wrap(w.t, w.server.Handler()))
	w.t.Cleanup(listener.Close)
	w.url = listener.URL
}

const wasteTimeout = 500 * time.Millisecond

// token is an access token of the user.
func (w *world) token(user uuid.UUID, name string) string {
	w.t.Helper()
	raw, err := token.Sign(w.key, "k", token.Principal{UserID: user, Name: name}, w.now())
	if err != nil {
		w.t.Fatal(err)
	}
	return raw
}

// answer is what the service said.
type answer struct {
	status  int
	header  http.Header
	body    []byte
	problem problem.Document
}

func (a answer) want(t *testing.T, status int, code string) {
	t.Helper()
	if a.status != status || a.problem.Code != code {
		t.Fatalf("got %d %s, want %d %s", a.status, a.body, status, code)
	}
}

func (w *world) send(method, target, bearer, body string) answer {
	w.t.Helper()
	req, err := http.NewRequestWithContext(
		w.t.Context(), method, w.url+"/api/v1/users"+target, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	if bearer != "" {
		req.Header.Set("Authorization", "Bearer "+bearer)
	}
	req.Header.Set("X-Request-Id", "request-of-the-test")
	resp, err := noRedirects.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	content, err := io.ReadAll(resp.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	got := answer{status: resp.StatusCode, header: resp.Header, body: content}
	if resp.Header.Get("Content-Type") == problem.ContentType {
		decode(w.t, content, &got.problem)
	}
	return got
}

var noRedirects = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error {
	return http.ErrUseLastResponse
}}

func (a answer) job(t *testing.T, status int) job.Job {
	t.Helper()
	if a.status != status {
		t.Fatalf("got %d %s, want %d", a.status, a.body, status)
	}
	var j job.Job
	decode(t, a.body, &j)
	return j
}

func decode(t *testing.T, body []byte, into any) {
	t.Helper()
	if err := json.Unmarshal(body, into); err != nil {
		t.Fatalf("decoding %q: %v", body, err)
	}
}

func (w *world) profile(got answer) Profile {
	w.t.Helper()
	if got.status != http.StatusOK {
		w.t.Fatalf("no profile: %d %s", got.status, got.body)
	}
	var p Profile
	decode(w.t, got.body, &p)
	return p
}
