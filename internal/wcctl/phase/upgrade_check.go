package phase

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/version"

	"github.com/wastecoach/wastecoach/internal/wcctl/fleet"
	"github.com/wastecoach/wastecoach/internal/wcctl/kube"
)

func trimmed(text string) string { return strings.TrimSpace(text) }

// upgradeCheck finds what would stop an upgrade while nothing has been changed.
type upgradeCheck struct{ *Upgrade }

func (upgradeCheck) Name() string  { return checkName }
func (upgradeCheck) Title() string { return "Check whether it can be upgraded" }
func (upgradeCheck) Place() Place  { return Here }

func (upgradeCheck) About() string {
	return "Looks for a release that is no next one, for conditions of `wcctl status` that do not hold, " +
		"for disruption budgets and pods that keep nodes from being emptied, and for interfaces in use " +
		"that the new release does not have."
}

// Pending fails where the releases do not follow each other: such a plan could not be carried out.
func (u upgradeCheck) Pending(ctx context.Context, r *Run) ([]Change, error) {
	s, all, err := u.look(ctx, r)
	if err != nil {
		return nil, err
	}
	if err := u.mayFollow(s, r.wanted()); err != nil {
		return nil, err
	}
	if s.resumed(r.wanted()) || !u.left(s, all, r.wanted()) {
		return nil, nil
	}
	return []Change{{
		Phase: checkName, What: fmt.Sprintf("see that it can be upgraded from %s to %s", s.server, r.wanted()),
	}}, nil
}

// left tells whether an upgrade has anything to do.
func (u *Upgrade) left(s *stand, all fleet.Fleet, to string) bool {
	return s.controlPlane(to) || slices.ContainsFunc(all, func(m fleet.Machine) bool { return s.node(m.Name, to) })
}

// mayFollow refuses what Kubernetes does not support: two minor releases at once, and the way back.
func (u *Upgrade) mayFollow(s *stand, to string) error {
	refuse := func(hint, format string, args ...any) error {
		return &Error{Phase: checkName, Cause: fmt.Errorf(format, args...), Hint: hint}
	}
	if s.begun != "" && s.begun != to {
		return refuse("wcctl upgrade --to "+s.begun, "an upgrade to %s has begun: it has to end first", s.begun)
	}
	if s.serverErr != nil {
		if s.begun != "" {
			return nil // the machine itself knows how to go on
		}
		return refuse("wcctl status", "the API server cannot be asked: %w", s.serverErr)
	}
	want, err := version.ParseSemantic(to)
	if err != nil {
		return refuse("", "%w", err)
	}
	for _, k := range append(kubeletsOf(s), kube.Kubelet{Node: "the API server", Release: s.server}) {
		have, err := version.ParseSemantic(k.Release)
		switch {
		case err != nil:
			return refuse("wcctl status", "%s has release %q: %w", k.Node, k.Release, err)
		case want.LessThan(have):
			return refuse("wcctl backup list # a backup of then takes everything back",
				"%s has %s: a cluster does not go back to %s", k.Node, k.Release, to)
		case want.Major() != have.Major() || want.Minor() > have.Minor()+1:
			return refuse(fmt.Sprintf("wcctl upgrade --to %d.%d.x # first", have.Major(), have.Minor()+1),
				"%s has %s, and %s is more than one minor release away", k.Node, k.Release, to)
		}
	}
	return nil
}

func kubeletsOf(s *stand) []kube.Kubelet {
	var list []kube.Kubelet
	for _, k := range s.kubelets {
		list = append(list, k)
	}
	slices.SortFunc(list, func(a, b kube.Kubelet) int { return strings.Compare(a.Node, b.Node) })
	return list
}

// Apply tells all faults together.
func (u upgradeCheck) Apply(ctx context.Context, r *Run, _ []Change) error {
	_, all, err := u.look(ctx, r)
	if err != nil {
		return err
	}
	k := r.api()
	if k == nil {
		return &Error{Phase: checkName, Cause: errors.New("there is no kubeconfig"), Hint: "wcctl up --only kubeconfig"}
	}
	var found []Finding
	for _, c := range kube.Worst(k.Conditions(ctx, all)) {
		if c.Name == "versions" {
			continue // they are what changes
		}
		found = append(found, Finding{Text: c.Name + ": " + c.Message, Hint: c.Hint, Fatal: true})
	}
	live, err := u.Live(r)
	if err != nil {
		return err
	}
	hazards, err := live.Hazards(ctx, r.wanted())
	if err != nil {
		return err
	}
	for _, h := range hazards {
		found = append(found, Finding{Text: h.Text, Hint: h.Hint, Fatal: h.Blocks && !u.Force})
	}
	return r.judge(checkName, found)
}

// saveFirst takes a backup while the old release runs: it is the way back.
type saveFirst struct{ *Upgrade }

func (saveFirst) Name() string  { return backupName }
func (saveFirst) Title() string { return "Take a backup of the control plane" }
func (saveFirst) Place() Place  { return OnControlPlane }

func (saveFirst) About() string {
	return "Takes a backup as `wcctl backup create` does. It has work until the control plane is being changed."
}

// Pending has none once the control plane is being changed: a backup of half a release helps nobody.
func (u saveFirst) Pending(ctx context.Context, r *Run) ([]Change, error) {
	s, all, err := u.look(ctx, r)
	if err != nil || s.resumed(r.wanted()) {
		return nil, err
	}
	return []Change{{Phase: backupName, Host: all.ControlPlane().Name, What: "take a backup, and keep it"}}, nil
}

// Apply tells where the file is.
func (u saveFirst) Apply(ctx context.Context, r *Run, _ []Change) error {
	all, err := r.Made(ctx)
	if err != nil {
		return err
	}
	name := all.ControlPlane().Name
	r.lookAt(ctx, all[:1], r.Patience)
	if err := r.reachable(all[:1]); err != nil {
		return err
	}
	file, err := u.Save(ctx, r.hosts[name].shell, name)
	if err != nil {
		return &Error{Phase: backupName, Host: name, Cause: err, Hint: "wcctl backup create"}
	}
	r.note(backupName, name, "the way back is "+file)
	return nil
}

// fetch brings everything onto the machines while they run the old release: a node that is empty then
// waits for no network.
type fetch struct{ *Upgrade }

func (fetch) Name() string  { return fetchName }
func (fetch) Title() string { return "Fetch programs and images" }
func (fetch) Place() Place  { return EveryMachine }

func (fetch) About() string {
	return "Brings the new release's programs and images onto the machines, beside those that run."
}

// Pending names the machines that are still to be upgraded; a bundle that does not fit shows here.
func (u fetch) Pending(ctx context.Context, r *Run) ([]Change, error) {
	s, all, err := u.look(ctx, r)
	if err != nil {
		return nil, err
	}
	if _, err := r.variables(); err != nil {
		return nil, err
	}
	var list []Change
	for i, m := range all {
		if s.kubelets[m.Name].Release != r.wanted() || i == 0 && s.controlPlane(r.wanted()) {
			list = append(list, Change{Phase: fetchName, Host: m.Name, What: "fetch Kubernetes " + r.wanted()})
		}
	}
	return list, nil
}

// Apply plays the role.
func (u fetch) Apply(ctx context.Context, r *Run, changes []Change) error {
	all, err := r.Made(ctx)
	if err != nil {
		return err
	}
	hosts := hostsOf(changes)
	targets := slices.DeleteFunc(slices.Clone(all), func(m fleet.Machine) bool {
		return !slices.Contains(hosts, m.Name)
	})
	r.lookAt(ctx, targets, r.Patience)
	if err := r.reachable(targets); err != nil {
		return err
	}
	if err := r.serve(ctx, targets); err != nil {
		return err
	}
	vars, err := r.variables()
	if err != nil {
		return err
	}
	_, err = r.Play(ctx, Playing{Phase: fetchName, Fleet: all, Hosts: hosts, Vars: vars.Values})
	return err
}
