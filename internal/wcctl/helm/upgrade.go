package helm

import (
	"context"
	"fmt"
	"time"

	"helm.sh/helm/v4/pkg/action"
	"helm.sh/helm/v4/pkg/kube"
	ri "helm.sh/helm/v4/pkg/release"
	"helm.sh/helm/v4/pkg/release/common"
	release "helm.sh/helm/v4/pkg/release/v1"
)

// Options is how a release is changed.
type Options struct {
	// Timeout bounds each wait: for a hook, and for everything to be ready.
	Timeout time.Duration
	// Description is kept in the history.
	Description string
	// NoHooks leaves the hooks out, e.g. the migration.
	NoHooks bool
	// NoWait ends when everything is applied: what becomes of it is somebody else's work.
	NoWait bool
}

// Upgrade installs the release or brings it to what the target says, by server-side apply, and waits
// until all of it is ready. It returns soon after ctx ends; the revision has failed then.
func (c *Client) Upgrade(ctx context.Context, t Target, o Options) (Revision, error) {
	cfg, _, err := c.open(t.Namespace)
	if err != nil {
		return Revision{}, err
	}
	found, err := history(cfg, t.Name)
	if err != nil {
		return Revision{}, err
	}
	if err := mend(cfg, found); err != nil {
		return Revision{}, err
	}
	loaded, err := t.Chart.load()
	if err != nil {
		return Revision{}, err
	}
	var result ri.Releaser
	if len(found) == 0 {
		result, err = install(ctx, cfg, t, o).RunWithContext(ctx, loaded, t.Values)
	} else {
		result, err = upgrade(ctx, cfg, t, o).RunWithContext(ctx, t.Name, loaded, t.Values)
	}
	if err != nil {
		return Revision{}, fmt.Errorf("deploying the release %s: %w", t.Name, err)
	}
	r, err := asRelease(result)
	if err != nil {
		return Revision{}, err
	}
	return revisionOf(r), nil
}

func install(ctx context.Context, cfg *action.Configuration, t Target, o Options) *action.Install {
	a := action.NewInstall(cfg)
	a.ReleaseName, a.Namespace, a.Description = t.Name, t.Namespace, o.Description
	a.Timeout, a.DisableHooks, a.WaitForJobs = o.Timeout, o.NoHooks, true
	a.WaitStrategy, a.WaitOptions = o.strategy(), waiting(ctx)
	a.ForceConflicts = true
	// What a killed first run made belongs to this release, and to nothing else.
	a.TakeOwnership = true
	return a
}

func upgrade(ctx context.Context, cfg *action.Configuration, t Target, o Options) *action.Upgrade {
	a := action.NewUpgrade(cfg)
	a.Namespace, a.Description, a.MaxHistory = t.Namespace, o.Description, keptRevisions
	a.Timeout, a.DisableHooks, a.WaitForJobs = o.Timeout, o.NoHooks, true
	a.WaitStrategy, a.WaitOptions = o.strategy(), waiting(ctx)
	a.ServerSideApply, a.ForceConflicts, a.ResetValues = "true", true, true
	a.TakeOwnership = true
	return a
}

func (o Options) strategy() kube.WaitStrategy {
	if o.NoWait {
		return kube.HookOnlyStrategy
	}
	return kube.StatusWatcherStrategy
}

func waiting(ctx context.Context) []kube.WaitOption {
	return []kube.WaitOption{kube.WithWaitContext(ctx)}
}

// mend ends a revision that a killed run left pending: Helm would refuse any other from then on. That
// nobody works on it is the caller's promise.
func mend(cfg *action.Configuration, found []*release.Release) error {
	if len(found) == 0 {
		return nil
	}
	last := found[len(found)-1]
	if !last.Info.Status.IsPending() {
		return nil
	}
	last.SetStatus(common.StatusFailed, "interrupted: "+last.Info.Description)
	if err := cfg.Releases.Update(last); err != nil {
		return fmt.Errorf("ending an interrupted revision of %s: %w", last.Name, err)
	}
	return nil
}
