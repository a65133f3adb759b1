package kube

import (
	"fmt"
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	metricsv1 "k8s.io/metrics/pkg/apis/metrics/v1beta1"
)

// agent is a program that runs on every node, known by a word in its image's name.
type agent struct {
	name, image string
	// routes tells that it is a pod network, enforces that it carries out NetworkPolicies.
	routes, enforces bool
}

func agents() []agent {
	return []agent{
		{name: "Calico", image: "calico/node", routes: true, enforces: true},
		{name: "Cilium", image: "cilium/cilium", routes: true, enforces: true},
		{name: "Antrea", image: "antrea/antrea-agent", routes: true, enforces: true},
		{name: "Weave Net", image: "weave-kube", routes: true, enforces: true},
		{name: "kube-router", image: "kube-router", routes: true, enforces: true},
		{name: "flannel", image: "flannel", routes: true},
		{name: "kube-network-policies", image: "kube-network-policies", enforces: true},
	}
}

// running is an agent that a DaemonSet runs.
type running struct {
	agent
	set appsv1.DaemonSet
}

// runningAgents are those that run, whoever installed them and under whatever name.
func (s *snapshot) runningAgents() []running {
	var found []running
	for _, set := range s.daemonSets.value {
		for _, a := range agents() {
			if slices.ContainsFunc(set.Spec.Template.Spec.Containers, func(c corev1.Container) bool {
				return strings.Contains(imageName(c.Image), a.image)
			}) {
				found = append(found, running{a, set})
			}
		}
	}
	return found
}

// imageName is an image's reference without its digest and tag.
func imageName(reference string) string {
	name, _, _ := strings.Cut(reference, "@")
	if i := strings.LastIndexByte(name, ':'); i > strings.LastIndexByte(name, '/') {
		name = name[:i]
	}
	return name
}

// podsOfSet are the pods of a DaemonSet.
func (s *snapshot) podsOfSet(set *appsv1.DaemonSet) []corev1.Pod {
	var found []corev1.Pod
	for _, pod := range s.pods.value {
		if pod.Namespace == set.Namespace && slices.ContainsFunc(pod.OwnerReferences, ownedBy(set)) {
			found = append(found, pod)
		}
	}
	return found
}

func judgePodNetwork(s *snapshot, _ Options) Condition {
	if err := firstError(s.pods.err, s.nodes.err, s.daemonSets.err); err != nil {
		return unknown(err)
	}
	var conditions []Condition
	for _, r := range s.runningAgents() {
		if r.routes {
			conditions = append(conditions, s.onEveryNode(r.name, s.podsOfSet(&r.set)))
		}
	}
	if len(conditions) == 0 {
		return failing(time.Time{}, "wcctl up --only network", "no pod network that wcctl knows is installed")
	}
	// Canal is two: flannel routes, Calico enforces.
	return slices.MaxFunc(conditions, func(a, b Condition) int {
		return severity(a.State) - severity(b.State)
	})
}

func severity(s State) int {
	return slices.Index([]State{OK, NotEnforced, Warning, Unknown, Failing}, s)
}

// judgePolicies tells whether something that enforces NetworkPolicies runs on every node. It never
// takes the presence of policies for it.
func judgePolicies(s *snapshot, _ Options) Condition {
	if err := firstError(s.pods.err, s.nodes.err, s.daemonSets.err); err != nil {
		return unknown(err)
	}
	var network string
	for _, r := range s.runningAgents() {
		if r.enforces {
			c := s.onEveryNode(r.name, s.podsOfSet(&r.set))
			if c.State == OK {
				c.Message = r.name + " enforces them on " + count(len(s.nodes.value), "node")
			}
			return c
		}
		network = r.name
	}
	message := "nothing that runs here enforces them"
	if network != "" {
		message = network + " does not enforce them"
	}
	if n := len(s.policies.value); n > 0 {
		message = fmt.Sprintf("%s: %s without effect", message, policiesAre(n))
	}
	return Condition{
		State: NotEnforced, Message: message,
		Hint: "grep -n plugin wastecoach.yaml # calico enforces them; choose before the first up",
	}
}

func policiesAre(n int) string {
	if n == 1 {
		return "1 policy is"
	}
	return fmt.Sprintf("%d policies are", n)
}

func ownedBy(set *appsv1.DaemonSet) func(o metav1.OwnerReference) bool {
	return func(o metav1.OwnerReference) bool {
		return o.Kind == "DaemonSet" && o.Name == set.Name
	}
}

func usageOf(node string) func(m metricsv1.NodeMetrics) bool {
	return func(m metricsv1.NodeMetrics) bool { return m.Name == node }
}
