package cli

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/wastecoach/wastecoach/internal/client/clienttest"
)

// person is somebody who reads what `wcctl login` prints and types.
type person struct {
	server *clienttest.Server
	screen *bufio.Reader
	typed  io.Writer
	code   chan int
}

func startLogin(t *testing.T) *person {
	t.Helper()
	server := clienttest.New()
	t.Cleanup(server.Close)
	server.Interactive = true
	screen, stderr := io.Pipe()
	stdin, typed := io.Pipe()
	home := t.TempDir()
	getenv := func(name string) string {
		return map[string]string{"HOME": home, "WCCTL_SERVER": server.URL}[name]
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	p := &person{server: server, screen: bufio.NewReader(screen), typed: typed, code: make(chan int, 1)}
	go func() {
		p.code <- Run(ctx, []string{"login"}, getenv, stdin, io.Discard, stderr)
		_ = stderr.Close() // a pipe's Close does not fail
	}()
	return p
}

// readAddress returns the query of the address to open.
func (p *person) readAddress(t *testing.T) url.Values {
	t.Helper()
	for {
		line, err := p.screen.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		if opened, err := url.Parse(strings.TrimSpace(line)); err == nil && opened.Scheme == "http" {
			go func() { _, _ = io.Copy(io.Discard, p.screen) }()
			return opened.Query()
		}
	}
}

func (p *person) ends(t *testing.T, want int) {
	t.Helper()
	if got := <-p.code; got != want {
		t.Errorf("exit code %d, want %d", got, want)
	}
}

func TestABrowserHereEndsTheLogin(t *testing.T) {
	t.Parallel()
	p := startLogin(t)
	query := p.readAddress(t)
	res, err := http.Get(p.server.Visit(query))
	if err != nil {
		t.Fatal(err)
	}
	page, err := io.ReadAll(res.Body)
	if err != nil || !strings.Contains(string(page), "You may close this window") {
		t.Errorf("the browser shows %q, %v", page, err)
	}
	if err := res.Body.Close(); err != nil {
		t.Error(err)
	}
	p.ends(t, exitDone)
}

func TestAPastedAddressEndsTheLogin(t *testing.T) {
	t.Parallel()
	p := startLogin(t)
	query := p.readAddress(t)
	lines := "what?\n\nhttp://127.0.0.1/login?code=x&state=other\n" + p.server.Visit(query) + "\n"
	if _, err := io.WriteString(p.typed, lines); err != nil {
		t.Fatal(err)
	}
	p.ends(t, exitDone)
}

func TestARefusedLoginFails(t *testing.T) {
	t.Parallel()
	p := startLogin(t)
	query := p.readAddress(t)
	refusal := query.Get("redirect_uri") + "?error=access_denied&state=" + query.Get("state") + "\n"
	if _, err := io.WriteString(p.typed, refusal); err != nil {
		t.Fatal(err)
	}
	p.ends(t, exitFailed)
}
