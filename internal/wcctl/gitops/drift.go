package gitops

import (
	"context"
	"slices"
	"strings"
)

// Drift is an Application that is not as Git says, or not healthy.
type Drift struct {
	Release string `json:"release"`
	// Standing is Argo CD's words, e.g. OutOfSync, Degraded.
	Standing string `json:"standing"`
	// Objects differ from Git.
	Objects []string `json:"objects,omitempty"`
	// Troubles name what is wrong besides.
	Troubles []string `json:"troubles,omitempty"`
}

// String tells it in one line.
func (d Drift) String() string {
	text := d.Release + " is " + d.Standing
	if all := slices.Concat(d.Objects, d.Troubles); len(all) > 0 {
		text += ": " + strings.Join(all, ", ")
	}
	return text
}

// Drifts lists what is not as Git says, and how many Applications there are.
func (a Argo) Drifts(ctx context.Context) (drifts []Drift, count int, err error) {
	list, err := a.list(ctx)
	if err != nil {
		return nil, 0, err
	}
	for _, one := range list {
		s := one.Status
		if s.Sync.Status == synced && s.Health.Status == healthy && len(s.troubles()) == 0 {
			continue
		}
		drifts = append(drifts, Drift{
			Release: one.Metadata.Name, Standing: s.text(), Objects: s.drifted(), Troubles: s.troubles(),
		})
	}
	return drifts, len(list), nil
}
