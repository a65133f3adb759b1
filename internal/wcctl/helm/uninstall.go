package helm

import (
	"context"
	"errors"
	"fmt"

	"helm.sh/helm/v4/pkg/action"
	"helm.sh/helm/v4/pkg/kube"
	"helm.sh/helm/v4/pkg/storage/driver"
)

// Uninstall removes a release with its history; one that is not there is none to remove.
func (c *Client) Uninstall(ctx context.Context, namespace, name string, o Options) error {
	cfg, _, err := c.open(namespace)
	if err != nil {
		return err
	}
	a := action.NewUninstall(cfg)
	a.Timeout, a.DisableHooks, a.IgnoreNotFound = o.Timeout, o.NoHooks, true
	a.WaitStrategy, a.WaitOptions = kube.StatusWatcherStrategy, waiting(ctx)
	if _, err := a.Run(name); err != nil && !errors.Is(err, driver.ErrReleaseNotFound) {
		return fmt.Errorf("removing the release %s: %w", name, err)
	}
	return nil
}
