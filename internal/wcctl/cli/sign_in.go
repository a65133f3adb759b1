package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/wastecoach/wastecoach/internal/client"
)

const (
	callbackPath = "/login" // the path that the providers know (RFC 8252: any port)
	signInTime   = 5 * time.Minute
	// noListener is the redirect address of a login that we follow ourselves.
	noListener = "http://127.0.0.1" + callbackPath
)

// signIn logs a user in and keeps the login.
type signIn struct {
	con      *console
	client   *client.Client
	provider string // "" for the server's first that asks nobody, else its first
	// noBrowser keeps a browser from being opened here.
	noBrowser bool
	// asked tells that the user asked for it: a person will answer even where we see no terminal.
	asked bool
	// silent allows only a provider that asks nobody.
	silent bool
}

func (s *signIn) run(ctx context.Context) (client.Tokens, error) {
	provider, err := s.choose(ctx)
	if err != nil {
		return client.Tokens{}, err
	}
	var tokens client.Tokens
	if provider.Interactive {
		tokens, err = s.ask(ctx, provider)
	} else {
		tokens, err = s.client.FollowLogin(ctx, s.client.StartLogin(provider.ID, noListener))
	}
	if err != nil {
		return client.Tokens{}, err
	}
	server := s.client.BaseURL()
	return tokens, credentialsFile(s.con).login(server).put(ctx, tokens)
}

func (s *signIn) choose(ctx context.Context) (client.Provider, error) {
	providers, err := s.client.Providers(ctx)
	if err != nil {
		return client.Provider{}, err
	}
	known := make([]string, 0, len(providers))
	for _, p := range providers {
		known = append(known, p.ID)
	}
	if s.provider != "" {
		i := slices.Index(known, s.provider)
		if i < 0 {
			return client.Provider{}, usageErrorf("wcctl login",
				"the server has no login provider %q, only %s", s.provider, strings.Join(known, ", "))
		}
		return providers[i], nil
	}
	if len(providers) == 0 {
		return client.Provider{}, errors.New("the server has no login provider")
	}
	silent := slices.IndexFunc(providers, func(p client.Provider) bool { return !p.Interactive })
	return providers[max(silent, 0)], nil
}

// ask lets a person log in with a browser. It ends by the browser's visit to our listener, or, where
// the browser runs on another machine, by the address it ended at, pasted here.
func (s *signIn) ask(ctx context.Context, p client.Provider) (client.Tokens, error) {
	if s.silent || !s.asked && !s.con.interactive() {
		return client.Tokens{}, &Error{
			Cause: fmt.Errorf("%w, and logging in with %s needs a terminal", client.ErrLoggedOut, p.ID),
			Hint:  "wcctl login --server " + s.client.BaseURL(),
		}
	}
	ctx, cancel := context.WithTimeoutCause(ctx, signInTime,
		fmt.Errorf("nobody logged in within %s", signInTime))
	defer cancel()
	visits := make(chan *url.URL)
	redirect, stop, listening := listen(ctx, visits)
	if listening != nil {
		redirect, stop = noListener, func() {} // a pasted address still works
	}
	defer stop()
	flow := s.client.StartLogin(p.ID, redirect)
	fmt.Fprintf(s.con.err, "Log in with %s at this address:\n\n  %s\n\n"+
		"The browser is on another machine? Paste the address that it ends at here:\n", p.ID, flow.URL)
	s.openBrowser(ctx, flow.URL)
	go func() {
		readAddresses(ctx, s.con.in, visits)
		if listening != nil {
			close(visits) // nobody else can come
		}
	}()
	return s.finish(ctx, flow, visits)
}

func (s *signIn) finish(
	ctx context.Context, flow client.Login, visits <-chan *url.URL,
) (client.Tokens, error) {
	for {
		select {
		case <-ctx.Done():
			return client.Tokens{}, context.Cause(ctx)
		case back, ok := <-visits:
			if !ok {
				return client.Tokens{}, errors.New("the input ended before a login")
			}
			tokens, err := s.client.FinishLogin(ctx, flow, back)
			if errors.Is(err, client.ErrForeignAddress) {
				fmt.Fprintf(s.con.err, "%v; paste the whole address:\n", err)
				continue
			}
			return tokens, err
		}
	}
}

// listen waits for the browser on a free loopback port.
func listen(ctx context.Context, visits chan<- *url.URL) (redirect string, stop func(), err error) {
	var lc net.ListenConfig
	listener, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, fmt.Errorf("listening for the browser: %w", err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+callbackPath, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		fmt.Fprintln(w, "로그인을 마쳤어요. 이 창을 닫고 터미널로 돌아가세요.\n"+
			"You may close this window and go back to the terminal.")
		select {
		case visits <- r.URL:
		case <-ctx.Done():
		}
	})
	srv := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = srv.Serve(listener) }() // ends with Close
	return "http://" + listener.Addr().String() + callbackPath, func() {
		const flush = time.Second
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), flush)
		defer cancel()
		_ = srv.Shutdown(ctx) // the browser's own page is all that could be lost
	}, nil
}

// readAddresses sends the pasted addresses until the input ends.
func readAddresses(ctx context.Context, in io.Reader, visits chan<- *url.URL) {
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		u, err := url.Parse(strings.TrimSpace(lines.Text()))
		if err != nil || lines.Text() == "" {
			continue
		}
		select {
		case visits <- u:
		case <-ctx.Done():
			return
		}
	}
}

// openBrowser tries where there is a desktop; the address is printed in any case.
func (s *signIn) openBrowser(ctx context.Context, address string) {
	program := "xdg-open"
	desktop := s.con.getenv("DISPLAY") != "" || s.con.getenv("WAYLAND_DISPLAY") != ""
	if runtime.GOOS == "darwin" {
		program, desktop = "open", s.con.getenv("SSH_CONNECTION") == ""
	}
	if s.noBrowser || !desktop {
		return
	}
	cmd := exec.CommandContext(ctx, program, address)
	if cmd.Start() == nil {
		go func() { _ = cmd.Wait() }()
	}
}
