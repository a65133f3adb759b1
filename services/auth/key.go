package auth

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/wastecoach/wastecoach/internal/audit"
)

const (
	// keysFresh is how long a replica trusts the signing keys it has read.
	keysFresh = time.Minute
	// jwksMaxAge is how long others may keep the published keys.
	jwksMaxAge = 5 * time.Minute
	// keysRetry is how soon it asks again after it could not, or for a kid it does not know.
	keysRetry = 5 * time.Second
	// keysTimeout bounds the wait of all who sign or verify for PostgreSQL.
	keysTimeout = 2 * time.Second
)

// signingKey is one key pair as it is stored.
type signingKey struct {
	ID        string
	Public    ed25519.PublicKey
	Sealed    []byte
	CreatedAt time.Time
	SignsFrom time.Time
}

// keySet is what a replica needs of the published keys.
type keySet struct {
	// signers are newest first. They are switched by the clock alone: a replica that has read a
	// new key signs with it in time even when PostgreSQL is away then.
	signers []signer
	public  map[string]ed25519.PublicKey
	// document is the JWKS.
	document []byte
	readAt   time.Time
}

type signer struct {
	id      string
	private ed25519.PrivateKey
	from    time.Time
}

// signer returns the newest key whose time has come, else the oldest: a replica whose clock is
// behind must be able to use the first key that another one made.
func (s *keySet) signer(now time.Time) signer {
	for _, key := range s.signers {
		if !key.from.After(now) {
			return key
		}
	}
	return s.signers[len(s.signers)-1]
}

// keyring signs and verifies with the keys that all replicas share. The first one that finds none
// makes one.
type keyring struct {
	store  *keyStore
	seal   seal
	audit  *audit.Log
	logger *slog.Logger
	now    func() time.Time

	mu  sync.Mutex
	set *keySet
}

// ErrMasterKey says that the private keys were sealed under another master key.
var ErrMasterKey = errors.New("AUTH_MASTER_KEY is not the one that sealed the signing keys")

// current returns the keys, at most keysFresh old; older ones while PostgreSQL is away.
func (k *keyring) current(ctx context.Context) (*keySet, error) { return k.within(ctx, keysFresh) }

func (k *keyring) within(ctx context.Context, age time.Duration) (*keySet, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.set != nil && k.now().Sub(k.set.readAt) < age {
		return k.set, nil
	}
	ctx, cancel := context.WithTimeout(ctx, keysTimeout)
	defer cancel()
	set, err := k.read(ctx)
	switch {
	case err == nil:
		k.noticeNew(ctx, set)
		k.set = set
	case k.set == nil:
		return nil, err
	default:
		k.logger.WarnContext(ctx, "signing keys not read again", "error", err)
		stale := *k.set
		stale.readAt = k.now().Add(keysRetry - keysFresh)
		k.set = &stale
	}
	return k.set, nil
}

func (k *keyring) read(ctx context.Context) (*keySet, error) {
	now := k.now().UTC()
	keys, err := k.store.Published(ctx, now)
	if err != nil {
		return nil, err
	}
	if len(keys) == 0 {
		if err := k.makeFirst(ctx, now); err != nil {
			return nil, err
		}
		if keys, err = k.store.Published(ctx, now); err != nil {
			return nil, err
		}
	}
	return k.open(keys, now)
}

func (k *keyring) makeFirst(ctx context.Context, now time.Time) error {
	key, err := newSigningKey(k.seal, now, now)
	if err != nil {
		return err
	}
	return k.store.AddFirst(ctx, key)
}

func newSigningKey(s seal, now, signsFrom time.Time) (signingKey, error) {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return signingKey{}, fmt.Errorf("making a signing key: %w", err)
	}
	web := jose.JSONWebKey{Key: public}
	name, err := web.Thumbprint(crypto.SHA256)
	if err != nil {
		return signingKey{}, fmt.Errorf("naming a signing key: %w", err)
	}
	id := base64.RawURLEncoding.EncodeToString(name)
	return signingKey{
		ID: id, Public: public, Sealed: s.close(private.Seed(), []byte(id)), CreatedAt: now, SignsFrom: signsFrom,
	}, nil
}

// noticeNew audits a rotation, which an operator makes in the database: each replica tells when it
// begins to publish the key.
func (k *keyring) noticeNew(ctx context.Context, set *keySet) {
	if k.set == nil {
		return
	}
	for _, key := range set.signers {
		if _, known := k.set.public[key.id]; !known {
			k.audit.Write(ctx, audit.Event{
				Name: audit.KeysRotated, Outcome: audit.Done, Actor: audit.Operator, Subject: "key:" + key.id,
			})
		}
	}
}

// open unseals the keys and renders them as a JWKS. keys are newest first.
func (k *keyring) open(keys []signingKey, now time.Time) (*keySet, error) {
	if len(keys) == 0 {
		return nil, errors.New("no signing key is published")
	}
	set := &keySet{public: map[string]ed25519.PublicKey{}, readAt: now}
	var published jose.JSONWebKeySet
	for _, key := range keys {
		private, err := key.open(k.seal)
		if err != nil {
			return nil, err
		}
		set.signers = append(set.signers, signer{key.ID, private, key.SignsFrom})
		set.public[key.ID] = key.Public
		published.Keys = append(published.Keys, jose.JSONWebKey{
			Key: key.Public, KeyID: key.ID, Algorithm: string(jose.EdDSA), Use: "sig",
		})
	}
	var err error
	if set.document, err = json.Marshal(published); err != nil {
		return nil, fmt.Errorf("rendering the JWKS: %w", err)
	}
	return set, nil
}

// open unseals the private key, or returns ErrMasterKey.
func (key signingKey) open(s seal) (ed25519.PrivateKey, error) {
	seed, err := s.open(key.Sealed, []byte(key.ID))
	if err != nil || len(seed) != ed25519.SeedSize {
		return nil, fmt.Errorf("opening signing key %s: %w", key.ID, ErrMasterKey)
	}
	return ed25519.NewKeyFromSeed(seed), nil
}

// VerifySignature implements oidc.KeySet for our own routes.
func (k *keyring) VerifySignature(ctx context.Context, raw string) ([]byte, error) {
	parsed, err := jose.ParseSignedCompact(raw, []jose.SignatureAlgorithm{jose.EdDSA})
	if err != nil {
		return nil, fmt.Errorf("parsing a token: %w", err)
	}
	id := parsed.Signatures[0].Header.KeyID
	set, err := k.current(ctx)
	if err != nil {
		return nil, err
	}
	if _, ok := set.public[id]; !ok {
		// Another replica may have changed the keys a moment ago.
		if set, err = k.within(ctx, keysRetry); err != nil {
			return nil, err
		}
	}
	public, ok := set.public[id]
	if !ok {
		return nil, fmt.Errorf("no key %q is published", id)
	}
	return parsed.Verify(public)
}

// ready is a readiness check: without a key nobody can log in.
func (k *keyring) ready(ctx context.Context) error {
	_, err := k.current(ctx)
	return err
}
