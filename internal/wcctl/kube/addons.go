package kube

import (
	"fmt"
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
)

func judgeKubeProxy(s *snapshot, _ Options) Condition {
	if err := firstError(s.pods.err, s.nodes.err); err != nil {
		return unknown(err)
	}
	pods := s.systemPods("k8s-app", "kube-proxy")
	if len(pods) == 0 {
		return failing(time.Time{}, "sudo kubeadm init phase addon kube-proxy # on the control plane",
			"it is not installed: no service address works")
	}
	return s.onEveryNode("kube-proxy", pods)
}

// onEveryNode judges pods of which each node needs a ready one.
func (s *snapshot) onEveryNode(what string, pods []corev1.Pod) Condition {
	var bad []string
	var since, oldest time.Time
	for _, n := range s.nodes.value {
		i := slices.IndexFunc(pods, func(p corev1.Pod) bool { return p.Spec.NodeName == n.Name })
		if i < 0 {
			bad = append(bad, n.Name+": no pod yet")
			continue
		}
		ready, when := podReady(&pods[i])
		if ready {
			since = later(since, when)
			continue
		}
		bad = append(bad, n.Name+": "+s.podReason(&pods[i]))
		if oldest.IsZero() || when.Before(oldest) {
			oldest = when
		}
	}
	if len(bad) > 0 {
		return failing(oldest, "wcctl doctor", "%s is not ready on %s", what, few(bad))
	}
	return ok(since, "%s is ready on %s", what, count(len(s.nodes.value), "node"))
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// podReason is why a pod is not ready, in the words of whatever is furthest behind.
func (s *snapshot) podReason(pod *corev1.Pod) string {
	statuses := append(slices.Clone(pod.Status.InitContainerStatuses), pod.Status.ContainerStatuses...)
	for _, status := range statuses {
		if w := status.State.Waiting; w != nil && w.Reason != "PodInitializing" {
			if told := s.warnings[pod.UID]; w.Message == "" && told != "" {
				return w.Reason + ": " + told
			}
			return strings.TrimSuffix(w.Reason+": "+firstLine(w.Message), ": ")
		}
		if t := status.State.Terminated; t != nil && t.ExitCode != 0 {
			return fmt.Sprintf("%s, exit code %d", t.Reason, t.ExitCode)
		}
	}
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse {
			return "not scheduled: " + firstLine(c.Message)
		}
	}
	if pod.Status.Phase == corev1.PodRunning {
		return "runs, but is not ready"
	}
	return strings.ToLower(string(pod.Status.Phase))
}

func judgeDNS(s *snapshot, _ Options) Condition {
	if err := firstError(s.pods.err, s.deployments.err); err != nil {
		return unknown(err)
	}
	i := slices.IndexFunc(s.deployments.value, func(d appsv1.Deployment) bool {
		return d.Spec.Template.Labels["k8s-app"] == dnsApp
	})
	if i < 0 {
		return failing(time.Time{}, "sudo kubeadm init phase addon coredns # on the control plane",
			"CoreDNS is not installed")
	}
	d := s.deployments.value[i]
	want := int32(1)
	if d.Spec.Replicas != nil {
		want = *d.Spec.Replicas
	}
	if d.Status.ReadyReplicas < want || want == 0 {
		pods := s.systemPods("k8s-app", dnsApp)
		return failing(unreadySince(pods), "wcctl doctor", "%d of %d CoreDNS pods are ready%s",
			d.Status.ReadyReplicas, want, s.whyNot(pods))
	}
	if s.lookup != nil {
		return failing(time.Time{}, "wcctl doctor", "CoreDNS runs, but does not answer: %v", s.lookup)
	}
	var since time.Time
	for _, pod := range s.systemPods("k8s-app", dnsApp) {
		_, when := podReady(&pod)
		since = later(since, when)
	}
	return ok(since, "%d of %d CoreDNS pods are ready and answer for %s",
		d.Status.ReadyReplicas, want, strings.TrimSuffix(probeName, "."))
}

// whyNot is ": " and the first reason of those pods that are not ready.
func (s *snapshot) whyNot(pods []corev1.Pod) string {
	for _, pod := range pods {
		if ready, _ := podReady(&pod); !ready {
			return ": " + s.podReason(&pod)
		}
	}
	return ""
}

func unreadySince(pods []corev1.Pod) time.Time {
	var oldest time.Time
	for _, pod := range pods {
		ready, when := podReady(&pod)
		if !ready && (oldest.IsZero() || when.Before(oldest)) {
			oldest = when
		}
	}
	return oldest
}

const metricsApp = "metrics-server"

func judgeMetrics(s *snapshot, _ Options) Condition {
	i := slices.IndexFunc(s.deployments.value, func(d appsv1.Deployment) bool {
		return slices.ContainsFunc(d.Spec.Template.Spec.Containers, func(c corev1.Container) bool {
			return strings.HasSuffix(imageName(c.Image), "/"+metricsApp)
		})
	})
	switch {
	case s.deployments.err != nil:
		return unknown(s.deployments.err)
	case i < 0:
		return failing(time.Time{}, "wcctl up --only metrics", "metrics-server is not installed")
	case s.usage.err != nil:
		pods := s.podsOfDeployment(&s.deployments.value[i])
		return failing(unreadySince(pods), "wcctl doctor", "metrics.k8s.io does not answer: %s%s",
			firstLine(s.usage.err.Error()), s.whyNot(pods))
	}
	var without []string
	for _, n := range s.nodes.value {
		if !slices.ContainsFunc(s.usage.value, usageOf(n.Name)) {
			without = append(without, n.Name)
		}
	}
	if len(without) > 0 {
		return failing(time.Time{}, "wcctl doctor", "no metrics yet of %s", few(without))
	}
	return ok(time.Time{}, "CPU and memory of %s are served", count(len(s.nodes.value), "node"))
}
