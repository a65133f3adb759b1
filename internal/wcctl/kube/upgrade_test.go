package kube

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"
)

func TestOnlyANodeThatWcctlClosedIsOpened(t *testing.T) {
	t.Parallel()
	ours, theirs := node(machines()[1]), node(machines()[2])
	theirs.Spec.Unschedulable = true
	c := &Cluster{client: fake.NewClientset(&ours, &theirs)}
	closed := func() []bool {
		list, err := c.client.CoreV1().Nodes().List(t.Context(), metav1.ListOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return []bool{list.Items[0].Spec.Unschedulable, list.Items[1].Spec.Unschedulable}
	}
	for _, n := range []string{ours.Name, theirs.Name, ours.Name} {
		if err := c.CloseNode(t.Context(), n); err != nil {
			t.Fatal(err)
		}
	}
	if got := closed(); !got[0] || !got[1] {
		t.Errorf("closed %v", got)
	}
	kubelets, err := c.Kubelets(t.Context())
	if err != nil || !kubelets[0].Closed || kubelets[1].Closed || kubelets[0].Release != "1.36.3" ||
		!kubelets[0].Ready {
		t.Errorf("%+v, %v", kubelets, err)
	}
	for _, n := range []string{ours.Name, theirs.Name} {
		if err := c.OpenNode(t.Context(), n); err != nil {
			t.Fatal(err)
		}
	}
	if got := closed(); got[0] || !got[1] {
		t.Errorf("after opening, closed are %v", got)
	}
}

func budget(name string, expected, desired, allowed int32) *policyv1.PodDisruptionBudget {
	return &policyv1.PodDisruptionBudget{
		ObjectMeta: metav1.ObjectMeta{Namespace: "waste", Name: name},
		Status: policyv1.PodDisruptionBudgetStatus{
			ExpectedPods: expected, DesiredHealthy: desired, CurrentHealthy: desired, DisruptionsAllowed: allowed,
		},
	}
}

func TestABudgetThatNeverGivesWayBlocks(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		budget *policyv1.PodDisruptionBudget
		want   string
		blocks bool
	}{
		{budget("fine", 3, 2, 1), "", false},
		{budget("empty", 0, 1, 0), "", false},
		{budget("now", 3, 2, 0), "waste/now lets no pod go now: 2 of 3 are healthy, and it wants 2", false},
		{budget("never", 1, 1, 0), "waste/never never lets one of its 1 pod go", true},
	} {
		h := hazardOf(c.budget)
		switch {
		case c.want == "" && h != nil:
			t.Errorf("%s: %+v", c.budget.Name, h)
		case c.want != "" && (h == nil || !strings.HasSuffix(h.Text, c.want) || h.Blocks != c.blocks):
			t.Errorf("%s: %+v", c.budget.Name, h)
		}
	}
}

func TestHazardsNameBarePods(t *testing.T) {
	t.Parallel()
	first, alone := node(machines()[1]), owned("alone", "")
	c := &Cluster{client: fake.NewClientset(&first, alone, owned("web", "ReplicaSet"))}
	reasons, err := c.unmanaged(t.Context())
	if err != nil || len(reasons) != 1 || !strings.Contains(reasons[0], "default/alone") {
		t.Errorf("%q, %v", reasons, err)
	}
}

func TestInterfacesThatAReleaseRemovesAreNamed(t *testing.T) {
	t.Parallel()
	metrics := "# HELP apiserver_requested_deprecated_apis\n"
	for _, c := range [][4]string{
		{"", "", "componentstatuses", "v1"},
		{"a.k8s.io", "1.37", "olds", "v1beta1"},
		{"a.k8s.io", "1.37", "olds", "v1beta1"},
		{"b.k8s.io", "1.38", "laters", "v1"},
	} {
		metrics += fmt.Sprintf("apiserver_requested_deprecated_apis"+
			"{group=%q,removed_release=%q,resource=%q,subresource=\"\",version=%q} 1\n", c[0], c[1], c[2], c[3])
	}
	if got := removedBy(metrics, "1.37.2"); !slices.Equal(got, []string{"a.k8s.io/v1beta1 olds"}) {
		t.Errorf("%q", got)
	}
	if got := removedBy(metrics, "1.36.3"); got != nil {
		t.Errorf("%q", got)
	}
}

// onVolume makes the pod use a volume that lies on a node.
func onVolume(p *corev1.Pod, node string) (*corev1.PersistentVolumeClaim, *corev1.PersistentVolume) {
	p.Spec.Volumes = []corev1.Volume{{Name: "data", VolumeSource: corev1.VolumeSource{
		PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: "data"},
	}}}
	claim := &corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Namespace: p.Namespace, Name: "data"}}
	claim.Spec.VolumeName = "pv-1"
	volume := &corev1.PersistentVolume{ObjectMeta: metav1.ObjectMeta{Name: "pv-1"}}
	volume.Spec.NodeAffinity = &corev1.VolumeNodeAffinity{Required: &corev1.NodeSelector{
		NodeSelectorTerms: []corev1.NodeSelectorTerm{{MatchExpressions: []corev1.NodeSelectorRequirement{{
			Key: corev1.LabelHostname, Operator: corev1.NodeSelectorOpIn, Values: []string{node},
		}}}},
	}}
	return claim, volume
}

func TestPodsThatNoOtherNodeTakesStay(t *testing.T) {
	t.Parallel()
	edge := owned("edge", "ReplicaSet")
	edge.Spec.NodeSelector = map[string]string{"wastecoach.io/edge": "true"}
	data := owned("postgres", "StatefulSet")
	claim, volume := onVolume(data, "demo-worker-1")
	c := evicting(owned("web", "ReplicaSet"), edge, data)
	other := node(machines()[2])
	other.Labels[corev1.LabelHostname] = other.Name
	tainted := node(machines()[0])
	tainted.Labels["wastecoach.io/edge"] = "true"
	tainted.Spec.Taints = []corev1.Taint{{
		Key: "node-role.kubernetes.io/control-plane", Effect: corev1.TaintEffectNoSchedule,
	}}
	client := c.client.(*fake.Clientset)
	for _, err := range []error{
		client.Tracker().Add(&other), client.Tracker().Add(&tainted), client.Tracker().Add(claim),
		client.Tracker().Add(volume),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	var told []string
	err := c.Drain(t.Context(), DrainOptions{
		Node: "demo-worker-1", KeepBound: true, Tell: func(s string) { told = append(told, s) },
	})
	if err != nil || left(t, c) != "default/edge default/postgres" {
		t.Errorf("%v, left %s", err, left(t, c))
	}
	slices.Sort(told)
	want := []string{
		"default/edge stays: no other node can take it", "default/postgres stays: no other node can take it",
		"moved default/web",
	}
	if !slices.Equal(told, want) {
		t.Errorf("told %q", told)
	}
	if err := c.Drain(t.Context(), DrainOptions{Node: "demo-worker-1"}); err != nil || left(t, c) != "" {
		t.Errorf("without KeepBound: %v, left %s", err, left(t, c))
	}
}
