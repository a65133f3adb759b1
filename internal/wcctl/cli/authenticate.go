package cli

import (
	"context"
	"errors"
	"sync"

	"github.com/wastecoach/wastecoach/internal/client"
)

// keptLogin is a client.TokenSource that logs in where the kept login has ended, e.g. because
// wcctl dev has begun anew.
type keptLogin struct {
	session *client.Session
	signIn  signIn
	mu      sync.Mutex
}

// authenticate makes sure of a user. A person is asked now or never: later the progress display
// has the terminal.
func authenticate(
	ctx context.Context, con *console, c *client.Client, noBrowser bool,
) (client.TokenSource, error) {
	k := &keptLogin{
		session: client.NewSession(c, credentialsFile(con).login(c.BaseURL())),
		signIn:  signIn{con: con, client: c, noBrowser: noBrowser},
	}
	if _, err := k.Token(ctx, ""); err != nil {
		return nil, withHint("logging in", err, c.BaseURL())
	}
	k.signIn.silent = true
	return k, nil
}

// Token implements client.TokenSource.
func (k *keptLogin) Token(ctx context.Context, stale string) (string, error) {
	token, err := k.session.Token(ctx, stale)
	if !errors.Is(err, client.ErrLoggedOut) {
		return token, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	// Another goroutine may have logged in while this one waited.
	if token, err = k.session.Token(ctx, stale); !errors.Is(err, client.ErrLoggedOut) {
		return token, err
	}
	if _, err := k.signIn.run(ctx); err != nil {
		return "", err
	}
	return k.session.Token(ctx, stale)
}
