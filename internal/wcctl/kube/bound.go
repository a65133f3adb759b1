package kube

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	schedule "k8s.io/component-helpers/scheduling/corev1"
	"k8s.io/component-helpers/scheduling/corev1/nodeaffinity"
	"k8s.io/klog/v2"
	"k8s.io/kubectl/pkg/drain"
)

// bound finds pods that no other node could take: by their volumes, by what they ask of a node, or
// because there is no other that takes pods.
type bound struct {
	others  []corev1.Node
	claims  map[string]corev1.PersistentVolumeClaim
	volumes map[string]corev1.PersistentVolume
	told    map[string]bool
}

func (c *Cluster) boundTo(ctx context.Context, node string) (*bound, error) {
	nodes, err := c.client.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, fmt.Errorf("listing the nodes: %w", err)
	}
	claims, err := c.client.CoreV1().PersistentVolumeClaims("").List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, fmt.Errorf("listing the volumes' claims: %w", err)
	}
	volumes, err := c.client.CoreV1().PersistentVolumes().List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, fmt.Errorf("listing the volumes: %w", err)
	}
	b := &bound{
		claims:  map[string]corev1.PersistentVolumeClaim{},
		volumes: map[string]corev1.PersistentVolume{}, told: map[string]bool{},
	}
	for _, n := range nodes.Items {
		if ready, _, _ := nodeReady(&n); n.Name != node && ready && !n.Spec.Unschedulable {
			b.others = append(b.others, n)
		}
	}
	for _, claim := range claims.Items {
		b.claims[claim.Namespace+"/"+claim.Name] = claim
	}
	for _, v := range volumes.Items {
		b.volumes[v.Name] = v
	}
	return b, nil
}

// filter is for kubectl's drain: bound pods stay, as those of DaemonSets do. They would only wait.
func (b *bound) filter(tell func(string)) drain.PodFilter {
	return func(pod corev1.Pod) drain.PodDeleteStatus {
		for _, n := range b.others {
			if b.takes(&n, &pod) {
				return drain.MakePodDeleteStatusOkay()
			}
		}
		if name := pod.Namespace + "/" + pod.Name; !b.told[name] {
			b.told[name] = true
			tell(name + " stays: no other node can take it")
		}
		return drain.MakePodDeleteStatusSkip()
	}
}

func (b *bound) takes(n *corev1.Node, pod *corev1.Pod) bool {
	if fits, err := nodeaffinity.GetRequiredNodeAffinity(pod).Match(n); err != nil || !fits {
		return false
	}
	repels := func(t *corev1.Taint) bool { return t.Effect != corev1.TaintEffectPreferNoSchedule }
	if _, repelled := schedule.FindMatchingUntoleratedTaint(
		klog.Background(), n.Spec.Taints, pod.Spec.Tolerations, repels, true); repelled {
		return false
	}
	for _, v := range pod.Spec.Volumes {
		if v.PersistentVolumeClaim != nil && !b.reaches(n, pod.Namespace+"/"+v.PersistentVolumeClaim.ClaimName) {
			return false
		}
	}
	return true
}

// reaches tells whether a claim's volume can be used on a node; one that has none yet can.
func (b *bound) reaches(n *corev1.Node, claim string) bool {
	volume, found := b.volumes[b.claims[claim].Spec.VolumeName]
	if !found || volume.Spec.NodeAffinity == nil || volume.Spec.NodeAffinity.Required == nil {
		return true
	}
	selector, err := nodeaffinity.NewNodeSelector(volume.Spec.NodeAffinity.Required)
	return err == nil && selector.Match(n)
}
