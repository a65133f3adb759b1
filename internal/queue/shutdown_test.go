package queue_test

import (
	"context"
	"testing"
	"time"

	"github.com/hibiken/asynq"

	"github.com/wastecoach/wastecoach/internal/queue"
)

func TestShutdownLetsHandlersFinish(t *testing.T) {
	t.Parallel()
	b := setup(t, queue.Config{})
	began, release := make(chan struct{}), make(chan struct{})
	var left error
	b.server.Handle("waste:test", func(ctx context.Context, _ []byte) error {
		close(began)
		<-release
		left = ctx.Err()
		return nil
	})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- b.server.Run(ctx) }()
	b.enqueue(t, queue.Task{ID: "job:1"})
	wait(t, "the task", began)
	cancel()
	select {
	case err := <-ended:
		t.Fatalf("Run left its handler behind: %v", err)
	case <-time.After(50 * time.Millisecond):
	}
	close(release)
	if err := wait(t, "the end of Run", ended); err != nil {
		t.Error(err)
	}
	if left != nil {
		t.Errorf("the handler's context ended with the worker's: %v", left)
	}
	if _, err := b.inspector.GetTaskInfo(queue.Waste, "job:1"); err == nil {
		t.Error("the finished task is still in the queue")
	}
}

func TestShutdownEndsHandlersInTime(t *testing.T) {
	t.Parallel()
	const timeout = 1500 * time.Millisecond
	b := setup(t, queue.Config{ShutdownTimeout: timeout})
	began, ending := make(chan struct{}), make(chan time.Time, 1)
	var handedBack bool
	b.server.Handle("waste:test", func(ctx context.Context, _ []byte) error {
		close(began)
		<-ctx.Done()
		ending <- time.Now()
		// Handing the job back takes longer than asynq waits for a slot.
		timer := time.NewTimer(200 * time.Millisecond)
		<-timer.C
		handedBack = true
		return ctx.Err()
	})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- b.server.Run(ctx) }()
	b.enqueue(t, queue.Task{ID: "job:1", MaxRetry: 5})
	wait(t, "the task", began)
	cancel()
	stopped := time.Now()
	if took := wait(t, "the end of the handler's context", ending).Sub(stopped); took >= timeout {
		t.Errorf("the handler heard of the stop after %s", took)
	}
	if err := wait(t, "the end of Run", ended); err != nil {
		t.Error(err)
	}
	if !handedBack {
		t.Error("Run ended before its handler")
	}
	b.eventually(t, "job:1", asynq.TaskStateRetry)
}
