package monitor

import (
	"context"
	"fmt"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/wastecoach/wastecoach/internal/wcctl/kube"
)

// maxWaiting bounds how many pods that do not start are named.
const maxWaiting = 20

func (s *System) readCluster(ctx context.Context, at *reached) (*ClusterState, error) {
	if at.cluster == nil {
		return nil, nil // null is how a picture says that there is no cluster
	}
	o, err := at.cluster.Overview(ctx)
	if apierrors.IsUnauthorized(err) {
		return nil, &trouble{
			message: "the API server at " + at.cluster.Address() +
				" refuses the kubeconfig: it has expired, or is another cluster's",
			hint: "wcctl up --only kubeconfig",
		}
	}
	if err != nil {
		return nil, &trouble{
			message: "the API server at " + at.cluster.Address() + " does not tell", hint: "wcctl status", cause: err,
		}
	}
	return clusterState(at.cluster.Name(), o), nil
}

// BackupDue is the age from which on the newest backup is too old.
const BackupDue = kube.BackupDue

// clusterState sums up what was seen.
func clusterState(name string, o kube.Overview) *ClusterState {
	state := &ClusterState{
		Name: name, Version: o.Version, Nodes: []Node{}, Pods: map[string]int{}, Waiting: []string{},
		Rollouts: []Rollout{},
	}
	podsOn := map[string]int{}
	for i := range o.Pods {
		pod := &o.Pods[i]
		state.Pods[string(pod.Status.Phase)]++
		if pod.Status.Phase == corev1.PodRunning || pod.Status.Phase == corev1.PodPending {
			podsOn[pod.Spec.NodeName]++
		}
		if why := kube.WhyWaiting(pod); why != "" {
			state.Waiting = append(state.Waiting, fmt.Sprintf("%s/%s: %s", pod.Namespace, pod.Name, why))
		}
	}
	slices.Sort(state.Waiting)
	state.Waiting = state.Waiting[:min(len(state.Waiting), maxWaiting)]
	for _, n := range o.Nodes {
		state.Nodes = append(state.Nodes, Node{
			Name: n.Name, Roles: []string{string(n.Role)}, Ready: n.Ready, Pressure: o.Pressure[n.Name],
			CPU: shareOf(n.CPUMilli, n.CPUTotalMilli), Memory: shareOf(n.MemoryBytes, n.MemoryTotalBytes),
			Pods: podsOn[n.Name],
		})
	}
	if !o.Expire.IsZero() {
		state.CertificatesExpire = &o.Expire
	}
	if !o.BackupAt.IsZero() {
		state.BackupAt = &o.BackupAt
	}
	if !o.DatabaseBackupAt.IsZero() {
		state.DatabaseBackupAt = &o.DatabaseBackupAt
	}
	for i := range o.Deployments {
		if r, changing := rolloutOf(&o.Deployments[i]); changing {
			state.Rollouts = append(state.Rollouts, r)
		}
	}
	return state
}

// shareOf is null without metrics.
func shareOf(part, whole int64) *float64 {
	if part == 0 || whole == 0 {
		return nil
	}
	share := float64(part) / float64(whole)
	return &share
}

// rolloutOf tells how far a deployment's newest version has come, and whether it is still coming.
func rolloutOf(d *appsv1.Deployment) (Rollout, bool) {
	wanted := 1
	if d.Spec.Replicas != nil {
		wanted = int(*d.Spec.Replicas)
	}
	s := d.Status
	changing := s.ObservedGeneration < d.Generation || int(s.UpdatedReplicas) < wanted ||
		s.Replicas > s.UpdatedReplicas || int(s.AvailableReplicas) < wanted
	return Rollout{
		Name: d.Namespace + "/" + d.Name, Wanted: wanted,
		Updated: int(s.UpdatedReplicas), Ready: int(s.ReadyReplicas),
	}, changing
}
