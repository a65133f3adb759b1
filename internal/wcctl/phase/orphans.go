package phase

import (
	"context"
	"fmt"

	"github.com/wastecoach/wastecoach/internal/wcctl/backup"
	"github.com/wastecoach/wastecoach/internal/wcctl/fleet"
)

// refuseOrphans keeps up from making a new cluster for workers that belong to one: their control
// plane is gone, and a backup brings it back.
func (r *Run) refuseOrphans(ctx context.Context, all fleet.Fleet) error {
	control := all.ControlPlane()
	if r.Restores || !r.touched(control.Name) && !r.blank(control.Name) {
		return nil
	}
	r.lookAt(ctx, all.Workers(), 0)
	var orphans []string
	for _, m := range all.Workers() {
		h := r.hosts[m.Name]
		if h.survey == nil || r.touched(m.Name) {
			continue
		}
		if _, joined := h.survey.records[workersName]; joined && h.survey.owner() == r.Cluster.Metadata.Name {
			orphans = append(orphans, m.Name)
		}
	}
	if len(orphans) == 0 {
		return nil
	}
	hint := "wcctl backup list"
	if b, found := backup.Folder(r.Folder.Backups()).Newest(r.Cluster.Metadata.Name); found {
		hint = "wcctl backup restore " + b.File
	}
	return &Error{
		Phase: controlPlaneName, Host: control.Name,
		Cause: fmt.Errorf("the control plane is gone, and %s still in its cluster: a new one would not take them",
			stillThere(orphans)),
		Hint: hint + "\nwcctl down && wcctl up # a new cluster; all data of the old one is lost",
	}
}

func stillThere(names []string) string {
	if len(names) == 1 {
		return names[0] + " is"
	}
	return few(names) + " are"
}

// blank tells that a machine answers and has never been a control plane.
func (r *Run) blank(name string) bool {
	h := r.hosts[name]
	if h == nil || h.survey == nil {
		return false
	}
	_, done := h.survey.records[controlPlaneName]
	return h.survey.made == nil && !done
}
