package phase

import (
	"context"
	_ "embed"
	"errors"
	"strings"
	"time"

	"github.com/wastecoach/wastecoach/internal/wcctl/backup"
	"github.com/wastecoach/wastecoach/internal/wcctl/fleet"
)

//go:embed upgrade_control_plane.sh
var upgradeScript string

// upgradeControlPlane has kubeadm replace etcd, the API server, the other components and the addons.
type upgradeControlPlane struct{ *Upgrade }

func (upgradeControlPlane) Name() string  { return upgradeName }
func (upgradeControlPlane) Title() string { return "Upgrade the control plane" }
func (upgradeControlPlane) Place() Place  { return OnControlPlane }

func (upgradeControlPlane) About() string {
	return "Runs kubeadm upgrade apply. It has work until the machine notes that the cluster is of the new release."
}

// Pending reads the machine's own note.
func (u upgradeControlPlane) Pending(ctx context.Context, r *Run) ([]Change, error) {
	s, all, err := u.look(ctx, r)
	if err != nil || !s.controlPlane(r.wanted()) {
		return nil, err
	}
	c := Change{
		Phase: upgradeName, Host: all.ControlPlane().Name,
		What: "upgrade etcd, the API server, the other components, DNS and kube-proxy to " + r.wanted(),
		Why:  "it has " + s.made,
	}
	if s.begun != "" {
		c.Why = "it has begun"
	}
	return []Change{c}, nil
}

// Apply runs the script to its end, also where wcctl is interrupted or killed: then the next run waits
// for it.
func (u upgradeControlPlane) Apply(ctx context.Context, r *Run, _ []Change) error {
	all, err := r.Made(ctx)
	if err != nil {
		return err
	}
	control := all.ControlPlane()
	r.lookAt(ctx, all[:1], r.Patience)
	if err := r.reachable(all[:1]); err != nil {
		return err
	}
	shell := r.hosts[control.Name].shell
	stop := r.follow(ctx, upgradeName, control, shell)
	arguments := []string{r.wanted(), staged(r.wanted()), r.ignoredChecks()}
	end := context.AfterFunc(ctx, func() {
		r.warn(upgradeName, control.Name,
			"interrupted: kubeadm comes to its end first, as half an upgrade helps nobody", "")
	})
	_, err = shell.Output(context.WithoutCancel(ctx), "set -- "+strings.Join(arguments, " ")+"\n"+upgradeScript, nil)
	stop()
	end()
	r.forgetLooks(control.Name)
	r.forgetAPI()
	if err != nil {
		return r.stuck(ctx, upgradeName, control.Name, err)
	}
	return nil
}

const (
	upgradeLog  = "/var/log/wastecoach/kubeadm-upgrade.log"
	followEvery = 3 * time.Second
)

// follow tells what kubeadm logs while it works, until stop.
func (r *Run) follow(ctx context.Context, phase string, m fleet.Machine, shell Shell) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(followEvery)
		defer tick.Stop()
		last := ""
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			line, err := shell.Output(ctx, "grep -v '^ *$' "+upgradeLog+" 2>/dev/null | tail -n 1", nil)
			if line = trimmed(line); err == nil && line != "" && line != last {
				last = line
				r.note(phase, m.Name, line)
			}
		}
	}()
	return func() { cancel(); <-ended }
}

// stuck says how an upgrade that failed goes on, and how the cluster goes back.
func (r *Run) stuck(ctx context.Context, phase, host string, cause error) error {
	var own *Error
	if errors.As(cause, &own) || ctx.Err() != nil || temporary(cause) {
		return cause
	}
	hint := "wcctl upgrade # goes on"
	if b, found := backup.Folder(r.Folder.Backups()).Newest(r.Cluster.Metadata.Name); found && b.Release != r.wanted() {
		hint += "\nwcctl backup restore " + b.File + " --force # goes back, once the file says " + b.Release
	}
	return &Error{Phase: phase, Host: host, Cause: cause, Hint: hint}
}
