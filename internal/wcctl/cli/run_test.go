package cli

import (
	"context"
	"syscall"
	"testing"
	"time"
)

// It is not parallel: the signals are this process's own.
func TestTheSecondCtrlCEndsAtOnce(t *testing.T) { //nolint:paralleltest // see above
	code := make(chan int, 1)
	ctx, stop := Interruptible(context.Background(), func(c int) { code <- c })
	defer stop()
	interrupt(t)
	select {
	case <-ctx.Done():
	case <-time.After(30 * time.Second):
		t.Fatal("the first one canceled nothing")
	}
	interrupt(t)
	select {
	case got := <-code:
		if got != exitInterrupted {
			t.Errorf("exit code %d", got)
		}
	case <-time.After(30 * time.Second):
		t.Fatal("the second one ended nothing")
	}
}

func interrupt(t *testing.T) {
	t.Helper()
	if err := syscall.Kill(syscall.Getpid(), syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
}
