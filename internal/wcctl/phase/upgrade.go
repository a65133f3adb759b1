package phase

import (
	"context"
	"fmt"
	"time"

	"github.com/wastecoach/wastecoach/internal/wcctl/fleet"
	"github.com/wastecoach/wastecoach/internal/wcctl/kube"
	"github.com/wastecoach/wastecoach/internal/wcctl/spec"
)

const (
	checkName   = "check"
	backupName  = "backup"
	fetchName   = "fetch"
	upgradeName = "upgrade-control-plane"
	nodesName   = "upgrade-nodes"

	// begunFile on the control plane holds the release that it is being upgraded to. It lies where a
	// restore moves it away.
	begunFile = "/var/lib/wastecoach/control-plane/upgrading"

	versionPath = "spec.kubernetes.version"
)

// Live is a running cluster's API as an upgrade needs it.
type Live interface {
	Release() (string, error)
	Kubelets(ctx context.Context) ([]kube.Kubelet, error)
	Hazards(ctx context.Context, to string) ([]kube.Hazard, error)
	Leads(ctx context.Context) (map[string]time.Time, error)
	CloseNode(ctx context.Context, node string) error
	OpenNode(ctx context.Context, node string) error
	Drain(ctx context.Context, o kube.DrainOptions) error
}

// Upgrade brings a cluster that runs to the release of Run.Cluster.
type Upgrade struct {
	// Force goes on where pods would be lost or a disruption budget never gives way.
	Force bool
	// Timeout is how long the pods of one node may take to leave.
	Timeout time.Duration
	// Live opens the API.
	Live func(r *Run) (Live, error)
	// Save takes a backup of the control plane and returns its file.
	Save func(ctx context.Context, shell Shell, machine string) (string, error)
	// Settle follows when nothing has been changed yet that an old release could not live with: it
	// writes the release down.
	Settle Phase
	// Calm is for how long the control plane has to stand still before a node is emptied.
	Calm time.Duration
}

// Phases are those that only an upgrade has; Rest follows them.
func (u *Upgrade) Phases() []Phase {
	return []Phase{upgradeCheck{u}, saveFirst{u}, fetch{u}, u.Settle, upgradeControlPlane{u}, upgradeNodes{u}}
}

// Rest is the phases of up that follow an upgrade: what else differs between releases, and the records.
// It changes no machines.
func Rest() []Phase {
	var rest []Phase
	for _, p := range List() {
		if p.Name() != machinesName && p.Name() != preflightName {
			rest = append(rest, p)
		}
	}
	return rest
}

// stand is how far an upgrade has come: all of it is read from the cluster and its machines.
type stand struct {
	// server is the API server's release; serverErr is why it cannot be asked.
	server    string
	serverErr error
	kubelets  map[string]kube.Kubelet
	// made is the release that the control plane's machine notes, begun the one that it is on its way to.
	made, begun string
}

// controlPlane tells whether the control plane is still to be upgraded.
func (s *stand) controlPlane(to string) bool {
	return s.begun != "" || s.made != to || s.serverErr == nil && s.server != to
}

// node tells whether a node is still to be upgraded, or only to be opened.
func (s *stand) node(name, to string) bool {
	k, found := s.kubelets[name]
	return !found || k.Release != to || k.Closed
}

// resumed tells that an earlier run has begun to change the cluster.
func (s *stand) resumed(to string) bool { return s.begun != "" || s.made == to }

// look finds out how far the upgrade is.
func (u *Upgrade) look(ctx context.Context, r *Run) (*stand, fleet.Fleet, error) {
	all, err := r.Made(ctx)
	if err != nil {
		return nil, nil, err
	}
	r.lookAt(ctx, all[:1], r.Patience)
	if err := r.reachable(all[:1]); err != nil {
		return nil, nil, err
	}
	h := r.hosts[all[0].Name]
	s := &stand{made: h.survey.made[versionPath], kubelets: map[string]kube.Kubelet{}}
	if s.made == "" {
		return nil, nil, &Error{
			Host:  h.machine.Name,
			Cause: fmt.Errorf("no cluster has been made here: %s is missing", settingsFile), Hint: "wcctl up",
		}
	}
	begun, err := h.shell.Output(ctx, "cat "+begunFile+" 2>/dev/null || true", nil)
	if err != nil {
		return nil, nil, fmt.Errorf("reading how far the upgrade is: %w", err)
	}
	s.begun = trimmed(begun)
	live, err := u.Live(r)
	if err == nil {
		s.server, err = live.Release()
	}
	if err != nil {
		s.serverErr = err
		return s, all, ctx.Err()
	}
	list, err := live.Kubelets(ctx)
	if err != nil {
		s.serverErr = err
		return s, all, ctx.Err()
	}
	for _, k := range list {
		s.kubelets[k.Node] = k
	}
	return s, all, nil
}

func (r *Run) wanted() string { return r.Cluster.Spec.Kubernetes.Version }

// ignoredChecks are those of kubeadm's that do not stop an upgrade. CreateJob runs a Job of the pause
// image, which in bundles of the past never ended; that pods run was checked before.
func (r *Run) ignoredChecks() string {
	if r.Cluster.Spec.Target == spec.Local {
		return "CreateJob,SystemVerification" // a namespace of this computer cannot pass that
	}
	return "CreateJob"
}

// staged is what the paths of the fetched programs begin with, as the role fetch has it.
func staged(release string) string { return "/var/cache/wastecoach-" + release + "-" }
