package auth

import (
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/wastecoach/wastecoach/internal/audit"
	"github.com/wastecoach/wastecoach/internal/testdb"
	"github.com/wastecoach/wastecoach/internal/token"
)

func newKeyring(t *testing.T, db *testdb.DB, master string, now func() time.Time) *keyring {
	t.Helper()
	secrets, err := newSecrets([]byte(master))
	if err != nil {
		t.Fatal(err)
	}
	return &keyring{
		store: &keyStore{db.Pool("auth")}, seal: secrets.signingKeys,
		audit: audit.New(slog.New(slog.DiscardHandler)), logger: slog.New(slog.DiscardHandler), now: now,
	}
}

func TestReplicasMakeOneKey(t *testing.T) {
	t.Parallel()
	db := testdb.New(t, "auth")
	const replicas = 8
	sets := make([]*keySet, replicas)
	var group sync.WaitGroup
	for i := range replicas {
		keys := newKeyring(t, db, "one master key", time.Now)
		group.Go(func() {
			var err error
			if sets[i], err = keys.current(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	for _, set := range sets {
		if set == nil || !set.signers[0].private.Equal(sets[0].signers[0].private) {
			t.Fatal("two replicas have different keys")
		}
	}
	var stored int
	if err := db.Pool("auth").QueryRow(t.Context(), `SELECT count(*) FROM signing_keys`).Scan(&stored); err != nil {
		t.Fatal(err)
	}
	if stored != 1 {
		t.Errorf("%d keys are stored", stored)
	}
}

func TestKeyIsSealed(t *testing.T) {
	t.Parallel()
	db := testdb.New(t, "auth")
	if _, err := newKeyring(t, db, "one master key", time.Now).current(t.Context()); err != nil {
		t.Fatal(err)
	}
	_, err := newKeyring(t, db, "another master key", time.Now).current(t.Context())
	if !errors.Is(err, ErrMasterKey) {
		t.Errorf("under another master key: %v", err)
	}
}

func TestReplicasTrustEachOther(t *testing.T) {
	t.Parallel()
	w := setup(t)
	tokens := w.logIn(newLogin())
	_, _, w.url = w.replica(w.cfg)
	if got := w.list(tokens); len(got) != 1 {
		t.Errorf("sessions %+v", got)
	}
}

func TestUnknownKeyIsRefused(t *testing.T) {
	t.Parallel()
	w := setup(t)
	tokens := w.logIn(newLogin())
	_, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	set, err := w.keys.current(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, kid := range []string{"unknown", set.signers[0].id} {
		p := token.Principal{UserID: tokens.UserID, SessionID: tokens.SessionID.String()}
		forged, err := token.Sign(private, kid, p, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		w.send(http.MethodGet, "/sessions", forged, nil).want(t, http.StatusUnauthorized, "unauthorized")
	}
}

func TestJWKSHasNoPrivatePart(t *testing.T) {
	t.Parallel()
	w := setup(t)
	got := w.send(http.MethodGet, "/.well-known/jwks.json", "", nil)
	var set struct{ Keys []map[string]any }
	if err := json.Unmarshal(got.body, &set); err != nil {
		t.Fatal(err)
	}
	if len(set.Keys) != 1 || set.Keys[0]["d"] != nil || set.Keys[0]["kid"] == "" {
		t.Errorf("keys %v", set.Keys)
	}
	if got.header.Get("Cache-Control") != "public, max-age=300" {
		t.Errorf("Cache-Control %q", got.header.Get("Cache-Control"))
	}
}
