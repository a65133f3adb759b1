package kube

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Overview is a look at a cluster that is cheap enough to be repeated every few seconds: a handful of
// lists, no login on a machine.
type Overview struct {
	Version     string
	Nodes       []Node
	Pressure    map[string][]string // by node: disk, memory, process ids, network
	Pods        []corev1.Pod
	Deployments []appsv1.Deployment
	// Expire is the first end of a certificate that can be seen from here; zero where none can.
	Expire time.Time
	// BackupAt is the time of the newest backup; zero where none is known.
	BackupAt time.Time
	// DatabaseBackupAt is the same for PostgreSQL.
	DatabaseBackupAt time.Time
}

// certificateLook is how long what was seen of certificates is believed.
const certificateLook = 10 * time.Minute

// Overview looks. Without metrics the nodes' usage is 0.
func (c *Cluster) Overview(ctx context.Context) (Overview, error) {
	var (
		s  = &snapshot{at: time.Now()}
		o  Overview
		wg sync.WaitGroup
	)
	c.observeWorkload(ctx, s, &wg, metav1.NamespaceAll)
	wg.Go(func() { o.Expire = c.firstEnd(ctx) })
	wg.Go(func() { o.BackupAt = c.backupAt(ctx) })
	wg.Go(func() { o.DatabaseBackupAt = c.databaseBackupAt(ctx) })
	wg.Wait()
	if err := firstError(s.version.err, s.nodes.err, s.pods.err, s.deployments.err); err != nil {
		return Overview{}, err
	}
	o.Version, o.Pods, o.Deployments = s.version.value, s.pods.value, s.deployments.value
	o.Nodes, o.Pressure = s.nodeTable(Options{}), map[string][]string{}
	for _, n := range s.nodes.value {
		o.Pressure[n.Name] = pressureOf(n)
	}
	return o, nil
}

// firstEnd is of the certificates that the API server shows and the kubeconfig holds.
func (c *Cluster) firstEnd(ctx context.Context) time.Time {
	return recall(c, "first-end", func() (time.Time, time.Duration) {
		found, errs := c.readCertificates(ctx, Options{})
		if len(found) == 0 {
			return time.Time{}, 0
		}
		first := slices.MinFunc(found, func(a, b Certificate) int { return a.NotAfter.Compare(b.NotAfter) })
		if errors.Join(errs...) != nil {
			return first.NotAfter, 0
		}
		return first.NotAfter, certificateLook
	})
}

// shortages are the conditions of a node that tell of too little of something.
var shortages = map[corev1.NodeConditionType]string{
	corev1.NodeDiskPressure: "disk", corev1.NodeMemoryPressure: "memory",
	corev1.NodePIDPressure: "process ids", corev1.NodeNetworkUnavailable: "network",
}

func pressureOf(n corev1.Node) []string {
	short := []string{}
	for _, c := range n.Status.Conditions {
		if what, is := shortages[c.Type]; is && c.Status == corev1.ConditionTrue {
			short = append(short, what)
		}
	}
	return short
}

// WhyWaiting is why a pod that should run does not, or empty.
func WhyWaiting(pod *corev1.Pod) string {
	ready, _ := podReady(pod)
	if ready || pod.Status.Phase == corev1.PodSucceeded || pod.DeletionTimestamp != nil {
		return ""
	}
	return (&snapshot{}).podReason(pod)
}

// Trouble is an event of Kubernetes that tells of trouble.
type Trouble struct {
	At time.Time
	// Kind and Object are what it is about, e.g. Pod and waste/waste-api-0.
	Kind, Object    string
	Reason, Message string
}

// Warnings are the warnings that the API server still keeps, about an hour's.
func (c *Cluster) Warnings(ctx context.Context) ([]Trouble, error) {
	list, err := c.client.CoreV1().Events("").List(ctx, metav1.ListOptions{FieldSelector: "type=Warning"})
	if err != nil {
		return nil, err
	}
	warnings := make([]Trouble, 0, len(list.Items))
	for _, e := range list.Items {
		at := e.LastTimestamp.Time
		if at.IsZero() {
			at = e.EventTime.Time
		}
		if e.Series != nil {
			at = e.Series.LastObservedTime.Time
		}
		warnings = append(warnings, Trouble{
			At: at, Kind: e.InvolvedObject.Kind,
			Object: strings.TrimPrefix(e.InvolvedObject.Namespace+"/"+e.InvolvedObject.Name, "/"),
			Reason: e.Reason, Message: essence(e.Message),
		})
	}
	return warnings, nil
}

// PodsOf lists the pods that a label selector chooses in a namespace.
func (c *Cluster) PodsOf(ctx context.Context, namespace, selector string) ([]corev1.Pod, error) {
	list, err := c.client.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{LabelSelector: selector})
	if err != nil {
		return nil, fmt.Errorf("looking for pods %s in %s: %w", selector, namespace, err)
	}
	return list.Items, nil
}

// Secret reads one value of a secret.
func (c *Cluster) Secret(ctx context.Context, namespace, name, key string) (string, error) {
	secret, err := c.client.CoreV1().Secrets(namespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return "", fmt.Errorf("reading the secret %s in %s: %w", name, namespace, err)
	}
	value, found := secret.Data[key]
	if !found {
		return "", fmt.Errorf("the secret %s in %s has no %s", name, namespace, key)
	}
	return string(value), nil
}
