package kube

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/version"
)

// closedMark is on a node that wcctl cordoned to upgrade it. It comes and goes with the cordon, in one
// write: a node without it was cordoned by somebody else, and stays so.
const closedMark = "wastecoach.io/upgrading"

// Kubelet is a node as an upgrade sees it.
type Kubelet struct {
	Node string
	// Release is its kubelet's, without the v.
	Release string
	Ready   bool
	// Closed tells that wcctl cordoned the node for an upgrade.
	Closed bool
}

// Kubelets are all nodes' kubelets.
func (c *Cluster) Kubelets(ctx context.Context) ([]Kubelet, error) {
	nodes, err := c.client.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, fmt.Errorf("listing the nodes: %w", err)
	}
	list := make([]Kubelet, len(nodes.Items))
	for i, n := range nodes.Items {
		list[i] = Kubelet{Node: n.Name, Release: strings.TrimPrefix(n.Status.NodeInfo.KubeletVersion, "v")}
		list[i].Ready, _, _ = nodeReady(&n)
		_, list[i].Closed = n.Annotations[closedMark]
	}
	return list, nil
}

// Release is the API server's, without the v.
func (c *Cluster) Release() (string, error) {
	v, err := c.client.Discovery().ServerVersion()
	if err != nil {
		return "", fmt.Errorf("asking the API server for its version: %w", err)
	}
	return strings.TrimPrefix(v.GitVersion, "v"), nil
}

// Leads are the leases of those who lead the control plane, with when they last said so.
func (c *Cluster) Leads(ctx context.Context) (map[string]time.Time, error) {
	leads := map[string]time.Time{}
	for _, name := range []string{"kube-controller-manager", "kube-scheduler"} {
		lease, err := c.client.CoordinationV1().Leases(metav1.NamespaceSystem).Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return nil, fmt.Errorf("reading who leads as %s: %w", name, err)
		}
		if lease.Spec.RenewTime != nil {
			leads[name] = lease.Spec.RenewTime.Time
		}
	}
	return leads, nil
}

// CloseNode keeps new pods from a node until OpenNode; one that is cordoned already is left as it is.
func (c *Cluster) CloseNode(ctx context.Context, name string) error {
	node, err := c.client.CoreV1().Nodes().Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return fmt.Errorf("reading the node %s: %w", name, err)
	}
	if node.Spec.Unschedulable {
		return nil
	}
	return c.markNode(ctx, name, "yes", true)
}

// OpenNode lets new pods onto a node that CloseNode closed; others stay as they are.
func (c *Cluster) OpenNode(ctx context.Context, name string) error {
	node, err := c.client.CoreV1().Nodes().Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return fmt.Errorf("reading the node %s: %w", name, err)
	}
	if _, closed := node.Annotations[closedMark]; !closed {
		return nil
	}
	return c.markNode(ctx, name, nil, nil)
}

func (c *Cluster) markNode(ctx context.Context, name string, mark, unschedulable any) error {
	patch, err := json.Marshal(map[string]any{
		"metadata": map[string]any{"annotations": map[string]any{closedMark: mark}},
		"spec":     map[string]any{"unschedulable": unschedulable},
	})
	if err == nil {
		_, err = c.client.CoreV1().Nodes().Patch(ctx, name, types.MergePatchType, patch, metav1.PatchOptions{})
	}
	if err != nil {
		return fmt.Errorf("changing the node %s: %w", name, err)
	}
	return nil
}

// Hazard is something that an upgrade would meet.
type Hazard struct {
	Text, Hint string
	// Blocks tells that no node with such pods could be emptied.
	Blocks bool
}

// Hazards names disruption budgets and pods that keep nodes from being emptied, and interfaces in use
// that a release does not have any more.
func (c *Cluster) Hazards(ctx context.Context, to string) ([]Hazard, error) {
	budgets, err := c.client.PolicyV1().PodDisruptionBudgets("").List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, fmt.Errorf("listing the disruption budgets: %w", err)
	}
	var list []Hazard
	for _, b := range budgets.Items {
		if h := hazardOf(&b); h != nil {
			list = append(list, *h)
		}
	}
	lost, err := c.unmanaged(ctx)
	if err != nil {
		return nil, err
	}
	for _, reason := range lost {
		list = append(list, Hazard{
			Text: reason, Blocks: true,
			Hint: "kubectl get pods -A -o wide\nwcctl upgrade --force # deletes them for good",
		})
	}
	return append(list, c.removed(ctx, to)...), nil
}

// unmanaged says for all nodes which pods no controller would bring back.
func (c *Cluster) unmanaged(ctx context.Context) ([]string, error) {
	nodes, err := c.client.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, fmt.Errorf("listing the nodes: %w", err)
	}
	var reasons []string
	for _, n := range nodes.Items {
		_, errs := c.drainer(ctx, DrainOptions{Node: n.Name}).GetPodsForDeletion(n.Name)
		for _, err := range errs {
			reasons = append(reasons, err.Error())
		}
	}
	return reasons, nil
}

// hazardOf judges a budget: one that never lets a pod go blocks, one that does not now may later.
func hazardOf(b *policyv1.PodDisruptionBudget) *Hazard {
	s := b.Status
	if s.ExpectedPods == 0 || s.DisruptionsAllowed > 0 {
		return nil
	}
	name := b.Namespace + "/" + b.Name
	hint := "kubectl -n " + b.Namespace + " describe poddisruptionbudget " + b.Name
	if s.DesiredHealthy >= s.ExpectedPods {
		return &Hazard{
			Text: fmt.Sprintf("the disruption budget %s never lets one of its %s go", name,
				count(int(s.ExpectedPods), "pod")),
			Hint: hint, Blocks: true,
		}
	}
	return &Hazard{
		Text: fmt.Sprintf("the disruption budget %s lets no pod go now: %d of %d are healthy, and it wants %d",
			name, s.CurrentHealthy, s.ExpectedPods, s.DesiredHealthy),
		Hint: hint,
	}
}

// removed names interfaces that somebody asked for and that the release does not have: the API server
// counts requests by the release that ends them.
func (c *Cluster) removed(ctx context.Context, to string) []Hazard {
	body, _, err := c.get(ctx, "/metrics")
	if err != nil {
		return []Hazard{{Text: fmt.Sprintf("whether somebody uses what %s removes is not known: %v", to, err)}}
	}
	var list []Hazard
	for _, name := range removedBy(body, to) {
		list = append(list, Hazard{Text: fmt.Sprintf("%s is in use, and Kubernetes %s does not have it", name, to)})
	}
	return list
}

func removedBy(metrics, to string) []string {
	wanted, err := version.ParseSemantic(to)
	if err != nil {
		return nil
	}
	var names []string
	lines := bufio.NewScanner(strings.NewReader(metrics))
	for lines.Scan() {
		text, found := strings.CutPrefix(lines.Text(), "apiserver_requested_deprecated_apis{")
		if !found {
			continue
		}
		labels := metricLabels(text)
		major, minor, _ := strings.Cut(labels["removed_release"], ".")
		ends, err := strconv.ParseUint(minor, 10, 32)
		if err != nil || major != strconv.FormatUint(uint64(wanted.Major()), 10) || ends > uint64(wanted.Minor()) {
			continue
		}
		group := strings.TrimPrefix(labels["group"]+"/"+labels["version"], "/")
		names = append(names, group+" "+labels["resource"])
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func metricLabels(text string) map[string]string {
	inside, _, _ := strings.Cut(text, "}")
	labels := map[string]string{}
	for _, pair := range strings.Split(inside, ",") {
		key, quoted, _ := strings.Cut(pair, "=")
		labels[key] = strings.Trim(quoted, `"`)
	}
	return labels
}
