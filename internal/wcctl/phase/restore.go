package phase

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/wastecoach/wastecoach/internal/wcctl/backup"
	"github.com/wastecoach/wastecoach/internal/wcctl/fleet"
	"github.com/wastecoach/wastecoach/internal/wcctl/spec"
)

const restoreName = "restore"

//go:embed place.sh
var placeScript string

// Restore is the phases of `wcctl backup restore`: those of up, and before the control plane starts
// the backup is put in place there.
func Restore(b backup.Backup, id string, force bool) []Phase {
	list := List()
	i := slices.IndexFunc(list, named(controlPlaneName))
	return slices.Insert(list, i, Phase(restore{b, id, force}))
}

// Mismatch is why a backup cannot be of the cluster that the configuration describes; empty where it can.
func Mismatch(c *spec.Cluster, b backup.Backup) string {
	if b.Cluster != c.Metadata.Name {
		return fmt.Sprintf("it is of the cluster %q, not of %q", b.Cluster, c.Metadata.Name)
	}
	if want := c.Spec.Kubernetes.Version; b.Release != want {
		return fmt.Sprintf("it is of Kubernetes %s, and the file wants %s", b.Release, want)
	}
	return strings.Join(changedSettings(c, b.Settings), "; ")
}

// restore puts a backup in place on the control plane. The ID tells one restore from an earlier one.
type restore struct {
	backup backup.Backup
	id     string
	force  bool
}

func (restore) Name() string  { return restoreName }
func (restore) Title() string { return "Put the backup in place" }
func (restore) Place() Place  { return OnControlPlane }

func (restore) About() string {
	return "Stops what is left of the control plane, moves its files and data aside, and puts the " +
		"backup's in their place. It has work until the machine notes that it was done."
}

// Pending fails where workers belong to another cluster: they could not come back.
func (p restore) Pending(ctx context.Context, r *Run) ([]Change, error) {
	all, known, err := r.Fleet(ctx)
	if err != nil {
		return nil, err
	}
	control := all.ControlPlane()
	change := []Change{{
		Phase: restoreName, Host: control.Name,
		What: fmt.Sprintf("put back the cluster of %s, etcd's revision %d",
			p.backup.At.Local().Format(time.DateTime), p.backup.Etcd.Revision),
	}}
	if !known {
		return change, nil
	}
	if !p.force {
		if err := p.sameAuthority(ctx, r, all.Workers()); err != nil {
			return nil, err
		}
	}
	if r.touched(control.Name) {
		return change, nil
	}
	r.lookAt(ctx, all[:1], 0)
	h := r.hosts[control.Name]
	if h.err != nil {
		return change, ctx.Err()
	}
	note, err := h.shell.Output(ctx, "cat /var/lib/wastecoach/restored 2>/dev/null || true", nil)
	if err != nil || strings.TrimSpace(note) == p.id {
		return nil, err
	}
	return change, nil
}

// joinedTo prints the authority of the cluster that a worker has joined.
const joinedTo = "cat /var/lib/wastecoach/joined 2>/dev/null || true"

func (p restore) sameAuthority(ctx context.Context, r *Run, workers fleet.Fleet) error {
	workers = slices.DeleteFunc(slices.Clone(workers), func(m fleet.Machine) bool { return r.touched(m.Name) })
	r.lookAt(ctx, workers, 0)
	return r.forEachHost(workers, func(h *host) error {
		if h.err != nil {
			return nil //nolint:nilerr // it may be away; `up` joins it when it is back
		}
		joined, err := h.shell.Output(ctx, joinedTo, nil)
		if err != nil {
			return err
		}
		if joined = strings.TrimSpace(joined); joined == "" || joined == p.backup.Authority() {
			return nil
		}
		return &Error{
			Phase: restoreName, Host: h.machine.Name,
			Cause: fmt.Errorf("it has joined another cluster of the name %s than the backup is of: "+
				"its certificate authority is %.12s, the backup's %.12s",
				r.Cluster.Metadata.Name, joined, p.backup.Authority()),
			Hint: "wcctl backup list",
		}
	})
}

// Apply sends the file and lets the machine put it in place.
func (p restore) Apply(ctx context.Context, r *Run, _ []Change) error {
	all, err := r.Made(ctx)
	if err != nil {
		return err
	}
	r.lookAt(ctx, all[:1], r.Patience)
	if err := r.reachable(all[:1]); err != nil {
		return err
	}
	if err := r.serve(ctx, all[:1]); err != nil {
		return err
	}
	command, err := p.command(r, all.ControlPlane())
	if err != nil {
		return err
	}
	file, err := os.Open(p.backup.File)
	if err != nil {
		return fmt.Errorf("reading the backup: %w", err)
	}
	defer file.Close()
	aside, err := r.hosts[all[0].Name].shell.Output(ctx, command, p.told(r, file))
	r.forgetLooks(all[0].Name)
	r.forgetAPI()
	if err != nil {
		return fmt.Errorf("putting the backup in place: %w", err)
	}
	if places := strings.Fields(aside); len(places) > 0 {
		r.note(restoreName, all[0].Name, "what was there is kept in "+strings.Join(places, " and "))
	}
	return nil
}

// told is the file with a word on how much of it was sent, now and then.
func (p restore) told(r *Run, file io.Reader) io.Reader {
	return &backup.Meter{Reader: file, Total: p.backup.Bytes, Tell: backup.Quarters(func(text string) {
		r.note(restoreName, "", "sent "+text)
	})}
}

// command is place.sh with its arguments; all of them are names, addresses and references.
func (p restore) command(r *Run, m fleet.Machine) (string, error) {
	image, err := r.etcdImage()
	if err != nil {
		return "", err
	}
	arguments := []string{p.id, m.Name, m.Address, image, r.Cluster.Metadata.Name}
	return "set -- " + strings.Join(arguments, " ") + "\n" + placeScript, nil
}

var errNoEtcdImage = errors.New("the release names no image of etcd")

// etcdImage is the one that the control plane will run.
func (r *Run) etcdImage() (string, error) {
	vars, err := r.variables()
	if err != nil {
		return "", err
	}
	images, _ := vars.Values["wc_images"].(map[string]any)
	list, _ := images["control_plane"].([]any)
	for _, image := range list {
		if name, ok := image.(string); ok && strings.Contains(name, "/etcd:") {
			return name, nil
		}
	}
	return "", errNoEtcdImage
}
