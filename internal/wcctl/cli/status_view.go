package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/wastecoach/wastecoach/internal/wcctl/fleet"
	"github.com/wastecoach/wastecoach/internal/wcctl/kube"
	"github.com/wastecoach/wastecoach/internal/wcctl/phase"
	"github.com/wastecoach/wastecoach/internal/wcctl/spec"
	"github.com/wastecoach/wastecoach/internal/wcctl/terraform"
	"github.com/wastecoach/wastecoach/internal/wcctl/workspace"
)

// view is a cluster that is only looked at. No lock is needed: of the state folder, only the pinned
// host keys and the conditions' ages may change.
type view struct {
	flags  *clusterFlags
	spec   *spec.Cluster
	folder workspace.Folder
	// fleet is empty, and fleetErr says why, where the machines are not known.
	fleet    fleet.Fleet
	fleetErr error
	// kube is nil before there is a kubeconfig.
	kube    *kube.Cluster
	options kube.Options
	dial    phase.Dial
	closers
}

// agesFile remembers since when conditions are as they are.
const agesFile = "conditions.json"

func openView(ctx context.Context, con *console, flags *clusterFlags) (*view, error) {
	cluster, folder, err := flags.open(con)
	if err != nil {
		return nil, err
	}
	if !folder.Exists() {
		return nil, noCluster(flags, folder)
	}
	v := &view{flags: flags, spec: cluster, folder: folder}
	v.fleet, v.fleetErr = knownMachines(ctx, folder)
	v.dial = dialer(cluster, keyFile(cluster, folder), folder.KnownHosts())
	v.options = kube.Options{
		Fleet: v.fleet, Version: cluster.Spec.Kubernetes.Version, Plugin: cluster.Spec.Network.Plugin,
		Run: asRoot(v.dial),
	}
	v.kube, err = kube.Connect(v.reachable(con))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, errors.Join(&Error{Cause: err, Hint: flags.again("up --only kubeconfig")}, v.Close())
	}
	return v, nil
}

// reachable is a kubeconfig that works from here, behind a bastion too. Where nobody can log in, it is
// the cluster's own: what cannot be asked is then told as such.
func (v *view) reachable(con *console) string {
	path := v.folder.Kubeconfig()
	if len(v.fleet) == 0 {
		return path
	}
	forward := &apiForward{dial: v.dial}
	v.closers = append(v.closers, forward)
	reached, err := forward.reach(v.fleet.ControlPlane(), path)
	if errors.Is(err, os.ErrNotExist) {
		return path
	}
	if err != nil {
		fmt.Fprintf(con.err, "wcctl: the API server cannot be reached through the control plane: %v\n", err)
		return path
	}
	return reached
}

// noCluster is the error of a command that needs one.
func noCluster(flags *clusterFlags, folder workspace.Folder) error {
	return &Error{
		Cause: fmt.Errorf("there is no cluster yet: %s holds none", folder), Hint: flags.again("up"),
	}
}

// asRoot runs a script on a machine through a login of its own.
func asRoot(dial phase.Dial) kube.Run {
	return func(ctx context.Context, m fleet.Machine, script string) (string, error) {
		shell, err := dial(ctx, m, 0)
		if err != nil {
			return "", err
		}
		defer shell.Close()
		return shell.Output(ctx, script, nil)
	}
}

// knownMachines are those of the last up, from Terraform's output.
func knownMachines(ctx context.Context, folder workspace.Folder) (fleet.Fleet, error) {
	if _, err := os.Stat(folder.Terraform()); err != nil {
		return nil, terraform.ErrNoMachines
	}
	client, err := terraform.New(terraform.Options{Dir: folder.Terraform(), Log: io.Discard})
	if err != nil {
		return nil, err
	}
	machines, err := client.Machines(ctx)
	return machines, errors.Join(err, client.Close())
}

// look judges the cluster once.
func (v *view) look(ctx context.Context, con *console) kube.Report {
	report := v.kube.Look(ctx, v.options)
	for i := range report.Conditions {
		report.Conditions[i].Hint = v.flags.paste(report.Conditions[i].Hint)
	}
	v.fillAges(con, report.Conditions)
	return report
}

// fillAges says since when; a folder that cannot be written to only costs that.
func (v *view) fillAges(con *console, conditions []kube.Condition) {
	ages := kube.Ages{Path: string(v.folder) + "/" + agesFile}
	if err := ages.Fill(conditions, time.Now()); err != nil {
		fmt.Fprintf(con.err, "wcctl: %v\n", err)
	}
}
