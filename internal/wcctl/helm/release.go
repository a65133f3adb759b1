package helm

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"helm.sh/helm/v4/pkg/action"
	ri "helm.sh/helm/v4/pkg/release"
	"helm.sh/helm/v4/pkg/release/common"
	release "helm.sh/helm/v4/pkg/release/v1"
	"helm.sh/helm/v4/pkg/storage/driver"
)

// Target is a release and what shall be in it.
type Target struct {
	Name, Namespace string
	Chart           Chart
	Values          map[string]any
}

// Status is how a revision ended.
type Status string

// The states of a revision.
const (
	Deployed   Status = Status(common.StatusDeployed)
	Superseded Status = Status(common.StatusSuperseded)
	Failed     Status = Status(common.StatusFailed)
)

// Revision is one state that a release was brought to.
type Revision struct {
	Revision    int       `json:"revision"`
	Status      Status    `json:"status"`
	Updated     time.Time `json:"updated"`
	Description string    `json:"description"`
	// Commit is the one that says so; empty where Helm itself keeps the history.
	Commit string `json:"commit,omitempty"`
	// Values are what was laid over the chart's own.
	Values   map[string]any `json:"-"`
	Manifest string         `json:"-"`
}

// Good tells whether the revision was complete once.
func (r Revision) Good() bool { return r.Status == Deployed || r.Status == Superseded }

// ErrNoRelease is a release that was never installed.
var ErrNoRelease = errors.New("there is no such release")

// History lists a release's revisions, the oldest first; it is empty for no release.
func (c *Client) History(namespace, name string) ([]Revision, error) {
	cfg, _, err := c.open(namespace)
	if err != nil {
		return nil, err
	}
	found, err := history(cfg, name)
	if err != nil {
		return nil, err
	}
	revisions := make([]Revision, len(found))
	for i, r := range found {
		revisions[i] = revisionOf(r)
	}
	return revisions, nil
}

func history(cfg *action.Configuration, name string) ([]*release.Release, error) {
	found, err := cfg.Releases.History(name)
	if errors.Is(err, driver.ErrReleaseNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the history of %s: %w", name, err)
	}
	releases := make([]*release.Release, 0, len(found))
	for _, one := range found {
		r, err := asRelease(one)
		if err != nil {
			return nil, err
		}
		releases = append(releases, r)
	}
	slices.SortFunc(releases, func(a, b *release.Release) int { return a.Version - b.Version })
	return releases, nil
}

func asRelease(found ri.Releaser) (*release.Release, error) {
	switch r := found.(type) {
	case *release.Release:
		return r, nil
	case release.Release:
		return &r, nil
	}
	return nil, fmt.Errorf("a release is of the unknown kind %T", found)
}

func revisionOf(r *release.Release) Revision {
	return Revision{
		Revision: r.Version, Status: Status(r.Info.Status), Updated: r.Info.LastDeployed.UTC(),
		Description: r.Info.Description, Values: r.Config, Manifest: r.Manifest,
	}
}
