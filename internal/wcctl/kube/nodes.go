package kube

import (
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/wastecoach/wastecoach/internal/wcctl/fleet"
)

const controlPlaneLabel = "node-role.kubernetes.io/control-plane"

// Node is one line of the table of nodes.
type Node struct {
	Name  string     `json:"name"`
	Role  fleet.Role `json:"role"`
	Ready bool       `json:"ready"`
	// Reason is why it is not ready, or that it takes no new pods.
	Reason  string    `json:"reason,omitempty"`
	Address string    `json:"address"`
	Version string    `json:"version"`
	Created time.Time `json:"created"`
	// Cordoned nodes take no new pods.
	Cordoned bool `json:"cordoned"`
	// CPUMilli and MemoryBytes are used now; 0 without metrics.
	CPUMilli    int64 `json:"cpu_milli"`
	MemoryBytes int64 `json:"memory_bytes"`
	// CPUTotalMilli and MemoryTotalBytes are what the node has.
	CPUTotalMilli    int64 `json:"cpu_total_milli"`
	MemoryTotalBytes int64 `json:"memory_total_bytes"`
}

// nodeTable lists the nodes in the fleet's order, unknown ones last, and the machines that are none.
func (s *snapshot) nodeTable(opts Options) []Node {
	table := []Node{}
	for _, n := range s.nodes.value {
		table = append(table, s.tableLine(&n))
	}
	if s.nodes.err == nil && s.apiErr == nil {
		for _, m := range opts.Fleet {
			if !slices.ContainsFunc(table, func(n Node) bool { return n.Name == m.Name }) {
				table = append(table, Node{Name: m.Name, Role: m.Role, Address: m.Address, Reason: "no node"})
			}
		}
	}
	names := opts.Fleet.Names()
	slices.SortStableFunc(table, func(a, b Node) int {
		return rank(names, a.Name) - rank(names, b.Name)
	})
	return table
}

func rank(names []string, name string) int {
	if i := slices.Index(names, name); i >= 0 {
		return i
	}
	return len(names)
}

func (s *snapshot) tableLine(n *corev1.Node) Node {
	line := Node{
		Name: n.Name, Role: roleOf(n), Version: n.Status.NodeInfo.KubeletVersion,
		Created: n.CreationTimestamp.Time, Cordoned: n.Spec.Unschedulable,
		CPUTotalMilli:    n.Status.Capacity.Cpu().MilliValue(),
		MemoryTotalBytes: n.Status.Capacity.Memory().Value(),
	}
	line.Ready, line.Reason, _ = nodeReady(n)
	for _, a := range n.Status.Addresses {
		if a.Type == corev1.NodeInternalIP && line.Address == "" {
			line.Address = a.Address
		}
	}
	for _, m := range s.usage.value {
		if m.Name == n.Name {
			line.CPUMilli = m.Usage.Cpu().MilliValue()
			line.MemoryBytes = m.Usage.Memory().Value()
		}
	}
	return line
}

func roleOf(n *corev1.Node) fleet.Role {
	if _, found := n.Labels[controlPlaneLabel]; found {
		return fleet.ControlPlane
	}
	return fleet.Worker
}

func judgeMachines(s *snapshot, opts Options) Condition {
	if s.nodes.err != nil {
		return unknown(s.nodes.err)
	}
	if len(opts.Fleet) == 0 {
		return ok(time.Time{}, "%s; the machines are not known here", count(len(s.nodes.value), "node"))
	}
	var missing, strange []string
	for _, n := range s.nodes.value {
		if _, found := opts.Fleet.Find(n.Name); !found {
			strange = append(strange, n.Name)
		}
	}
	for _, m := range opts.Fleet {
		if !slices.ContainsFunc(s.nodes.value, func(n corev1.Node) bool { return n.Name == m.Name }) {
			missing = append(missing, m.Name)
		}
	}
	switch {
	case len(missing) > 0:
		return failing(time.Time{}, "wcctl up", "no node yet: %s", few(missing))
	case len(strange) > 0:
		return failing(time.Time{}, "kubectl delete node "+strange[0],
			"nodes that belong to no machine: %s", few(strange))
	}
	return ok(newest(s.nodes.value, func(n corev1.Node) time.Time { return n.CreationTimestamp.Time }),
		"%s, one per machine", count(len(s.nodes.value), "node"))
}

// nodeReady tells whether a node is ready, else why not, and since when that is so.
func nodeReady(n *corev1.Node) (ready bool, reason string, since time.Time) {
	for _, c := range n.Status.Conditions {
		if c.Type != corev1.NodeReady {
			continue
		}
		since = c.LastTransitionTime.Time
		switch c.Status {
		case corev1.ConditionTrue:
			return true, "", since
		case corev1.ConditionUnknown:
			return false, "its kubelet has stopped reporting", since
		default:
			return false, shortReason(c), since
		}
	}
	return false, "its kubelet has not reported yet", n.CreationTimestamp.Time
}

// shortReason prefers the words after kubelet's "message:", which name the part that is missing.
func shortReason(c corev1.NodeCondition) string {
	message := c.Message
	if i := strings.LastIndex(message, "message:"); i >= 0 {
		message = message[i+len("message:"):]
	}
	if message == "" {
		message = c.Reason
	}
	return strings.TrimSpace(message)
}

func judgeReady(s *snapshot, _ Options) Condition {
	if s.nodes.err != nil {
		return unknown(s.nodes.err)
	}
	var bad []string
	var since, oldest time.Time
	for i := range s.nodes.value {
		n := &s.nodes.value[i]
		ready, reason, when := nodeReady(n)
		if !ready {
			bad = append(bad, n.Name+": "+reason)
			if oldest.IsZero() || when.Before(oldest) {
				oldest = when
			}
		} else if when.After(since) {
			since = when
		}
	}
	switch {
	case len(s.nodes.value) == 0:
		return failing(time.Time{}, "wcctl up", "there are no nodes")
	case len(bad) > 0:
		return failing(oldest, "wcctl doctor", "%s", strings.Join(bad, "; "))
	}
	var cordoned []string
	for _, n := range s.nodes.value {
		if n.Spec.Unschedulable {
			cordoned = append(cordoned, n.Name)
		}
	}
	if len(cordoned) > 0 {
		return warning("kubectl uncordon "+cordoned[0], "all are ready, but no new pods go to %s", few(cordoned))
	}
	return ok(since, "%s ready", count(len(s.nodes.value), "node"))
}

func judgePressure(s *snapshot, _ Options) Condition {
	if s.nodes.err != nil {
		return unknown(s.nodes.err)
	}
	var bad []string
	var oldest time.Time
	for _, n := range s.nodes.value {
		for _, c := range n.Status.Conditions {
			name, wanted := shortages[c.Type]
			if !wanted || c.Status != corev1.ConditionTrue {
				continue
			}
			bad = append(bad, n.Name+": "+name)
			if oldest.IsZero() || c.LastTransitionTime.Time.Before(oldest) {
				oldest = c.LastTransitionTime.Time
			}
		}
	}
	if len(bad) > 0 {
		return failing(oldest, "wcctl doctor", "too little left on %s", few(bad))
	}
	return ok(time.Time{}, "disk, memory and process ids suffice")
}

func judgeVersions(s *snapshot, opts Options) Condition {
	if err := firstError(s.nodes.err, s.version.err); err != nil {
		return unknown(err)
	}
	want := s.version.value
	if opts.Version != "" {
		want = "v" + opts.Version
	}
	var other []string
	if s.version.value != want {
		other = append(other, "API server "+s.version.value)
	}
	for _, n := range s.nodes.value {
		if v := n.Status.NodeInfo.KubeletVersion; v != want {
			other = append(other, n.Name+" "+v)
		}
	}
	if len(other) > 0 {
		return failing(time.Time{}, "wcctl upgrade", "%s wanted, but: %s", want, few(other))
	}
	return ok(time.Time{}, "%s everywhere", want)
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func newest[T any](items []T, when func(T) time.Time) time.Time {
	var last time.Time
	for _, item := range items {
		if t := when(item); t.After(last) {
			last = t
		}
	}
	return last
}
