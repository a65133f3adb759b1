package doctor

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"
)

const (
	logLines = 200
	// logPods bounds how many pods' logs are fetched.
	logPods = 30
)

// cluster collects what the API server tells.
func (c *collector) cluster(ctx context.Context) {
	if c.Cluster == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, clusterTimeout)
	defer cancel()
	report := c.Cluster.Look(ctx, c.Wanted)
	c.mu.Lock()
	c.found.Report = &report
	c.mu.Unlock()
	if report.Conditions[0].State != "ok" {
		c.miss("API server "+c.Cluster.Address(), errors.New(report.Conditions[0].Message))
		if len(report.Nodes) == 0 {
			return
		}
	}
	c.nodes(ctx)
	c.pods(ctx)
	c.events(ctx)
	c.Progress("API server: nodes, pods, events")
}

func (c *collector) nodes(ctx context.Context) {
	list, err := c.Cluster.Client().CoreV1().Nodes().List(ctx, metav1.ListOptions{})
	if err != nil {
		c.miss("nodes", err)
		return
	}
	for i := range list.Items {
		list.Items[i].ManagedFields = nil
		list.Items[i].Status.Images = nil
	}
	text, err := yaml.Marshal(list.Items)
	if err != nil {
		c.miss("nodes", err)
		return
	}
	c.add(Evidence{Source: sourceNodes, Text: string(text)})
}

// pods are kept as a table: their specifications may hold passwords in variables.
func (c *collector) pods(ctx context.Context) {
	list, err := c.Cluster.Client().CoreV1().Pods("").List(ctx, metav1.ListOptions{})
	if err != nil {
		c.miss("pods", err)
		return
	}
	var out bytes.Buffer
	table := tabwriter.NewWriter(&out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "NAMESPACE\tNAME\tPHASE\tREADY\tRESTARTS\tNODE\tREASON")
	fetched := 0
	for _, pod := range list.Items {
		ready, restarts, reason := podState(&pod)
		fmt.Fprintf(table, "%s\t%s\t%s\t%d/%d\t%d\t%s\t%s\n", pod.Namespace, pod.Name, pod.Status.Phase, ready,
			len(pod.Spec.Containers), restarts, pod.Spec.NodeName, reason)
		system := pod.Namespace == metav1.NamespaceSystem && pod.Labels["component"] == ""
		ill := ready < len(pod.Spec.Containers) && pod.Status.Phase != corev1.PodSucceeded
		if (system || ill) && fetched < logPods {
			fetched++
			c.podLogs(ctx, &pod)
		}
	}
	if err := table.Flush(); err != nil {
		c.miss("pods", err)
	}
	c.add(Evidence{Source: sourcePods, Text: out.String()})
}

func podState(pod *corev1.Pod) (ready int, restarts int32, reason string) {
	for _, s := range slices.Concat(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses) {
		restarts += s.RestartCount
		switch {
		case s.State.Waiting != nil && s.State.Waiting.Reason != "PodInitializing":
			reason = s.State.Waiting.Reason + ": " + s.State.Waiting.Message
		case s.LastTerminationState.Terminated != nil && !s.Ready:
			reason = "before: " + s.LastTerminationState.Terminated.Reason
		}
	}
	for _, s := range pod.Status.ContainerStatuses {
		if s.Ready {
			ready++
		}
	}
	for _, cond := range pod.Status.Conditions {
		if cond.Type == corev1.PodScheduled && cond.Status == corev1.ConditionFalse {
			reason = cond.Message
		}
	}
	return ready, restarts, strings.Join(strings.Fields(reason), " ")
}

// podLogs keeps the end of each container's log, and of the run before if that one failed.
func (c *collector) podLogs(ctx context.Context, pod *corev1.Pod) {
	lines := int64(logLines)
	for _, s := range slices.Concat(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses) {
		for _, previous := range []bool{true, false} {
			if previous && (s.RestartCount == 0 || s.Ready) {
				continue
			}
			stream, err := c.Cluster.Client().CoreV1().Pods(pod.Namespace).GetLogs(pod.Name, &corev1.PodLogOptions{
				Container: s.Name, TailLines: &lines, Previous: previous, Timestamps: true,
			}).Stream(ctx)
			if err != nil {
				continue // a container that has not started has no log; the table of pods says so
			}
			text, err := readAll(stream)
			if err != nil || len(text) == 0 {
				continue
			}
			name := fmt.Sprintf("logs/%s/%s/%s", pod.Namespace, pod.Name, s.Name)
			if previous {
				name += "-previous"
			}
			c.add(Evidence{Source: name, Text: string(text), At: time.Now()})
		}
	}
}

// events are one line each, with the time first, as logs have them.
func (c *collector) events(ctx context.Context) {
	list, err := c.Cluster.Client().CoreV1().Events("").List(ctx, metav1.ListOptions{})
	if err != nil {
		c.miss("events", err)
		return
	}
	type row struct {
		at   time.Time
		text string
	}
	rows := make([]row, 0, len(list.Items))
	for _, e := range list.Items {
		at := e.LastTimestamp.Time
		if at.IsZero() {
			at = e.EventTime.Time
		}
		if e.Series != nil {
			at = e.Series.LastObservedTime.Time
		}
		rows = append(rows, row{at, fmt.Sprintf("%s %s %s %s/%s/%s x%d: %s", at.UTC().Format(time.RFC3339), e.Type,
			e.Reason, e.InvolvedObject.Namespace, e.InvolvedObject.Kind, e.InvolvedObject.Name, max(e.Count, 1),
			strings.Join(strings.Fields(e.Message), " "))})
	}
	slices.SortStableFunc(rows, func(a, b row) int { return a.at.Compare(b.at) })
	var text strings.Builder
	for _, r := range rows {
		text.WriteString(r.text + "\n")
	}
	c.add(Evidence{Source: sourceEvents, Text: text.String(), At: time.Now()})
}

func readAll(stream io.ReadCloser) ([]byte, error) {
	defer stream.Close()
	return io.ReadAll(stream)
}
