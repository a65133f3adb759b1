package proc_test

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

	"github.com/wastecoach/wastecoach/internal/wcctl/proc"
)

func TestAnInterruptEndsTheWholeGroup(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r, w := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		// The grandchild ignores the interrupt, as a hanging compiler might.
		ended <- proc.Command{Args: []string{
			"sh", "-c",
			"sh -c 'trap \"\" INT; echo $$; sleep 600' & wait",
		}}.Stream(ctx, w)
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
	err := proc.Command{Args: []string{"no-such-program", "--version"}}.Stream(t.Context(), io.Discard)
	var failed *proc.Error
	if !errors.As(err, &failed) {
		t.Fatalf("the error is %v", err)
	}
	if name, missing := failed.Missing(); !missing || name != "no-such-program" {
		t.Errorf("missing: %q, %v", name, missing)
	}
}
