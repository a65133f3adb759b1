package bundle_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/wastecoach/wastecoach/internal/wcctl/bundle"
)

func TestAnInterruptEndsTheWholeGroup(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r, w := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		// The grandchild ignores the interrupt, as a hanging compiler might.
		ended <- bundle.Stream(ctx, w, "sh", "-c", "sh -c 'trap \"\" INT; echo $$; sleep 600' & wait")
	}()
	line, err := bufio.NewReader(r).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil {
		t.Fatal(err)
	}
	go func() { _, _ = io.Copy(io.Discard, r) }()
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("it ended with %v", err)
	}
	for deadline := time.Now().Add(10 * time.Second); syscall.Kill(pid, 0) == nil; {
		if time.Now().After(deadline) {
			t.Fatalf("process %d outlived its parent", pid)
		}
		<-time.After(10 * time.Millisecond)
	}
}

func TestAMissingProgramIsNamed(t *testing.T) {
	t.Parallel()
	err := bundle.Stream(t.Context(), io.Discard, "no-such-program", "--version")
	var failed *bundle.CommandError
	if !errors.As(err, &failed) {
		t.Fatalf("the error is %v", err)
	}
	if name, missing := failed.Missing(); !missing || name != "no-such-program" {
		t.Errorf("missing: %q, %v", name, missing)
	}
}
