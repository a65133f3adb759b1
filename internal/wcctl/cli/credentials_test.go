package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/wastecoach/wastecoach/internal/client"
)

func TestConcurrentUpdatesLoseNoLogin(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "new", "credentials.json")
	const servers = 20
	var group sync.WaitGroup
	for i := range servers {
		group.Go(func() {
			kept := credentials{path}.login(fmt.Sprintf("http://server-%d", i))
			if err := kept.put(t.Context(), client.Tokens{AccessToken: "a"}); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	doc, err := credentials{path}.read()
	if err != nil || len(doc.Servers) != servers {
		t.Errorf("%d logins, %v", len(doc.Servers), err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}

func TestAFailedChangeKeepsTheLogin(t *testing.T) {
	t.Parallel()
	kept := credentials{filepath.Join(t.TempDir(), "credentials.json")}.login("http://server")
	want := client.Tokens{AccessToken: "a", RefreshToken: "r"}
	if err := kept.put(t.Context(), want); err != nil {
		t.Fatal(err)
	}
	broken := errors.New("broken")
	_, err := kept.Update(t.Context(), func(client.Tokens) (client.Tokens, error) {
		return client.Tokens{}, broken
	})
	if !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
	doc, err := kept.file.read()
	if err != nil || doc.Servers["http://server"] != want {
		t.Errorf("kept %+v, %v", doc.Servers, err)
	}
}

func TestWaitingForTheLockEndsWithTheContext(t *testing.T) {
	t.Parallel()
	file := credentials{filepath.Join(t.TempDir(), "credentials.json")}
	unlock, err := file.lock(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := file.lock(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	unlock()
	again, err := file.lock(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	again()
}
