package remote

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/wastecoach/wastecoach/internal/testprogram"
)

func TestRun(t *testing.T) {
	t.Parallel()
	c := dial(t, startSSHD(t).options(t))
	for name, test := range map[string]struct {
		command, stdin string
		want           Result
	}{
		"streams apart": {"echo out; echo err >&2", "", Result{Stdout: "out\n", Stderr: "err\n"}},
		"exit code":     {"exit 7", "", Result{ExitCode: 7}},
		"signal":        {"kill -TERM $$", "", Result{ExitCode: 128 + 15}},
		"input":         {"tr a-z A-Z", "hello", Result{Stdout: "HELLO"}},
		"unread input":  {"true", strings.Repeat("x", 4<<20), Result{}},
		"quotes":        {`printf '%s' "it's \$HOME"`, "", Result{Stdout: "it's $HOME"}},
		"several lines": {"a=1\necho $a\n", "", Result{Stdout: "1\n"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := c.Run(t.Context(), test.command, strings.NewReader(test.stdin))
			must(t, err)
			if got != test.want {
				t.Errorf("got %+v, want %+v", got, test.want)
			}
		})
	}
}

func TestRunBoundsItsOutput(t *testing.T) {
	t.Parallel()
	c := dial(t, startSSHD(t).options(t))
	got, err := c.Run(t.Context(), "head -c 20000000 /dev/zero; echo told >&2; exit 3", nil)
	must(t, err)
	if len(got.Stdout) != OutputLimit || !got.Truncated || got.Stderr != "told\n" || got.ExitCode != 3 {
		t.Errorf("got %d bytes, truncated %t, %q, code %d",
			len(got.Stdout), got.Truncated, got.Stderr, got.ExitCode)
	}
}

func TestOutputFails(t *testing.T) {
	t.Parallel()
	c := dial(t, startSSHD(t).options(t))
	_, err := c.Output(t.Context(), "echo no disk >&2\nexit 4", nil)
	var exit *ExitError
	if !errors.As(err, &exit) || exit.ExitCode != 4 {
		t.Fatalf("got %v", err)
	}
	if want := "worker-1: echo no disk >&2 …: exit code 4: no disk"; err.Error() != want {
		t.Errorf("got %q, want %q", err, want)
	}
}

func TestRunStopsWithItsContext(t *testing.T) {
	t.Parallel()
	c := dial(t, startSSHD(t).options(t))
	begun := filepath.Join(t.TempDir(), "begun")
	ended := begun + "-ended"
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	go func() {
		for ctx.Err() == nil {
			if _, err := os.Stat(begun); err == nil {
				cancel()
			}
		}
	}()
	_, err := c.Run(ctx, "trap 'touch "+ended+"; exit' TERM; touch "+begun+
		"; while :; do sleep 0.1; done", nil)
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v", err)
	}
	eventually(t, "the command is told to stop", func() bool {
		_, err := os.Stat(ended)
		return err == nil
	})
	if _, err := c.Output(t.Context(), "true", nil); err != nil {
		t.Errorf("the login did not survive: %v", err)
	}
}

func TestSudo(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		sudo string
		kind Kind
	}{
		"allowed":   {"#!/bin/sh\n[ \"$1 $2\" = '-n -H' ] || exit 9\nshift 2\nexec \"$@\"\n", ""},
		"forbidden": {"#!/bin/sh\necho 'sudo: a password is required' >&2\nexit 1\n", Sudo},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := startSSHD(t)
			testprogram.Write(t, filepath.Join(server.path, "sudo"), test.sudo)
			c := dial(t, server.options(t))
			// The server knows only the user who runs the test; what matters is what wcctl believes.
			c.options.Machine.SSH.User = "ubuntu"
			r, err := c.Run(t.Context(), "echo \"it's root\"", nil)
			var e *Error
			if errors.As(err, &e) {
				if e.Kind != test.kind || !strings.Contains(e.Hint, "sudo -n true") {
					t.Errorf("got %v with hint %q", e, e.Hint)
				}
				return
			}
			if err != nil || test.kind != "" || r.Stdout != "it's root\n" {
				t.Errorf("got %+v, %v", r, err)
			}
		})
	}
}

func TestContextEndsTheLogin(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	c, err := Dial(ctx, startSSHD(t).options(t))
	must(t, err)
	done := make(chan error, 1)
	go func() {
		_, err := c.Run(t.Context(), "sleep 60", nil)
		done <- err
	}()
	cancel()
	select {
	case err := <-done:
		if !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	case <-time.After(15 * time.Second):
		t.Error("the command goes on")
	}
	must(t, c.Close())
	must(t, c.Close())
}
