package kube

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/kubectl/pkg/drain"
)

const (
	defaultDrainTimeout = 5 * time.Minute
	// evictEvery is how often an eviction is asked for again that a disruption budget refused, and how
	// often the node is looked at meanwhile.
	evictEvery = 2 * time.Second
)

// ErrNodeLost says that a node stopped answering while it was emptied: its pods cannot end.
var ErrNodeLost = errors.New("it stopped answering while it was emptied")

// DrainOptions say how to empty a node.
type DrainOptions struct {
	Node string
	// Timeout bounds it; 5 minutes where it is 0.
	Timeout time.Duration
	// Force also deletes pods that no controller brings back, and after Timeout those that a
	// disruption budget protects.
	Force bool
	// KeepBound leaves pods where they are that no other node could take.
	KeepBound bool
	// Tell hears each pod that is gone, and each that may not go yet; it may be nil.
	Tell func(text string)
}

// UnmanagedError names pods that would be lost: no controller brings them back.
type UnmanagedError struct{ Reasons []string }

// Error implements error.
func (e *UnmanagedError) Error() string { return strings.Join(e.Reasons, "; ") }

// ProtectedError names pods that were not allowed to go in time.
type ProtectedError struct {
	Pods    []string
	Timeout time.Duration
	Cause   error
}

// Error implements error.
func (e *ProtectedError) Error() string {
	return fmt.Sprintf("after %s these pods are still there: %s; a disruption budget protects them, or "+
		"they do not end", e.Timeout, few(e.Pods))
}

// Unwrap returns the cause.
func (e *ProtectedError) Unwrap() error { return e.Cause }

// Cordon keeps new pods from a node; did is false where it was so already.
func (c *Cluster) Cordon(ctx context.Context, node string) (did bool, err error) {
	return c.setUnschedulable(ctx, node, true)
}

// Uncordon lets new pods onto a node; a node that is gone needs none.
func (c *Cluster) Uncordon(ctx context.Context, node string) error {
	_, err := c.setUnschedulable(ctx, node, false)
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}

func (c *Cluster) setUnschedulable(ctx context.Context, name string, wanted bool) (did bool, err error) {
	node, err := c.client.CoreV1().Nodes().Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return false, fmt.Errorf("reading the node %s: %w", name, err)
	}
	helper := drain.NewCordonHelper(node)
	if !helper.UpdateIfRequired(wanted) {
		return false, nil
	}
	// The second error is why it was replaced instead of patched; it matters only beside the first.
	err, patchErr := helper.PatchOrReplaceWithContext(ctx, c.client, false)
	if err != nil {
		return false, fmt.Errorf("changing the node %s: %w", name, errors.Join(err, patchErr))
	}
	return true, nil
}

// Evictable are the pods that have to leave a node before it goes; a pod that would be lost is an
// *UnmanagedError unless force allows it.
func (c *Cluster) Evictable(ctx context.Context, node string, force bool) ([]corev1.Pod, error) {
	return evictable(c.drainer(ctx, DrainOptions{Node: node, Force: force}), node)
}

func evictable(helper *drain.Helper, node string) ([]corev1.Pod, error) {
	list, errs := helper.GetPodsForDeletion(node)
	if len(errs) > 0 {
		reasons := make([]string, len(errs))
		for i, err := range errs {
			reasons[i] = err.Error()
		}
		if list == nil {
			return nil, fmt.Errorf("listing the pods of %s: %w", node, errors.Join(errs...))
		}
		return nil, &UnmanagedError{Reasons: reasons}
	}
	return list.Pods(), nil
}

// Drain evicts a node's pods and waits until they are gone; pods of DaemonSets stay. It returns
// ErrNodeLost at once when the node dies meanwhile.
func (c *Cluster) Drain(ctx context.Context, o DrainOptions) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go c.watchLoss(ctx, o.Node, cancel)
	err := c.empty(ctx, o)
	if err != nil && errors.Is(context.Cause(ctx), ErrNodeLost) {
		return ErrNodeLost
	}
	return err
}

// watchLoss cancels with ErrNodeLost once the node is not ready any more.
func (c *Cluster) watchLoss(ctx context.Context, node string, cancel context.CancelCauseFunc) {
	tick := time.NewTicker(cmp.Or(c.evictEvery, evictEvery))
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if found, ready, err := c.HasNode(ctx, node); err == nil && found && !ready {
				cancel(ErrNodeLost)
				return
			}
		}
	}
}

func (c *Cluster) empty(ctx context.Context, o DrainOptions) error {
	if o.Timeout == 0 {
		o.Timeout = defaultDrainTimeout
	}
	if o.Tell == nil {
		o.Tell = func(string) {}
	}
	helper := c.drainer(ctx, o)
	if o.KeepBound {
		stays, err := c.boundTo(ctx, o.Node)
		if err != nil {
			return err
		}
		helper.AdditionalFilters = append(helper.AdditionalFilters, stays.filter(o.Tell))
	}
	pods, err := evictable(helper, o.Node)
	if err != nil {
		return err
	}
	err = helper.DeleteOrEvictPods(pods)
	if err != nil && o.Force && ctx.Err() == nil {
		if pods, err = evictable(helper, o.Node); err == nil {
			helper.DisableEviction = true
			err = helper.DeleteOrEvictPods(pods)
		}
	}
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	helper.Force = true
	left, listErr := evictable(helper, o.Node)
	if listErr != nil || len(left) == 0 {
		return fmt.Errorf("emptying %s: %w", o.Node, err)
	}
	return &ProtectedError{Pods: podNames(left), Timeout: o.Timeout, Cause: err}
}

func podNames(pods []corev1.Pod) []string {
	names := make([]string, len(pods))
	for i, p := range pods {
		names[i] = p.Namespace + "/" + p.Name
	}
	slices.Sort(names)
	return names
}

// drainer is kubectl's own. Data in emptyDir volumes goes with the node: that is what they are.
func (c *Cluster) drainer(ctx context.Context, o DrainOptions) *drain.Helper {
	if o.Tell == nil {
		o.Tell = func(string) {}
	}
	return &drain.Helper{
		Ctx: ctx, Client: c.client, Force: o.Force, GracePeriodSeconds: -1, IgnoreAllDaemonSets: true,
		DeleteEmptyDirData: true, Timeout: o.Timeout, EvictErrorRetryDelay: cmp.Or(c.evictEvery, evictEvery),
		Out: io.Discard, ErrOut: &refusals{tell: o.Tell, told: map[string]bool{}},
		OnPodDeletionOrEvictionFinished: func(pod *corev1.Pod, _ bool, err error) {
			if err == nil {
				o.Tell("moved " + pod.Namespace + "/" + pod.Name)
			}
		},
	}
}

// refusals tells each pod that may not go once; kubectl says it every time that it asks.
type refusals struct {
	tell func(text string)
	mu   sync.Mutex
	told map[string]bool
}

// Write implements io.Writer for lines like `error when evicting pods/"a" -n "b" (will retry …): …`.
func (r *refusals) Write(data []byte) (int, error) {
	const act = "error when evicting pods/"
	for line := range bytes.Lines(data) {
		rest, found := strings.CutPrefix(string(line), act)
		if !found {
			continue
		}
		pod, why, _ := strings.Cut(rest, " (will retry")
		_, why, _ = strings.Cut(why, "): ")
		r.mu.Lock()
		known := r.told[pod]
		r.told[pod] = true
		r.mu.Unlock()
		if !known {
			name, namespace, _ := strings.Cut(strings.ReplaceAll(pod, `"`, ""), " -n ")
			r.tell(fmt.Sprintf("%s/%s may not go yet: %s", namespace, name, strings.TrimSpace(why)))
		}
	}
	return len(data), nil
}

// HasNode tells whether the cluster has a node of that name, and whether it is ready.
func (c *Cluster) HasNode(ctx context.Context, name string) (found, ready bool, err error) {
	node, err := c.client.CoreV1().Nodes().Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return false, false, nil
	}
	if err != nil {
		return false, false, fmt.Errorf("reading the node %s: %w", name, err)
	}
	ready, _, _ = nodeReady(node)
	return true, ready, nil
}

// DeleteNode deletes a node; one that is gone is no error.
func (c *Cluster) DeleteNode(ctx context.Context, name string) error {
	err := c.client.CoreV1().Nodes().Delete(ctx, name, metav1.DeleteOptions{})
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("deleting the node %s: %w", name, err)
	}
	return nil
}
