package kube

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const (
	probePort = 8080
	probePod  = "server"
	// probeStart is how long the pod may take; its image is on the node already.
	probeStart = 90 * time.Second
	// probeSettle is how long an enforcer may take to carry out a new policy.
	probeSettle  = 20 * time.Second
	probeEvery   = 500 * time.Millisecond
	probeTimeout = 3 * time.Second
	probeCleanup = 30 * time.Second
)

// ProbePolicies finds out whether NetworkPolicies are enforced, whoever claims what: a pod on a
// worker answers the control plane, a policy forbids it, and the pod is asked again. It makes a
// namespace for that and deletes it. The image is CoreDNS's, which every cluster has.
func (c *Cluster) ProbePolicies(ctx context.Context) (enforced bool, err error) {
	namespace, err := c.client.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{
		ObjectMeta: metav1.ObjectMeta{
			GenerateName: "wcctl-probe-",
			Labels:       map[string]string{"app.kubernetes.io/managed-by": "wcctl"},
		},
	}, metav1.CreateOptions{})
	if err != nil {
		return false, fmt.Errorf("making a namespace to probe network policies in: %w", err)
	}
	defer func() {
		// The probe goes away even when its context has ended.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), probeCleanup)
		defer cancel()
		deleted := c.client.CoreV1().Namespaces().Delete(ctx, namespace.Name, metav1.DeleteOptions{})
		if deleted != nil {
			err = errors.Join(err, fmt.Errorf("deleting the namespace %s: %w", namespace.Name, deleted))
		}
	}()
	if err := c.startProbe(ctx, namespace.Name); err != nil {
		return false, err
	}
	if err := poll(ctx, probeStart, func() bool { return c.probeAnswers(ctx, namespace.Name) }); err != nil {
		return false, fmt.Errorf("waiting for the probe's pod to answer: %w", err)
	}
	if err := c.forbidAll(ctx, namespace.Name); err != nil {
		return false, err
	}
	err = poll(ctx, probeSettle, func() bool { return !c.probeAnswers(ctx, namespace.Name) })
	if errors.Is(err, errNotInTime) {
		return false, nil
	}
	return err == nil, err
}

func (c *Cluster) startProbe(ctx context.Context, namespace string) error {
	image, err := c.coreDNSImage(ctx)
	if err != nil {
		return err
	}
	corefile := fmt.Sprintf(".:10053 {\n  health :%d\n}\n", probePort)
	_, err = c.client.CoreV1().ConfigMaps(namespace).Create(ctx, &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Name: probePod}, Data: map[string]string{"Corefile": corefile},
	}, metav1.CreateOptions{})
	if err == nil {
		_, err = c.client.CoreV1().Pods(namespace).Create(ctx, probeSpec(image), metav1.CreateOptions{})
	}
	if err != nil {
		return fmt.Errorf("starting the probe's pod: %w", err)
	}
	return nil
}

func (c *Cluster) coreDNSImage(ctx context.Context) (string, error) {
	list, err := c.client.AppsV1().Deployments("kube-system").List(ctx,
		metav1.ListOptions{LabelSelector: "k8s-app=" + dnsApp})
	if err != nil {
		return "", fmt.Errorf("looking for CoreDNS's image: %w", err)
	}
	for _, d := range list.Items {
		for _, container := range d.Spec.Template.Spec.Containers {
			return container.Image, nil
		}
	}
	return "", errors.New("looking for CoreDNS's image: it is not installed")
}

// probeSpec keeps the pod off the control plane: a node may always talk to its own pods.
func probeSpec(image string) *corev1.Pod {
	no, yes, user := false, true, int64(65532)
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: probePod},
		Spec: corev1.PodSpec{
			AutomountServiceAccountToken: &no,
			Affinity: &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{
				RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{
					NodeSelectorTerms: []corev1.NodeSelectorTerm{{
						MatchExpressions: []corev1.NodeSelectorRequirement{{
							Key: controlPlaneLabel, Operator: corev1.NodeSelectorOpDoesNotExist,
						}},
					}},
				},
			}},
			SecurityContext: &corev1.PodSecurityContext{
				RunAsNonRoot: &yes, RunAsUser: &user,
				SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
			},
			Containers: []corev1.Container{{
				Name: probePod, Image: image, Args: []string{"-conf", "/probe/Corefile"},
				SecurityContext: &corev1.SecurityContext{
					AllowPrivilegeEscalation: &no, ReadOnlyRootFilesystem: &yes,
					// CoreDNS's program carries this one: without it, it cannot be started at all.
					Capabilities: &corev1.Capabilities{
						Drop: []corev1.Capability{"ALL"}, Add: []corev1.Capability{"NET_BIND_SERVICE"},
					},
				},
				VolumeMounts: []corev1.VolumeMount{{Name: "probe", MountPath: "/probe"}},
			}},
			Volumes: []corev1.Volume{{
				Name: "probe", VolumeSource: corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{
					LocalObjectReference: corev1.LocalObjectReference{Name: probePod},
				}},
			}},
			TerminationGracePeriodSeconds: new(int64),
		},
	}
}

func (c *Cluster) forbidAll(ctx context.Context, namespace string) error {
	_, err := c.client.NetworkingV1().NetworkPolicies(namespace).Create(ctx, &networkingv1.NetworkPolicy{
		ObjectMeta: metav1.ObjectMeta{Name: "forbid-all"},
		Spec: networkingv1.NetworkPolicySpec{
			PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeIngress},
		},
	}, metav1.CreateOptions{})
	if err != nil {
		return fmt.Errorf("forbidding all traffic to the probe's pod: %w", err)
	}
	return nil
}

// probeAnswers asks the pod through the API server, which is in the control plane's network.
func (c *Cluster) probeAnswers(ctx context.Context, namespace string) bool {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	body, err := c.client.CoreV1().Pods(namespace).
		ProxyGet("http", probePod, strconv.Itoa(probePort), "/health", nil).DoRaw(ctx)
	return err == nil && strings.TrimSpace(string(body)) == "OK"
}

var errNotInTime = errors.New("it did not happen in time")

// poll asks until done says yes.
func poll(ctx context.Context, limit time.Duration, done func() bool) error {
	deadline := time.NewTimer(limit)
	defer deadline.Stop()
	tick := time.NewTicker(probeEvery)
	defer tick.Stop()
	for !done() {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-deadline.C:
			return errNotInTime
		case <-tick.C:
		}
	}
	return nil
}

// Probed puts what ProbePolicies found in place of what the agents that run promise.
func Probed(conditions []Condition, enforced bool) []Condition {
	conditions = slices.Clone(conditions)
	for i := range conditions {
		c := &conditions[i]
		if c.Name != policyCondition {
			continue
		}
		switch {
		case enforced:
			c.State, c.Message, c.Hint = OK, "probed: a policy kept traffic from a pod", ""
		case c.State == OK:
			c.State, c.Hint = Failing, "wcctl doctor"
			c.Message = "probed: traffic reached a pod against a policy, although " + c.Message
		default:
			c.State = NotEnforced
			c.Message = "probed: traffic reached a pod against a policy; " + c.Message
		}
	}
	return conditions
}
