package dev

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"syscall"
	"time"
)

const controlPoll = 50 * time.Millisecond

// Part is one line of a running stack's status.
type Part struct {
	Name  string `json:"name"`
	URL   string `json:"url,omitempty"`
	Ready bool   `json:"ready"`
	// Why tells what a part that is not ready answered.
	Why string `json:"why,omitempty"`
}

// Look asks each replica of a running stack whether it is ready.
func Look(ctx context.Context, info Info) []Part {
	all := make([]Part, 0, len(info.Replicas))
	client := &http.Client{Timeout: 5 * time.Second}
	for _, r := range info.Replicas {
		p := Part{Name: r.Name, URL: r.URL}
		if err := get(ctx, client, r.URL+"/readyz"); err != nil {
			p.Why = err.Error()
		}
		p.Ready = p.Why == ""
		all = append(all, p)
	}
	return all
}

func get(ctx context.Context, client *http.Client, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return err
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return errors.New("it answered " + resp.Status)
	}
	return nil
}

// ErrStillRunning says that a stack did not stop in time.
var ErrStillRunning = errors.New("it still runs")

// Stop asks the stack on a data folder to stop, or kills it, and waits until it is gone.
func Stop(ctx context.Context, data Folder, kill bool, budget time.Duration) (Owner, error) {
	owner, runs, err := FindOwner(data)
	if err != nil {
		return owner, err
	}
	if !runs {
		return owner, fmt.Errorf("%w on %s", ErrNotRunning, data)
	}
	sig := syscall.SIGTERM
	if kill {
		sig = syscall.SIGKILL
	}
	process, err := os.FindProcess(owner.PID)
	if err == nil {
		err = process.Signal(sig)
	}
	if err != nil && !errors.Is(err, os.ErrProcessDone) {
		return owner, fmt.Errorf("sending %s to process %d: %w", sig, owner.PID, err)
	}
	ctx, cancel := context.WithTimeout(ctx, budget)
	defer cancel()
	for sleep(ctx, controlPoll) {
		now, runs, err := FindOwner(data)
		if err != nil || !runs || now.PID != owner.PID {
			return owner, err
		}
	}
	return owner, fmt.Errorf("stopping process %d: %w", owner.PID, errors.Join(ErrStillRunning, ctx.Err()))
}
