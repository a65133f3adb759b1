// Package gitops brings releases to a cluster by Git: what shall run is written there, and Argo CD does it.
package gitops

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/wastecoach/wastecoach/internal/wcctl/helm"
)

// Release is the one that tells Argo CD where Git is. Helm itself brings it.
const Release = "gitops"

// The two folders of values, which are the ApplicationSets' names, too.
const (
	services = "services"
	platform = "platform"
)

const (
	// kept is how many commits of a file can be rolled back to.
	kept = 20
	// takesBack begins the line of a commit that says after which one all have failed.
	takesBack = "Takes-Back-To: "
	// askTimeout bounds a question that has no context of its own.
	askTimeout = 30 * time.Second
)

// Pending is a revision that Argo CD has not finished.
const Pending helm.Status = "pending"

// Helm is what is left to Helm itself.
type Helm interface {
	Upgrade(ctx context.Context, t helm.Target, o helm.Options) (helm.Revision, error)
	Rollback(ctx context.Context, namespace, name string, to int, o helm.Options) error
	History(namespace, name string) ([]helm.Revision, error)
	Diff(ctx context.Context, t helm.Target) ([]helm.Change, error)
	Compare(ctx context.Context, t helm.Target, before map[string]any) ([]helm.Change, error)
	Images(ctx context.Context, t helm.Target) ([]string, error)
	Unserved(ctx context.Context, t helm.Target) ([]schema.GroupKind, error)
	Apply(ctx context.Context, manifest []byte) error
}

// Delivery stands where Helm stands in package deploy: a revision of a release is a commit of its file.
type Delivery struct {
	Repo *Repo
	// Path is the folder of the values.
	Path string
	Argo Argo
	Helm Helm
	// Services are those releases whose files are in the folder of services.
	Services []string
	// Tell is told how far Argo CD is.
	Tell func(release, text string)
	// Poll is how often Argo CD is asked.
	Poll time.Duration
}

// group is the folder of a release's file.
func (d *Delivery) group(name string) string {
	if slices.Contains(d.Services, name) {
		return services
	}
	return platform
}

// File is where a release's values are in Git.
func (d *Delivery) File(name string) string { return path.Join(d.Path, d.group(name), name+".yaml") }

// under are the values of the chart that Argo CD lays the file over.
func under(t helm.Target) (map[string]any, error) {
	return t.Chart.Values("values/" + t.Name + ".yaml")
}

// Values are those of a release as Git has them; there is false where Git has none.
func (d *Delivery) Values(ctx context.Context, name string) (values map[string]any, there bool, err error) {
	head, err := d.Repo.Head(ctx)
	if err != nil {
		return nil, false, err
	}
	data, err := d.Repo.Read(ctx, head, d.File(name))
	if err != nil || data == nil {
		return nil, false, err
	}
	values, err = helm.ParseValues(data, d.File(name))
	return values, true, err
}

// Upgrade writes the target's values to Git and waits until Argo CD has brought them to the cluster.
func (d *Delivery) Upgrade(ctx context.Context, t helm.Target, o helm.Options) (helm.Revision, error) {
	if t.Name == Release {
		if err := d.Argo.there(ctx); err != nil {
			return helm.Revision{}, err
		}
		return d.Helm.Upgrade(ctx, t, o)
	}
	commit, err := d.Write(ctx, t, o)
	if err != nil {
		return helm.Revision{}, &NotWrittenError{err}
	}
	if err := d.wait(ctx, t.Name, commit, o.Timeout); err != nil {
		return helm.Revision{}, err
	}
	revisions, err := d.History(t.Namespace, t.Name)
	if err != nil || len(revisions) == 0 {
		return helm.Revision{}, err
	}
	return revisions[len(revisions)-1], nil
}

// NotWrittenError is a change that did not get into Git: there is nothing to take back.
type NotWrittenError struct{ Err error }

// Error implements error.
func (e *NotWrittenError) Error() string { return "writing to Git: " + e.Err.Error() }

// Unwrap returns the cause.
func (e *NotWrittenError) Unwrap() error { return e.Err }

// Write writes the target's values to Git and returns the commit that has them.
func (d *Delivery) Write(ctx context.Context, t helm.Target, o helm.Options) (string, error) {
	below, err := under(t)
	if err != nil {
		return "", err
	}
	return d.Repo.Change(ctx, d.File(t.Name), t.Name+": "+o.Description, func(old []byte) ([]byte, error) {
		want, err := hooks(t, below, old, o)
		if err != nil {
			return nil, err
		}
		return edit(old, below, want)
	})
}

// hooks says in the values whether the migration runs: Argo CD would run it in every sync, also on the way
// back to a version that is older than the schema, which refuses that.
func hooks(t helm.Target, below map[string]any, old []byte, o helm.Options) (map[string]any, error) {
	have, err := helm.ParseValues(old, "in Git")
	if err != nil {
		return nil, err
	}
	now, written := helm.Merge(below, have)["migrations"].(map[string]any)
	if !t.Chart.Knows("migrations.enabled") || !o.NoHooks && (!written || now["enabled"] == nil) {
		return t.Values, nil
	}
	return helm.Merge(t.Values, map[string]any{"migrations": map[string]any{"enabled": !o.NoHooks}}), nil
}

// Rollback takes back what was written after a revision, which did not become ready, and waits.
func (d *Delivery) Rollback(ctx context.Context, namespace, name string, to int, o helm.Options) error {
	if name == Release {
		return d.Helm.Rollback(ctx, namespace, name, to, o)
	}
	commits, err := d.Repo.Log(ctx, d.File(name), 0)
	if err != nil {
		return err
	}
	if to < 1 || to > len(commits) {
		return fmt.Errorf("no revision %d of %s is in Git", to, name)
	}
	good := commits[len(commits)-to]
	content, err := d.Repo.Read(ctx, good.Hash, d.File(name))
	if err != nil {
		return err
	}
	message := fmt.Sprintf("%s: %s\n\n%s%s", name, o.Description, takesBack, good.Hash)
	commit, err := d.Repo.Change(ctx, d.File(name), message, func([]byte) ([]byte, error) {
		if d.group(name) != services || !o.NoHooks {
			return content, nil
		}
		return edit(content, nil, map[string]any{"migrations": map[string]any{"enabled": false}})
	})
	if err != nil {
		return err
	}
	return d.wait(ctx, name, commit, o.Timeout)
}

// History lists the commits of a release's file, the oldest first. All but the last were replaced, those
// that were taken back have failed; how the last one stands, Argo CD says.
func (d *Delivery) History(namespace, name string) ([]helm.Revision, error) {
	if name == Release {
		return d.Helm.History(namespace, name)
	}
	ctx, cancel := context.WithTimeout(context.Background(), askTimeout)
	defer cancel()
	commits, err := d.Repo.Log(ctx, d.File(name), 0)
	if err != nil {
		return nil, err
	}
	good := "" // what a later commit went back to
	var revisions []helm.Revision
	for i, c := range commits[:min(kept, len(commits))] {
		content, err := d.Repo.Read(ctx, c.Hash, d.File(name))
		if err != nil {
			return nil, err
		}
		values, err := helm.ParseValues(content, d.File(name))
		if err != nil {
			return nil, err
		}
		if c.Hash == good {
			good = ""
		}
		r := helm.Revision{
			Revision: len(commits) - i, Status: helm.Superseded, Updated: c.When, Commit: short(c.Hash),
			Description: described(name, c), Values: values,
		}
		if good != "" {
			r.Status = helm.Failed
		}
		if _, to, ok := strings.Cut(c.Body, takesBack); ok {
			good = firstLine(to)
		}
		revisions = append(revisions, r)
	}
	slices.Reverse(revisions)
	if n := len(revisions); n > 0 {
		revisions[n-1].Status, err = d.standing(ctx, name, commits[0].Hash)
	}
	return revisions, err
}

// described is what a commit is for. One that wcctl has not made is a deployment like any other.
func described(name string, c Commit) string {
	if own, ok := strings.CutPrefix(c.Subject, name+": "); ok {
		return own
	}
	return "deployed by hand: " + c.Subject
}

// standing is how the newest commit stands.
func (d *Delivery) standing(ctx context.Context, name, commit string) (helm.Status, error) {
	a, err := d.Argo.application(ctx, name)
	if err != nil && !errors.Is(err, ErrNoArgoCD) {
		return "", err
	}
	if a == nil {
		return Pending, nil
	}
	done, failure := d.judge(ctx, a, commit)
	switch {
	case done:
		return helm.Deployed, nil
	case failure == nil:
		return Pending, nil
	}
	return helm.Failed, nil
}

// Diff tells what the target's values would change of what Git renders now.
func (d *Delivery) Diff(ctx context.Context, t helm.Target) ([]helm.Change, error) {
	if t.Name == Release {
		return d.Helm.Diff(ctx, t)
	}
	written, there, err := d.Values(ctx, t.Name)
	if err != nil || !there {
		return d.compare(ctx, t, nil, err)
	}
	below, err := under(t)
	return d.compare(ctx, t, helm.Merge(below, written), err)
}

func (d *Delivery) compare(
	ctx context.Context, t helm.Target, before map[string]any, err error,
) ([]helm.Change, error) {
	if err != nil {
		return nil, err
	}
	return d.Helm.Compare(ctx, t, before)
}

// Images lists the images of a target, as Helm does.
func (d *Delivery) Images(ctx context.Context, t helm.Target) ([]string, error) {
	return d.Helm.Images(ctx, t)
}

// Unserved lists the kinds of a target that the API server does not serve, as Helm does.
func (d *Delivery) Unserved(ctx context.Context, t helm.Target) ([]schema.GroupKind, error) {
	return d.Helm.Unserved(ctx, t)
}

// Apply applies objects that belong to no release, as Helm does.
func (d *Delivery) Apply(ctx context.Context, manifest []byte) error {
	return d.Helm.Apply(ctx, manifest)
}
