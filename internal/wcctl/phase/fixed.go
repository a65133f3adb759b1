package phase

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/wastecoach/wastecoach/internal/wcctl/fleet"
	"github.com/wastecoach/wastecoach/internal/wcctl/spec"
)

// settingsFile on the control plane holds what a cluster was made with. It outlives the records.
const settingsFile = "/var/lib/wastecoach/cluster.json"

// putBackHint is for settings that a cluster cannot take.
const putBackHint = "wcctl config show # put it back as it was\n" +
	"wcctl down && wcctl up # all data of the cluster is lost"

// fixed are the settings that a cluster takes only when it is made: kubeadm init runs once, and
// every machine has them since.
func fixed(c *spec.Cluster) map[string]string {
	k := c.Spec.Kubernetes
	sans := slices.Clone(k.CertificateSANs)
	slices.Sort(sans)
	return map[string]string{
		"metadata.name":                   c.Metadata.Name,
		versionPath:                       k.Version,
		"spec.kubernetes.podSubnet":       k.PodSubnet,
		"spec.kubernetes.serviceSubnet":   k.ServiceSubnet,
		"spec.kubernetes.endpoint":        k.Endpoint,
		"spec.kubernetes.certificateSANs": strings.Join(sans, " "),
		"spec.network.plugin":             string(c.Spec.Network.Plugin),
	}
}

// unchangeable refuses settings that the cluster could not take: a plan that lists them would lie.
func (r *Run) unchangeable(ctx context.Context, machines fleet.Fleet) error {
	control := machines.ControlPlane()
	// A backup says itself what the cluster will be.
	if r.touched(control.Name) || r.Restores {
		return nil
	}
	r.lookAt(ctx, machines[:1], 0)
	s := r.hosts[control.Name].survey
	if s == nil || s.made == nil {
		return nil
	}
	changed := changedSettings(r.Cluster, s.made)
	if len(changed) == 0 {
		return nil
	}
	if was := s.made[versionPath]; len(changed) == 1 && was != r.wanted() {
		return &Error{
			Phase: controlPlaneName, Host: control.Name,
			Cause: fmt.Errorf("the file wants Kubernetes %s, and the cluster has %s: up does not change a release",
				r.wanted(), was),
			Hint: "wcctl upgrade\nwcctl config show # or put spec.kubernetes.version back to " + was,
		}
	}
	return &Error{
		Phase: controlPlaneName, Host: control.Name,
		Cause: fmt.Errorf("%s, and that cannot be changed", strings.Join(changed, "; ")),
		Hint:  putBackHint,
	}
}

// changedSettings are those of a configuration that are not as a cluster was made, in words.
func changedSettings(c *spec.Cluster, made map[string]string) []string {
	want := fixed(c)
	var changed []string
	for path, was := range made {
		if now, ok := want[path]; ok && now != was {
			changed = append(changed, fmt.Sprintf("%s is %q, but the cluster was made with %q", path, now, was))
		}
	}
	slices.Sort(changed)
	return changed
}

// settle writes down what the cluster was made with, once.
func (p play) settle(
	ctx context.Context, r *Run, targets fleet.Fleet, result map[string]Played,
) error {
	if p.name != controlPlaneName || !result[targets[0].Name].OK {
		return nil
	}
	data, err := json.Marshal(fixed(r.Cluster))
	if err != nil {
		return fmt.Errorf("noting the cluster's settings: %w", err)
	}
	command := "umask 077; [ -s " + settingsFile + " ] || { cat >" + settingsFile + ".new && mv " +
		settingsFile + ".new " + settingsFile + "; }"
	_, err = r.hosts[targets[0].Name].shell.Output(ctx, command, strings.NewReader(string(data)+"\n"))
	if err != nil {
		return fmt.Errorf("noting the cluster's settings: %w", err)
	}
	return nil
}
