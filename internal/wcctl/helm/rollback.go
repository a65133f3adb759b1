package helm

import (
	"context"
	"fmt"

	"helm.sh/helm/v4/pkg/action"
	"helm.sh/helm/v4/pkg/kube"
)

// Rollback makes a new revision with what an earlier one had, and waits until all of it is ready.
func (c *Client) Rollback(ctx context.Context, namespace, name string, to int, o Options) error {
	cfg, _, err := c.open(namespace)
	if err != nil {
		return err
	}
	found, err := history(cfg, name)
	if err != nil {
		return err
	}
	if err := mend(cfg, found); err != nil {
		return err
	}
	a := action.NewRollback(cfg)
	a.Version, a.Description, a.MaxHistory = to, o.Description, keptRevisions
	a.Timeout, a.DisableHooks, a.WaitForJobs = o.Timeout, o.NoHooks, true
	a.WaitStrategy, a.WaitOptions = kube.StatusWatcherStrategy, waiting(ctx)
	a.ServerSideApply, a.ForceConflicts = "true", true
	if err := a.Run(name); err != nil {
		return fmt.Errorf("rolling the release %s back to revision %d: %w", name, to, err)
	}
	return nil
}
