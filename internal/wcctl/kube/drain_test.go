package kube

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
)

// evicting is a cluster whose eviction subresource works: pods named "protected" may not go.
func evicting(pods ...*corev1.Pod) *Cluster {
	first := node(machines()[1])
	objects := []runtime.Object{&first}
	for _, p := range pods {
		objects = append(objects, p)
	}
	client := fake.NewClientset(objects...)
	client.Resources = []*metav1.APIResourceList{{
		GroupVersion: "v1",
		APIResources: []metav1.APIResource{{
			Name: "pods/eviction", Kind: "Eviction", Group: "policy", Version: "v1",
		}},
	}}
	client.PrependReactor("create", "pods", func(a clienttesting.Action) (bool, runtime.Object, error) {
		if a.GetSubresource() != "eviction" {
			return false, nil, nil
		}
		eviction := a.(clienttesting.CreateAction).GetObject().(*policyv1.Eviction)
		if eviction.Name == "protected" {
			return true, nil, apierrors.NewTooManyRequests(
				"Cannot evict pod as it would violate the pod's disruption budget.", 0)
		}
		return true, nil, client.Tracker().Delete(
			corev1.SchemeGroupVersion.WithResource("pods"), eviction.Namespace, eviction.Name)
	})
	return &Cluster{client: client, evictEvery: time.Millisecond}
}

func owned(name, kind string) *corev1.Pod {
	p := pod("default", name, "demo-worker-1", nil)
	yes := true
	if kind != "" {
		p.OwnerReferences = []metav1.OwnerReference{{Kind: kind, Name: "o", Controller: &yes, APIVersion: "apps/v1"}}
	}
	return &p
}

func left(t *testing.T, c *Cluster) string {
	t.Helper()
	list, err := c.client.CoreV1().Pods("").List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(podNames(list.Items), " ")
}

func TestDrain(t *testing.T) {
	t.Parallel()
	c := evicting(owned("web", "ReplicaSet"), owned("db", "StatefulSet"))
	var told []string
	err := c.Drain(t.Context(), DrainOptions{Node: "demo-worker-1", Tell: func(s string) { told = append(told, s) }})
	if err != nil || left(t, c) != "" || len(told) != 2 {
		t.Errorf("%v, left %q, told %q", err, left(t, c), told)
	}
}

func TestDrainRefusesToLosePods(t *testing.T) {
	t.Parallel()
	c := evicting(owned("alone", ""), owned("web", "ReplicaSet"))
	var unmanaged *UnmanagedError
	if err := c.Drain(t.Context(), DrainOptions{Node: "demo-worker-1"}); !errors.As(err, &unmanaged) {
		t.Errorf("%v", err)
	}
	if got := left(t, c); got != "default/alone default/web" {
		t.Errorf("left %q: something was evicted", got)
	}
	if err := c.Drain(t.Context(), DrainOptions{Node: "demo-worker-1", Force: true}); err != nil || left(t, c) != "" {
		t.Errorf("forced: %v, left %q", err, left(t, c))
	}
}

func TestDrainHonorsBudgets(t *testing.T) {
	t.Parallel()
	c := evicting(owned("protected", "ReplicaSet"), owned("web", "ReplicaSet"))
	told := make(chan string, 10)
	o := DrainOptions{
		Node: "demo-worker-1", Timeout: 50 * time.Millisecond, Tell: func(s string) { told <- s },
	}
	err := c.Drain(t.Context(), o)
	var protected *ProtectedError
	if !errors.As(err, &protected) || strings.Join(protected.Pods, " ") != "default/protected" {
		t.Fatalf("%v", err)
	}
	close(told)
	refused := 0
	for text := range told {
		if strings.HasPrefix(text, "default/protected may not go yet: Cannot evict pod") {
			refused++
		}
	}
	if refused != 1 {
		t.Errorf("the refusal was told %d times", refused)
	}
	o.Force, o.Tell = true, nil
	if err := c.Drain(t.Context(), o); err != nil || left(t, c) != "" {
		t.Errorf("forced: %v, left %q", err, left(t, c))
	}
}

func TestDrainEndsWithItsContext(t *testing.T) {
	t.Parallel()
	c := evicting(owned("protected", "ReplicaSet"))
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := c.Drain(ctx, DrainOptions{Node: "demo-worker-1"}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
}

// A node may die just before, when the cluster does not know yet, or meanwhile.
func TestDrainEndsWhenItsNodeDies(t *testing.T) {
	t.Parallel()
	c := evicting(owned("protected", "ReplicaSet"))
	died := func(string) { // it is told that the pod may not go yet, so draining has begun
		n := node(machines()[1])
		for i := range n.Status.Conditions {
			if n.Status.Conditions[i].Type == corev1.NodeReady {
				n.Status.Conditions[i].Status = corev1.ConditionUnknown
			}
		}
		if _, err := c.client.CoreV1().Nodes().UpdateStatus(t.Context(), &n, metav1.UpdateOptions{}); err != nil {
			t.Error(err)
		}
	}
	err := c.Drain(t.Context(), DrainOptions{Node: "demo-worker-1", Tell: died})
	if !errors.Is(err, ErrNodeLost) {
		t.Errorf("%v", err)
	}
}

func TestCordon(t *testing.T) {
	t.Parallel()
	c := evicting()
	for i, want := range []bool{true, false} {
		if did, err := c.Cordon(t.Context(), "demo-worker-1"); did != want || err != nil {
			t.Errorf("time %d: %v, %v", i, did, err)
		}
	}
	if err := c.Uncordon(t.Context(), "demo-worker-1"); err != nil {
		t.Error(err)
	}
	n, err := c.client.CoreV1().Nodes().Get(t.Context(), "demo-worker-1", metav1.GetOptions{})
	if err != nil || n.Spec.Unschedulable {
		t.Errorf("%v, %v", n, err)
	}
	if err := c.DeleteNode(t.Context(), "demo-worker-1"); err != nil {
		t.Error(err)
	}
	if err := c.DeleteNode(t.Context(), "demo-worker-1"); err != nil {
		t.Errorf("the second time: %v", err)
	}
	if err := c.Uncordon(t.Context(), "demo-worker-1"); err != nil {
		t.Errorf("a node that is gone: %v", err)
	}
}
