package auth

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"

	"github.com/wastecoach/wastecoach/internal/env"
	"github.com/wastecoach/wastecoach/internal/testdb"
	"github.com/wastecoach/wastecoach/internal/token"
)

func (w *world) rotate() Rotation {
	w.t.Helper()
	r, err := rotateKeys(w.t.Context(), w.keys.store, w.keys.seal, w.clock.now().UTC())
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

// published returns the ids in the JWKS, newest first.
func (w *world) published() []string {
	w.t.Helper()
	got := w.send(http.MethodGet, "/.well-known/jwks.json", "", nil)
	var set jose.JSONWebKeySet
	if err := json.Unmarshal(got.body, &set); err != nil {
		w.t.Fatal(err)
	}
	var ids []string
	for _, key := range set.Keys {
		ids = append(ids, key.KeyID)
	}
	return ids
}

func keyOf(t *testing.T, accessToken string) string {
	t.Helper()
	parsed, err := jose.ParseSignedCompact(accessToken, []jose.SignatureAlgorithm{jose.EdDSA})
	if err != nil {
		t.Fatal(err)
	}
	return parsed.Signatures[0].Header.KeyID
}

// A new key is published before it signs, and the old one until its last token has expired.
func TestRotateKeysSignsNobodyOut(t *testing.T) {
	t.Parallel()
	w := setup(t)
	remote := func() oidc.KeySet {
		return token.RemoteKeys(t.Context(), w.url+prefix+"/.well-known/jwks.json", w.clock.now)
	}
	keys := remote()
	// Another service knows the keys from before, or starts just now; new verifiers remember no token.
	good := func(when string, tokens Tokens) {
		t.Helper()
		for _, source := range []oidc.KeySet{keys, remote()} {
			verifier, err := token.NewVerifier(source, w.clock.now)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := verifier.Verify(t.Context(), tokens.AccessToken); err != nil {
				t.Errorf("%s: %v", when, err)
			}
		}
		w.list(tokens)
	}
	first := w.logIn(newLogin())
	old := keyOf(t, first.AccessToken)
	good("before", first)
	w.events()

	r := w.rotate()
	w.clock.advance(keysFresh)
	if got := w.published(); strings.Join(got, " ") != r.KeyID+" "+old {
		t.Fatalf("published %v, want %s and %s", got, r.KeyID, old)
	}
	w.wantEvents("keys_rotated done operator key:" + r.KeyID)
	second := w.tokens(w.refresh(first.RefreshToken))
	if got := keyOf(t, second.AccessToken); got != old {
		t.Errorf("it signs with %s before others can know that key", got)
	}
	good("published", first)

	w.clock.advance(r.SignsFrom.Sub(w.clock.now()) - time.Minute)
	last := w.tokens(w.refresh(second.RefreshToken))
	if got := keyOf(t, last.AccessToken); got != old {
		t.Errorf("it signs with %s too early", got)
	}
	w.clock.advance(time.Minute)
	fresh := w.logIn(newLogin())
	if got := keyOf(t, fresh.AccessToken); got != r.KeyID {
		t.Errorf("in its time it signs with %s", got)
	}
	good("signs", fresh)
	good("after the change", last)
	w.clock.advance(token.Lifetime - 2*time.Minute)
	good("a moment before the old key's last token expires", last)

	w.clock.advance(r.RetiredAt.Sub(w.clock.now()) + keysFresh)
	if got := w.published(); len(got) != 1 || got[0] != r.KeyID {
		t.Errorf("in the end published %v", got)
	}
	good("all over", w.tokens(w.refresh(last.RefreshToken)))

	w.rotate() // again, which forgets what is over
	var stored int
	err := w.pool.QueryRow(t.Context(), `SELECT count(*) FROM signing_keys`).Scan(&stored)
	if err != nil || stored != 2 {
		t.Errorf("%d keys are stored, %v", stored, err)
	}
}

// A replica that read the new key signs with it in time even when PostgreSQL is away.
func TestRotatedKeySignsWithoutTheDatabase(t *testing.T) {
	t.Parallel()
	db, c := testdb.New(t, "auth"), &clock{}
	keys := newKeyring(t, db, masterBytes, c.now)
	if _, err := keys.current(t.Context()); err != nil {
		t.Fatal(err)
	}
	r, err := rotateKeys(t.Context(), keys.store, keys.seal, c.now().UTC())
	if err != nil {
		t.Fatal(err)
	}
	c.advance(keysFresh)
	if _, err := keys.current(t.Context()); err != nil {
		t.Fatal(err)
	}
	keys.store.pool.Close()
	c.advance(keyLead)
	set, err := keys.current(t.Context())
	if err != nil || set.signer(c.now()).id != r.KeyID {
		t.Errorf("it does not sign with %s: %v", r.KeyID, err)
	}
}

const masterBytes = "0123456789abcdef0123456789abcdef" // what masterKey is in base64

func TestRotateKeysByDSN(t *testing.T) {
	t.Parallel()
	db := testdb.New(t, "auth")
	rotate := func(role, master string) (Rotation, error) {
		return RotateKeys(t.Context(), env.Secret(db.DSN(role)), env.Secret(master))
	}
	if _, err := rotate("auth", masterKey); !errors.Is(err, ErrNoKey) {
		t.Errorf("without a first key: %v", err)
	}
	keys := newKeyring(t, db, masterBytes, time.Now)
	if _, err := keys.current(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := rotate("auth", anotherKey); !errors.Is(err, ErrMasterKey) {
		t.Errorf("with another master key: %v", err)
	}
	if _, err := rotate("auth", "short"); err == nil || !strings.Contains(err.Error(), "openssl rand") {
		t.Errorf("with half a master key: %v", err)
	}
	if _, err := rotate("waste", masterKey); err == nil || !strings.Contains(err.Error(), "role auth") {
		t.Errorf("as another service: %v", err)
	}
	r, err := rotate("migrator", masterKey)
	if err != nil || len(r.Retiring) != 1 {
		t.Fatalf("%+v, %v", r, err)
	}
	_, err = rotate("auth", masterKey)
	if !errors.Is(err, ErrRotationPending) || !strings.Contains(err.Error(), r.KeyID) {
		t.Errorf("again: %v", err)
	}
	set, err := keys.within(t.Context(), 0)
	if err != nil || set.public[r.KeyID] == nil {
		t.Errorf("a replica does not publish %s: %v", r.KeyID, err)
	}
}

func TestRotationsAtOnceMakeOneKey(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.published() // makes the first
	const tries = 6
	errs := make([]error, tries)
	var group sync.WaitGroup
	for i := range tries {
		group.Go(func() {
			_, errs[i] = rotateKeys(t.Context(), w.keys.store, w.keys.seal, w.clock.now().UTC())
		})
	}
	group.Wait()
	made := 0
	for _, err := range errs {
		if err == nil {
			made++
		} else if !errors.Is(err, ErrRotationPending) {
			t.Error(err)
		}
	}
	if made != 1 {
		t.Errorf("%d keys were made at once", made)
	}
}
