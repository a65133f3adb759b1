package deploy

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/wastecoach/wastecoach/internal/wcctl/helm"
)

const (
	// hopelessRestarts is after how many ends a container, or a Job's pods, are not waited for any more.
	hopelessRestarts = 3
	// patience is how long an image may not be pullable, or a setting be missing: a registry may be
	// restarting, and a Secret be on its way.
	patience = 20 * time.Second
)

// PodError is a pod that will not become ready by waiting.
type PodError struct{ Pod, Reason string }

// Error implements error.
func (e *PodError) Error() string { return "pod " + e.Pod + ": " + e.Reason }

// apply upgrades the release while it tells of each pod. A new pod that cannot become ready ends it
// before the time is up.
func (d *Deployer) apply(ctx context.Context, t helm.Target, o helm.Options) (helm.Revision, error) {
	w := &watcher{deployer: d, release: t.Name, namespace: t.Namespace, told: map[string]string{}}
	if err := w.begin(ctx); err != nil {
		return helm.Revision{}, err
	}
	upgrading, stop := context.WithCancelCause(ctx)
	watching, end := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		if hopeless := w.watch(watching); hopeless != nil {
			stop(hopeless)
		}
	}()
	revision, err := d.Helm.Upgrade(upgrading, t, o)
	end()
	<-done
	defer stop(nil)
	var hopeless *PodError
	if err != nil && errors.As(context.Cause(upgrading), &hopeless) {
		return revision, hopeless
	}
	return revision, err
}

// watcher follows the pods of a namespace, which are those of one release.
type watcher struct {
	deployer           *Deployer
	release, namespace string
	// old are the pods that were there before; they are another version's.
	old  map[types.UID]bool
	told map[string]string
	// since is when a pod's trouble was first seen.
	since map[types.UID]time.Time
	// failed are the Job's pods that ended badly.
	failed map[types.UID]bool
}

func (w *watcher) begin(ctx context.Context) error {
	w.old, w.since, w.failed = map[types.UID]bool{}, map[types.UID]time.Time{}, map[types.UID]bool{}
	pods, err := w.pods(ctx)
	for i := range pods {
		w.old[pods[i].UID] = true
		w.told[pods[i].Name] = state(&pods[i])
	}
	return err
}

func (w *watcher) pods(ctx context.Context) ([]corev1.Pod, error) {
	list, err := w.deployer.Kube.CoreV1().Pods(w.namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, fmt.Errorf("looking at the pods of %s: %w", w.release, err)
	}
	return list.Items, nil
}

// watch returns a pod without hope, or nil when ctx ends.
func (w *watcher) watch(ctx context.Context) *PodError {
	tick := time.NewTicker(w.deployer.Poll)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		pods, err := w.pods(ctx)
		if err != nil {
			continue // Helm's own wait judges an API server that is away
		}
		for i := range pods {
			w.tell(&pods[i])
			if !w.old[pods[i].UID] {
				if hopeless := w.judge(&pods[i]); hopeless != nil {
					return hopeless
				}
			}
		}
	}
}

func (w *watcher) tell(pod *corev1.Pod) {
	if now := state(pod); w.told[pod.Name] != now {
		w.told[pod.Name] = now
		w.deployer.note(w.release, pod.Name, now)
	}
}

// judge gives a pod up that has been in trouble for too long.
func (w *watcher) judge(pod *corev1.Pod) *PodError {
	reason, ok := trouble(pod)
	switch {
	case ok:
		delete(w.since, pod.UID)
		return nil
	case pod.Status.Phase == corev1.PodFailed:
		return w.judgeFailed(pod, reason)
	}
	if restarts(pod) >= hopelessRestarts {
		return &PodError{pod.Name, reason}
	}
	if restarts(pod) > 0 {
		return nil
	}
	first, known := w.since[pod.UID]
	if !known {
		w.since[pod.UID] = time.Now()
		return nil
	}
	if time.Since(first) < patience {
		return nil
	}
	return &PodError{pod.Name, reason}
}

// judgeFailed is about the pods of a Job: it makes new ones for minutes, which helps only where what they
// need is still starting.
func (w *watcher) judgeFailed(pod *corev1.Pod, reason string) *PodError {
	if owner := metav1.GetControllerOf(pod); owner == nil || owner.Kind != "Job" {
		return nil
	}
	w.failed[pod.UID] = true
	if neverBegan(pod) || len(w.failed) >= hopelessRestarts {
		return &PodError{pod.Name, reason}
	}
	return nil
}

// neverBegan tells of a program that the image does not have.
func neverBegan(pod *corev1.Pod) bool {
	return slices.ContainsFunc(pod.Status.ContainerStatuses, func(s corev1.ContainerStatus) bool {
		ended := s.State.Terminated
		return ended != nil && (ended.Reason == "StartError" || ended.Reason == "ContainerCannotRun")
	})
}

func restarts(pod *corev1.Pod) (most int32) {
	for _, s := range pod.Status.ContainerStatuses {
		most = max(most, s.RestartCount)
	}
	return most
}

func ready(pod *corev1.Pod) bool {
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodReady {
			return c.Status == corev1.ConditionTrue
		}
	}
	return false
}

// trouble is why a pod will not start by itself; ok is true where it may.
func trouble(pod *corev1.Pod) (reason string, ok bool) {
	statuses := append(append([]corev1.ContainerStatus{}, pod.Status.InitContainerStatuses...),
		pod.Status.ContainerStatuses...)
	for _, s := range statuses {
		if waiting := s.State.Waiting; waiting != nil {
			switch waiting.Reason {
			case "ImagePullBackOff", "ErrImagePull", "InvalidImageName", "CreateContainerConfigError",
				"CreateContainerError", "RunContainerError", "CrashLoopBackOff":
				return describe(waiting.Reason, waiting.Message, s), false
			}
		}
		if ended := s.State.Terminated; ended != nil && ended.ExitCode != 0 {
			return describe(ended.Reason, ended.Message, s), false
		}
	}
	return "", true
}

// describe adds how the container ended last, where it did.
func describe(reason, message string, s corev1.ContainerStatus) string {
	text := reason
	if last := s.LastTerminationState.Terminated; last != nil {
		text += fmt.Sprintf(" after %d restarts, last exit code %d (%s)", s.RestartCount, last.ExitCode, last.Reason)
	}
	if message != "" {
		text += ": " + message
	}
	return text
}

// state is a pod in a few words.
func state(pod *corev1.Pod) string {
	reason, ok := trouble(pod)
	switch {
	case pod.DeletionTimestamp != nil:
		return "ending"
	case !ok:
		return reason
	case ready(pod):
		return "ready"
	case pod.Status.Phase == corev1.PodPending && pod.Spec.NodeName == "":
		return "waits for a node" + unschedulable(pod)
	case pod.Status.Phase == corev1.PodPending:
		return "starting on " + pod.Spec.NodeName
	case pod.Status.Phase == corev1.PodRunning:
		return "runs on " + pod.Spec.NodeName + ", not ready yet"
	case pod.Status.Phase == corev1.PodSucceeded:
		return "done"
	}
	return string(pod.Status.Phase)
}

func unschedulable(pod *corev1.Pod) string {
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse && c.Message != "" {
			return ": " + c.Message
		}
	}
	return ""
}
