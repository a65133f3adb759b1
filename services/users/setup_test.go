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
	"github.com/wastecoach/wastecoach/internal/httpserver"
	"github.com/wastecoach/wastecoach/internal/problem"
	"github.com/wastecoach/wastecoach/internal/testdb"
	"github.com/wastecoach/wastecoach/internal/token"
)

var contract = apitest.Must(apidoc.Document("users"))

func TestMain(m *testing.M) { os.Exit(testdb.Main(apitest.Covering(m, contract))) }

// world is the service with a database of its own and a stand-in for the waste service.
type world struct {
	t      *testing.T
	key    ed25519.PrivateKey
	pool   *pgxpool.Pool
	server *httpserver.Server
	url    string
	waste  *wasteStandIn
	user   uuid.UUID
}

func setup(t *testing.T) *world {
	t.Helper()
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{
		t: t, key: key, pool: testdb.New(t, "users").Pool("users"), waste: newWasteStandIn(t),
		user: uuid.Must(uuid.NewV7()),
	}
	w.start(w.waste.url)
	return w
}

func (w *world) start(wasteURL string) {
	w.t.Helper()
	var err error
	w.server, err = newServer(parts{
		cfg:  Config{WasteURL: wasteURL, WasteTimeout: wasteTimeout},
		pool: w.pool, keys: &oidc.StaticKeySet{PublicKeys: []crypto.PublicKey{w.key.Public()}},
		registry: prometheus.NewRegistry(), logger: slog.New(slog.DiscardHandler), now: time.Now,
	})
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
	raw, err := token.Sign(w.key, "k", token.Principal{UserID: user, Name: name}, time.Now())
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
	resp, err := http.DefaultClient.Do(req)
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
