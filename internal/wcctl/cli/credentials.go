package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/google/renameio/v2"

	"github.com/wastecoach/wastecoach/internal/client"
)

// credentials is the file with the logins of all servers. Only its owner may read it.
type credentials struct{ path string }

// login is a client.TokenStore: the login of one server.
type login struct {
	file   credentials
	server string
}

type credentialsDocument struct {
	Servers map[string]client.Tokens `json:"servers"`
}

func credentialsFile(con *console) credentials {
	base := con.getenv("XDG_CONFIG_HOME")
	if !filepath.IsAbs(base) {
		base = filepath.Join(con.getenv("HOME"), ".config")
	}
	return credentials{filepath.Join(base, "wastecoach", "credentials.json")}
}

func (c credentials) login(server string) login { return login{c, server} }

// Update implements client.TokenStore.
func (l login) Update(
	ctx context.Context, change func(client.Tokens) (client.Tokens, error),
) (client.Tokens, error) {
	unlock, err := l.file.lock(ctx)
	if err != nil {
		return client.Tokens{}, err
	}
	defer unlock()
	doc, err := l.file.read()
	if err != nil {
		return client.Tokens{}, err
	}
	before := doc.Servers[l.server]
	after, err := change(before)
	if err != nil || after == before {
		return after, err
	}
	doc.Servers[l.server] = after
	if after == (client.Tokens{}) {
		delete(doc.Servers, l.server)
	}
	return after, l.file.write(doc)
}

// put stores tokens; the zero value forgets the login.
func (l login) put(ctx context.Context, tokens client.Tokens) error {
	_, err := l.Update(ctx, func(client.Tokens) (client.Tokens, error) { return tokens, nil })
	return err
}

const lockPoll = 20 * time.Millisecond

// lock keeps two wcctl from refreshing one login at once: the server would take the second for a
// thief with a used token.
func (c credentials) lock(ctx context.Context) (unlock func(), err error) {
	if err := os.MkdirAll(filepath.Dir(c.path), 0o700); err != nil {
		return nil, fmt.Errorf("making the folder of the login: %w", err)
	}
	f, err := os.OpenFile(c.path+".lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("locking the login: %w", err)
	}
	ticker := time.NewTicker(lockPoll)
	defer ticker.Stop()
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return func() { _ = f.Close() }, nil // closing unlocks
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR) {
			return nil, errors.Join(fmt.Errorf("locking the login: %w", err), f.Close())
		}
		select {
		case <-ctx.Done():
			return nil, errors.Join(ctx.Err(), f.Close())
		case <-ticker.C:
		}
	}
}

func (c credentials) read() (credentialsDocument, error) {
	doc := credentialsDocument{Servers: map[string]client.Tokens{}}
	data, err := os.ReadFile(c.path)
	if errors.Is(err, fs.ErrNotExist) {
		return doc, nil
	}
	if err != nil {
		return doc, fmt.Errorf("reading the login: %w", err)
	}
	if err := json.Unmarshal(data, &doc); err != nil {
		return doc, &Error{Op: "reading " + c.path, Cause: err, Hint: "rm " + quote(c.path)}
	}
	if doc.Servers == nil {
		doc.Servers = map[string]client.Tokens{}
	}
	return doc, nil
}

func (c credentials) write(doc credentialsDocument) error {
	data, err := json.MarshalIndent(doc, "", "  ")
	if err != nil {
		return fmt.Errorf("encoding the login: %w", err)
	}
	if err := renameio.WriteFile(c.path, append(data, '\n'), 0o600); err != nil {
		return fmt.Errorf("keeping the login: %w", err)
	}
	return nil
}
