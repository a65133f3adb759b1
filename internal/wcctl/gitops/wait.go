package gitops

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// StandstillError is an Application that did not become what Git says.
type StandstillError struct {
	Release, Commit string
	// Standing is how it stands in a few words.
	Standing string
	// Troubles name what keeps it.
	Troubles []string
	// Err is the context's; nil where Argo CD gave up.
	Err error
}

// Error implements error.
func (e *StandstillError) Error() string {
	text := fmt.Sprintf("Argo CD has not brought %s to %s: %s", e.Release, short(e.Commit), e.Standing)
	for _, t := range e.Troubles {
		text += "\n    " + t
	}
	return text
}

// Unwrap returns the cause.
func (e *StandstillError) Unwrap() error { return e.Err }

// wait returns when the release is as the commit says, and ready.
func (d *Delivery) wait(ctx context.Context, name, commit string, timeout time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	tick := time.NewTicker(d.Poll)
	defer tick.Stop()
	told := ""
	last := status{}
	for refreshed := false; ; {
		a, err := d.Argo.application(ctx, name)
		switch {
		case errors.Is(err, ErrNoArgoCD):
			return err
		case err != nil: // an API server that is away; the timeout judges it
		case a == nil || !refreshed:
			refreshed = a != nil
			if err := d.Argo.refresh(ctx, d.group(name), name); err != nil && ctx.Err() == nil {
				return err
			}
		default:
			last = a.Status
			if now := last.text(); now != told {
				told = now
				d.Tell(name, "Argo CD: "+now)
			}
			if done, err := d.judge(ctx, a, commit); done || err != nil {
				return err
			}
		}
		select {
		case <-ctx.Done():
			standing := last.text()
			if standing == "" {
				standing = "there is no Application of that name yet"
			}
			return &StandstillError{
				Release: name, Commit: commit, Standing: standing, Troubles: last.troubles(), Err: context.Cause(ctx),
			}
		case <-tick.C:
		}
	}
}

// judge tells whether an Application is as the commit says, or will not become so by itself. Its newest
// commit may be a later one, which has this one in its history.
func (d *Delivery) judge(ctx context.Context, a *application, commit string) (done bool, err error) {
	s := a.Status
	operation := s.Operation
	if operation != nil && operation.Phase == running {
		return false, nil
	}
	if operation != nil && (operation.Phase == failed || operation.Phase == failedError) {
		part, err := d.has(ctx, ofValues(operation.Result.Revisions), commit)
		if err != nil || !part {
			return false, err
		}
		return false, &StandstillError{
			Release: a.Metadata.Name, Commit: commit, Troubles: s.troubles(),
			Standing: strings.TrimSuffix("the sync failed: "+firstLine(operation.Message), ": "),
		}
	}
	if s.Sync.Status != synced || s.Health.Status != healthy {
		return false, nil
	}
	return d.has(ctx, ofValues(s.Sync.Revisions), commit)
}

func (d *Delivery) has(ctx context.Context, revision, commit string) (bool, error) {
	if revision == "" {
		return false, nil
	}
	return d.Repo.Contains(ctx, revision, commit)
}
