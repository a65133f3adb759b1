package token

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
)

const (
	// keysTimeout bounds the fetch of the keys: requests wait for it.
	keysTimeout = 5 * time.Second
	// keysKept is how long an answer stands for further fetches. Every token that names an unknown
	// key asks for one, and anybody can make such tokens; a new key is published before it signs.
	keysKept = time.Second
	maxKeys  = 1 << 20
)

// RemoteKeys are the keys that the auth service publishes at url.
func RemoteKeys(ctx context.Context, url string, now func() time.Time) oidc.KeySet {
	return oidc.NewRemoteKeySet(oidc.ClientContext(ctx, &http.Client{
		Transport: &keeper{base: http.DefaultTransport, now: now}, Timeout: keysTimeout,
	}), url)
}

// keeper answers from what it got a moment ago. All its requests are the same one.
type keeper struct {
	base http.RoundTripper
	now  func() time.Time

	mu   sync.Mutex
	at   time.Time
	kept http.Response
	body []byte
}

// RoundTrip implements http.RoundTripper.
func (k *keeper) RoundTrip(r *http.Request) (*http.Response, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.body == nil || k.now().Sub(k.at) >= keysKept {
		if response, err := k.fetch(r); response != nil || err != nil {
			return response, err
		}
	}
	response := k.kept
	response.Request, response.Body = r, io.NopCloser(bytes.NewReader(k.body))
	return &response, nil
}

// fetch keeps a good answer and returns any other one.
func (k *keeper) fetch(r *http.Request) (*http.Response, error) {
	response, err := k.base.RoundTrip(r)
	if err != nil || response.StatusCode != http.StatusOK {
		return response, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(http.MaxBytesReader(nil, response.Body, maxKeys))
	if err != nil {
		return nil, fmt.Errorf("reading the keys: %w", err)
	}
	k.kept, k.body, k.at = *response, body, k.now()
	return nil, nil
}
