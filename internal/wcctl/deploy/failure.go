package deploy

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/wastecoach/wastecoach/internal/wcctl/helm"
	"github.com/wastecoach/wastecoach/internal/wcctl/redact"
)

const (
	shownLines  = 20
	shownEvents = 5
	// explainTimeout bounds the look at what went wrong.
	explainTimeout = 20 * time.Second
)

// CutShortError is a deployment that an interrupt ended.
type CutShortError struct {
	Release string
	// Left is how things stand.
	Left string
	Err  error
}

// Error implements error.
func (e *CutShortError) Error() string { return e.Release + " was interrupted: " + e.Left }

// Unwrap returns the cause.
func (e *CutShortError) Unwrap() error { return e.Err }

// FailureError is a deployment that did not become ready.
type FailureError struct {
	Release string
	// Pod and Reason name the first pod that is not as it should be; they may be empty.
	Pod    string
	Reason string
	Events []string
	// Lines are the last ones that its container logged.
	Lines []string
	// Evidence is the path of everything that is known.
	Evidence string
	// RolledBackTo is the revision that runs again, 0 for none.
	RolledBackTo int
	// Left is how things stand.
	Left string
	Err  error
}

// Error implements error.
func (e *FailureError) Error() string {
	text := "deploying " + e.Release + ": "
	if e.Pod != "" {
		text += "pod " + e.Pod + ": " + e.Reason
	} else {
		text += e.Err.Error()
	}
	for _, line := range e.Events {
		text += "\n    event: " + line
	}
	for _, line := range e.Lines {
		text += "\n    log: " + line
	}
	if e.Left != "" {
		text += "\n  now: " + e.Left
	}
	if e.Evidence != "" {
		text += "\n  evidence: " + e.Evidence
	}
	return text
}

// Unwrap returns the cause.
func (e *FailureError) Unwrap() error { return e.Err }

// explain looks at the pods of a release that did not become ready, and keeps all that it finds.
func (d *Deployer) explain(ctx context.Context, t helm.Target, cause error) *FailureError {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), explainTimeout)
	defer cancel()
	f := &FailureError{Release: t.Name, Err: cause}
	var found *PodError
	named := errors.As(cause, &found)
	var evidence bytes.Buffer
	fmt.Fprintf(&evidence, "%s\n%s\n", t.Name, cause)
	pods, err := d.Kube.CoreV1().Pods(t.Namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		fmt.Fprintf(&evidence, "listing the pods: %v\n", err)
		pods = &corev1.PodList{}
	}
	// The newest first: they are of the version that fails.
	slices.SortFunc(pods.Items, func(a, b corev1.Pod) int {
		return b.CreationTimestamp.Compare(a.CreationTimestamp.Time)
	})
	for i := range pods.Items {
		pod := &pods.Items[i]
		reason, ok := trouble(pod)
		if ok && (ready(pod) || pod.Status.Phase == corev1.PodSucceeded || pod.DeletionTimestamp != nil) {
			continue
		}
		reason = cmp.Or(reason, state(pod))
		events, lines := d.events(ctx, pod), d.lastLines(ctx, pod)
		fmt.Fprintf(&evidence, "\npod %s on %s: %s\n", pod.Name, pod.Spec.NodeName, reason)
		for _, line := range append(events, lines...) {
			fmt.Fprintf(&evidence, "  %s\n", line)
		}
		if f.Pod == "" && !named || named && pod.Name == found.Pod {
			f.Pod, f.Reason, f.Events, f.Lines = pod.Name, reason, events, lines
		}
	}
	if named && f.Pod == "" { // it is gone by now
		f.Pod, f.Reason = found.Pod, found.Reason
	}
	path, err := d.Evidence(t.Name, []byte(redact.Text(evidence.String())))
	if err == nil {
		f.Evidence = path
	}
	return f
}

// events are the last ones of a pod, the newest last.
func (d *Deployer) events(ctx context.Context, pod *corev1.Pod) []string {
	list, err := d.Kube.CoreV1().Events(pod.Namespace).List(ctx, metav1.ListOptions{
		FieldSelector: "involvedObject.uid=" + string(pod.UID),
	})
	if err != nil {
		return []string{"asking for events: " + err.Error()}
	}
	slices.SortStableFunc(list.Items, func(a, b corev1.Event) int { return when(a).Compare(when(b)) })
	lines := []string{}
	for _, e := range list.Items[max(0, len(list.Items)-shownEvents):] {
		lines = append(lines, redact.Text(strings.TrimSpace(e.Reason+": "+e.Message)))
	}
	return lines
}

func when(e corev1.Event) time.Time {
	if e.LastTimestamp.IsZero() {
		return e.EventTime.Time
	}
	return e.LastTimestamp.Time
}

// lastLines are those of the container that runs, or of the one that ended before it.
func (d *Deployer) lastLines(ctx context.Context, pod *corev1.Pod) []string {
	tail := int64(shownLines)
	for _, status := range pod.Status.ContainerStatuses {
		for _, previous := range []bool{status.RestartCount > 0 && status.State.Running == nil, false} {
			data, err := d.Kube.CoreV1().Pods(pod.Namespace).GetLogs(pod.Name, &corev1.PodLogOptions{
				Container: status.Name, TailLines: &tail, Previous: previous,
			}).DoRaw(ctx)
			if text := strings.TrimSpace(string(data)); err == nil && text != "" {
				return strings.Split(redact.Text(text), "\n")
			}
		}
	}
	return nil
}
