package phase

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/wastecoach/wastecoach/internal/wcctl/fleet"
	"github.com/wastecoach/wastecoach/internal/wcctl/spec"
)

// play is a phase that is one Ansible role on some machines.
type play struct {
	name, title, about string
	// what is done to one machine, where that reads otherwise than the title.
	what  string
	place Place
	role  string
	// unit is the systemd unit that runs after it.
	unit string
	// fleet tells that the role reads the names and addresses of all machines.
	fleet bool
	// node tells that its machine is a node of the cluster after it.
	node bool
	// labels are those that each machine's node has after it.
	labels func(m fleet.Machine) []string
	// applied are the objects that the cluster has after it.
	applied func(c *spec.Cluster) []Object
}

func (p play) Name() string  { return p.name }
func (p play) Title() string { return p.title }
func (p play) Place() Place  { return p.place }

func (p play) About() string {
	about := p.about + " It has work on a machine without a record of this phase, with a record of " +
		"another role or other variables, or with a file that is not as the phase left it"
	if p.unit != "" {
		about += ", or where " + p.unit + " does not run"
	}
	if p.node {
		about += ", or where the cluster has no such node"
	}
	if p.labels != nil {
		about += ", or where a node lacks its label"
	}
	if p.applied != nil {
		about += ", or where what it applied is gone"
	}
	return about + "."
}

// Pending compares each machine's record with what the role and its variables are now.
func (p play) Pending(ctx context.Context, r *Run) ([]Change, error) {
	all, known, err := r.Fleet(ctx)
	if err != nil {
		return nil, err
	}
	targets := at(p.place, all)
	if known {
		r.lookAt(ctx, targets, 0)
	}
	if known {
		if err := r.unchangeable(ctx, all); err != nil {
			return nil, err
		}
		if p.name == controlPlaneName {
			if err := r.refuseOrphans(ctx, all); err != nil {
				return nil, err
			}
		}
	}
	var list []Change
	for _, m := range targets {
		switch {
		case !known || r.touched(m.Name):
			list = append(list, p.change(m, "a new machine"))
		case r.hosts[m.Name].err != nil:
			list = append(list, p.change(m, "unknown: it does not answer"))
		default:
			change, err := p.pendingOn(ctx, r, m)
			if err != nil {
				return nil, err
			}
			if change != nil {
				list = append(list, *change)
			}
		}
	}
	return list, ctx.Err()
}

func (p play) change(m fleet.Machine, why string) Change {
	what := p.what
	if what == "" {
		what = lower(p.title)
	}
	return Change{Phase: p.name, Host: m.Name, What: what, Why: why}
}

// pendingOn judges one machine that has been looked at; nil where there is nothing to do.
func (p play) pendingOn(ctx context.Context, r *Run, m fleet.Machine) (*Change, error) {
	s := r.hosts[m.Name].survey
	if s == nil {
		c := p.change(m, "unknown: it does not answer")
		return &c, nil
	}
	want, err := p.wanted(r, m)
	if err != nil {
		return nil, err
	}
	have, found := s.records[p.name]
	why := ""
	switch {
	case !found:
		why = "not done yet"
	case have.Role != want.Role:
		why = "the role has changed since"
	case have.Inputs != want.Inputs:
		why = "its settings have changed since"
	case len(s.drift[p.name]) > 0:
		why = fmt.Sprintf("changed by hand: %s", few(s.drift[p.name]))
	case p.unit != "" && s.units[p.unit] != "active":
		why = fmt.Sprintf("%s is %s", p.unit, s.units[p.unit])
	case p.node:
		why = r.missingNode(ctx, m)
	case p.labels != nil:
		why = r.missingLabel(ctx, p.labels)
	case p.applied != nil:
		why = r.missingObject(ctx, p.applied(r.Cluster))
	}
	if why == "" && r.Again {
		why = "asked for again"
	}
	if why == "" {
		return nil, nil //nolint:nilnil // nothing to do is no error
	}
	c := p.change(m, why)
	return &c, nil
}

// missingNode is why a machine that has joined is no node; the API's silence is another phase's.
func (r *Run) missingNode(ctx context.Context, m fleet.Machine) string {
	nodes, ok := r.askNodes(ctx)
	if ok && !slices.ContainsFunc(nodes, func(n Node) bool { return n.Name == m.Name }) {
		return "the cluster has no such node"
	}
	return ""
}

// missingLabel is why nodes that were labeled have to be labeled again: one was made anew.
func (r *Run) missingLabel(ctx context.Context, labels func(m fleet.Machine) []string) string {
	nodes, _ := r.askNodes(ctx)
	for _, n := range nodes {
		m, found := r.fleet.Find(n.Name)
		if !found {
			continue
		}
		for _, label := range labels(m) {
			if _, has := n.Labels[label]; !has {
				return n.Name + " lacks the label " + label
			}
		}
	}
	return ""
}

// restartKubelet is for machines that have joined: the roles leave them alone.
const restartKubelet = "[ ! -e /etc/kubernetes/kubelet.conf ] || systemctl restart kubelet"

// returnNodes starts kubelets that do not run, and those whose node somebody deleted: they make it
// anew.
func (r *Run) returnNodes(ctx context.Context, machines fleet.Fleet) error {
	r.askNodes(ctx) // once: the machines are asked at the same time
	return r.forEachHost(machines, func(h *host) error {
		if h.survey == nil ||
			h.survey.units["kubelet"] == "active" && r.missingNode(ctx, h.machine) == "" {
			return nil
		}
		if _, err := h.shell.Output(ctx, restartKubelet, nil); err != nil {
			return fmt.Errorf("restarting kubelet: %w", err)
		}
		return nil
	})
}

// missingObject is why a manifest that was applied has to be applied again.
func (r *Run) missingObject(ctx context.Context, objects []Object) string {
	k := r.api()
	if k == nil {
		return ""
	}
	for _, o := range objects {
		if found, err := k.Has(ctx, o); err == nil && !found {
			return fmt.Sprintf("%s %s/%s is gone", o.Kind, o.Namespace, o.Name)
		}
	}
	return ""
}

// wanted is the record that the phase would leave now.
func (p play) wanted(r *Run, m fleet.Machine) (record, error) {
	role, err := r.hash("role "+p.role, func() (string, error) { return roleHash(r.Ansible, p.name, p.role) })
	if err != nil {
		return record{}, err
	}
	vars, err := r.inputsOf(m)
	if err != nil {
		return record{}, err
	}
	inputs, err := inputsHash(r.Ansible, p.role, vars)
	if err != nil {
		return record{}, err
	}
	if p.fleet {
		inputs += " " + r.fleetHash()
	}
	return record{Role: role, Inputs: inputs, Cluster: r.Cluster.Metadata.Name, Run: r.ID}, nil
}

// variables are the playbook's for the machines as they are.
func (r *Run) variables() (Vars, error) {
	if r.vars == nil {
		vars, err := r.Vars(r.fleet)
		if err != nil {
			return Vars{}, err
		}
		r.vars = &vars
	}
	return *r.vars, nil
}

// inputsOf are the variables as a role sees them on a machine, with texts instead of paths.
func (r *Run) inputsOf(m fleet.Machine) (map[string]any, error) {
	vars, err := r.variables()
	if err != nil {
		return nil, err
	}
	inputs := map[string]any{
		"wc_role": m.Role, "wc_address": m.Address, "wc_public_address": m.PublicAddress, "wc_edge": m.Edge,
	}
	maps.Copy(inputs, vars.Values)
	for name, text := range vars.Texts {
		inputs[name] = text
	}
	return inputs, nil
}

// fleetHash is the fingerprint of what a role may read of all machines.
func (r *Run) fleetHash() string {
	sum := sha256.New()
	for _, m := range r.fleet {
		fmt.Fprintln(sum, m.Name, m.Role, m.Address, m.Edge)
	}
	return hex.EncodeToString(sum.Sum(nil))
}

func (r *Run) hash(name string, compute func() (string, error)) (string, error) {
	if sum, ok := r.hashes[name]; ok {
		return sum, nil
	}
	sum, err := compute()
	if err != nil {
		return "", err
	}
	if r.hashes == nil {
		r.hashes = map[string]string{}
	}
	r.hashes[name] = sum
	return sum, nil
}

// Apply plays the role on the machines that have work and records where it is done.
func (p play) Apply(ctx context.Context, r *Run, changes []Change) error {
	all, err := r.Made(ctx)
	if err != nil {
		return err
	}
	var targets fleet.Fleet
	for _, c := range changes {
		if m, ok := all.Find(c.Host); ok {
			targets = append(targets, m)
		}
	}
	r.lookAt(ctx, targets, r.Patience)
	if err := r.reachable(targets); err != nil {
		return err
	}
	if err := r.forEachHost(targets, func(h *host) error {
		return forget(ctx, h.shell, p.name)
	}); err != nil {
		return err
	}
	if p.node {
		if err := r.returnNodes(ctx, targets); err != nil {
			return err
		}
	}
	if err := r.serve(ctx, targets); err != nil {
		return err
	}
	vars, err := r.variables()
	if err != nil {
		return err
	}
	values := vars.Values
	if r.Restores {
		values = maps.Clone(values)
		values["wc_restores"] = true
	}
	result, playErr := r.Play(ctx, Playing{
		Phase: p.name, Fleet: all, Hosts: targets.Names(), Vars: values,
	})
	err = errors.Join(p.record(ctx, r, targets, result), p.settle(ctx, r, targets, result))
	r.forgetLooks(targets.Names()...)
	r.forgetAPI()
	if playErr != nil {
		return playErr
	}
	return err
}

// record notes the phase on the machines where it ended well, even if it failed on others.
func (p play) record(ctx context.Context, r *Run, targets fleet.Fleet, result map[string]Played) error {
	return r.forEachHost(targets, func(h *host) error {
		done := result[h.machine.Name]
		if !done.OK {
			return nil
		}
		want, err := p.wanted(r, h.machine)
		if err != nil {
			return err
		}
		want.At = time.Now().UTC()
		return want.write(ctx, h.shell, p.name, done.Files)
	})
}

func (r *Run) reachable(machines fleet.Fleet) error {
	var errs []error
	for _, m := range machines {
		errs = append(errs, r.hosts[m.Name].err)
	}
	return errors.Join(errs...)
}

// forEachHost does the same on all of the machines and joins the errors.
func (r *Run) forEachHost(machines fleet.Fleet, do func(*host) error) error {
	errs := make([]error, len(machines))
	r.each(len(machines), func(i int) { errs[i] = do(r.hosts[machines[i].Name]) })
	return errors.Join(errs...)
}

func lower(title string) string { return strings.ToLower(title[:1]) + title[1:] }

// few joins names and leaves out what no line can hold.
func few(names []string) string {
	const most = 3
	if len(names) > most {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
	}
	return strings.Join(names, ", ")
}
