package kube

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	metricsv1 "k8s.io/metrics/pkg/apis/metrics/v1beta1"
)

// snapshot is everything that one look saw; the judgments are pure functions of it.
type snapshot struct {
	at time.Time
	// apiErr is why the API server cannot be asked anything.
	apiErr error
	// failed are the API server's own checks that do not pass.
	failed  []string
	latency time.Duration
	// ahead is how far the API server's clock is ahead of this computer's, to the second.
	ahead time.Duration

	version     answer[string]
	nodes       answer[[]corev1.Node]
	pods        answer[[]corev1.Pod]
	daemonSets  answer[[]appsv1.DaemonSet]
	deployments answer[[]appsv1.Deployment]
	leases      answer[[]coordinationv1.Lease]
	policies    answer[[]networkingv1.NetworkPolicy]
	usage       answer[[]metricsv1.NodeMetrics]
	server      answer[serverMetrics]
	backup      answer[Backup]
	lookup      error

	databaseBackup answer[DatabaseBackup]
	// warnings are the last words about pods that do not start.
	warnings map[types.UID]string

	certificates   []Certificate
	certificateErr []error
}

// answer is a value, or why there is none.
type answer[T any] struct {
	value T
	err   error
}

func answered[T any](value T, err error) answer[T] { return answer[T]{value, err} }

func (c *Cluster) observe(ctx context.Context, opts Options) *snapshot {
	s := &snapshot{at: time.Now()}
	var wg sync.WaitGroup
	wg.Go(func() { s.certificates, s.certificateErr = c.readCertificates(ctx, opts) })
	c.observeServer(ctx, s)
	if s.apiErr == nil {
		c.observeObjects(ctx, s, &wg)
	}
	wg.Wait()
	if s.apiErr == nil {
		s.lookup = c.lookupName(ctx, s)
	}
	return s
}

// observeServer asks the API server for its health, with the time that it took and its clock.
func (c *Cluster) observeServer(ctx context.Context, s *snapshot) {
	_, header, err := c.get(ctx, "/readyz")
	s.latency = time.Since(s.at)
	var status *statusError
	switch {
	case errors.As(err, &status) && status.Code == http.StatusInternalServerError:
		s.failed = failedChecks(status.Body)
	case err != nil:
		s.apiErr = err
		return
	}
	if date, err := http.ParseTime(header.Get("Date")); err == nil {
		// The header has whole seconds: its middle is the best guess.
		middle := s.at.Add(s.latency / 2)
		s.ahead = date.Add(time.Second / 2).Sub(middle)
	}
}

func (c *Cluster) observeObjects(ctx context.Context, s *snapshot, wg *sync.WaitGroup) {
	c.observeWorkload(ctx, s, wg, metav1.NamespaceSystem)
	all := metav1.ListOptions{}
	wg.Go(func() {
		list, err := c.client.AppsV1().DaemonSets("").List(ctx, all)
		s.daemonSets = answered(itemsOf(list, err,
			func(l *appsv1.DaemonSetList) []appsv1.DaemonSet { return l.Items }))
	})
	wg.Go(func() {
		list, err := c.client.CoordinationV1().Leases(corev1.NamespaceNodeLease).List(ctx, all)
		s.leases = answered(itemsOf(list, err,
			func(l *coordinationv1.LeaseList) []coordinationv1.Lease { return l.Items }))
	})
	wg.Go(func() {
		list, err := c.client.NetworkingV1().NetworkPolicies("").List(ctx, all)
		s.policies = answered(itemsOf(list, err,
			func(l *networkingv1.NetworkPolicyList) []networkingv1.NetworkPolicy { return l.Items }))
	})
	wg.Go(func() { s.server = c.serverMetrics(ctx) })
	wg.Go(func() { s.backup = answered(c.Backup(ctx)) })
	wg.Go(func() { s.databaseBackup = answered(c.DatabaseBackup(ctx)) })
	wg.Go(func() { s.warnings = c.podWarnings(ctx) })
}

// observeWorkload asks for the version, the nodes with their usage, all pods, and the deployments of a
// namespace, or of all where it is empty.
func (c *Cluster) observeWorkload(ctx context.Context, s *snapshot, wg *sync.WaitGroup, namespace string) {
	all := metav1.ListOptions{}
	wg.Go(func() {
		v, err := c.client.Discovery().ServerVersion()
		if err == nil {
			s.version.value = v.GitVersion
		}
		s.version.err = err
	})
	wg.Go(func() {
		list, err := c.client.CoreV1().Nodes().List(ctx, all)
		s.nodes = answered(itemsOf(list, err, func(l *corev1.NodeList) []corev1.Node { return l.Items }))
	})
	wg.Go(func() {
		list, err := c.client.CoreV1().Pods("").List(ctx, all)
		s.pods = answered(itemsOf(list, err, func(l *corev1.PodList) []corev1.Pod { return l.Items }))
	})
	wg.Go(func() {
		list, err := c.client.AppsV1().Deployments(namespace).List(ctx, all)
		s.deployments = answered(itemsOf(list, err,
			func(l *appsv1.DeploymentList) []appsv1.Deployment { return l.Items }))
	})
	wg.Go(func() {
		list, err := c.usage.MetricsV1beta1().NodeMetricses().List(ctx, all)
		s.usage = answered(itemsOf(list, err,
			func(l *metricsv1.NodeMetricsList) []metricsv1.NodeMetrics { return l.Items }))
	})
}

// itemsOf spares each list its own check for an error.
func itemsOf[L, T any](list *L, err error, items func(*L) []T) ([]T, error) {
	if err != nil {
		return nil, err
	}
	return items(list), nil
}

// systemPods are Kubernetes's own pods with that label.
func (s *snapshot) systemPods(label, value string) []corev1.Pod {
	var found []corev1.Pod
	for _, pod := range s.pods.value {
		if pod.Namespace == metav1.NamespaceSystem && pod.Labels[label] == value {
			found = append(found, pod)
		}
	}
	return found
}

// podsOfDeployment are the pods that its selector chooses.
func (s *snapshot) podsOfDeployment(d *appsv1.Deployment) []corev1.Pod {
	selector, err := metav1.LabelSelectorAsSelector(d.Spec.Selector)
	if err != nil {
		return nil
	}
	var found []corev1.Pod
	for _, pod := range s.pods.value {
		if pod.Namespace == d.Namespace && selector.Matches(labels.Set(pod.Labels)) {
			found = append(found, pod)
		}
	}
	return found
}

// podWarnings are only a better wording: without them, a pod's own state is told.
func (c *Cluster) podWarnings(ctx context.Context) map[types.UID]string {
	list, err := c.client.CoreV1().Events("").List(ctx, metav1.ListOptions{
		FieldSelector: "type=Warning,involvedObject.kind=Pod",
	})
	if err != nil {
		return nil
	}
	warnings, last := map[types.UID]string{}, map[types.UID]time.Time{}
	for _, e := range list.Items {
		at := e.LastTimestamp.Time
		if e.Series != nil {
			at = e.Series.LastObservedTime.Time
		}
		if id := e.InvolvedObject.UID; !at.Before(last[id]) {
			last[id] = at
			warnings[id] = essence(e.Message)
		}
	}
	return warnings
}

// essence leaves out the layers that a message came through, and what no line can hold.
func essence(message string) string {
	const longest = 200
	message = firstLine(message)
	for _, layer := range []string{"desc = ", "): "} {
		if i := strings.LastIndex(message, layer); i >= 0 {
			message = message[i+len(layer):]
		}
	}
	if len(message) > longest {
		message = strings.ToValidUTF8(message[:longest], "") + "…"
	}
	return message
}
