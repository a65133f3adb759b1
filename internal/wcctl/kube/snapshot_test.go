package kube

import (
	"time"

	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	metricsv1 "k8s.io/metrics/pkg/apis/metrics/v1beta1"

	"github.com/wastecoach/wastecoach/internal/wcctl/fleet"
)

// began is when everything in the test's cluster became what it is.
var began = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func machines() fleet.Fleet {
	return fleet.Fleet{
		{Name: "demo-control-plane", Role: fleet.ControlPlane, Address: "10.77.0.11"},
		{Name: "demo-worker-1", Role: fleet.Worker, Address: "10.77.0.12"},
		{Name: "demo-worker-2", Role: fleet.Worker, Address: "10.77.0.13"},
	}
}

func options() Options { return Options{Fleet: machines(), Version: "1.36.3"} }

// healthy is a cluster with Calico in which all is well.
func healthy() *snapshot {
	s := &snapshot{
		at: began.Add(time.Hour), latency: 12 * time.Millisecond,
		version: answer[string]{value: "v1.36.3"},
		server: answer[serverMetrics]{value: serverMetrics{
			databaseBytes: 4 << 20, auditEvents: 9,
			secretsWritten: map[string]int64{"secretbox": 3},
		}},
		backup:       answer[Backup]{value: Backup{At: began.Add(time.Minute), Bytes: 5 << 20, Computer: "desk"}},
		certificates: []Certificate{{Name: "API server", DaysLeft: 364, NotAfter: began.Add(365 * day)}},
	}
	for _, m := range machines() {
		s.nodes.value = append(s.nodes.value, node(m))
		s.leases.value = append(s.leases.value, lease(m.Name, 0))
		s.usage.value = append(s.usage.value, metricsv1.NodeMetrics{
			ObjectMeta: metav1.ObjectMeta{Name: m.Name},
			Usage: corev1.ResourceList{
				corev1.ResourceCPU: resource.MustParse("150m"), corev1.ResourceMemory: resource.MustParse("512Mi"),
			},
		})
		s.addDaemon("kube-system", "kube-proxy", "registry.k8s.io/kube-proxy:v1.36.3", m.Name)
		s.addDaemon("calico-system", "calico-node", "quay.io/calico/node:v3.33.0@sha256:00", m.Name)
	}
	for _, name := range []string{"etcd", "kube-apiserver"} {
		s.pods.value = append(s.pods.value, pod("kube-system", name+"-demo-control-plane", "demo-control-plane",
			map[string]string{"component": name}))
	}
	server := &s.pods.value[len(s.pods.value)-1]
	server.Spec.Containers = []corev1.Container{{Command: []string{
		"kube-apiserver", "--encryption-provider-config=/etc/kubernetes/encryption.yaml",
		"--audit-log-path=/var/log/kubernetes/audit.log", "--audit-policy-file=/etc/kubernetes/audit.yaml",
	}}}
	s.addDeployment("coredns", dnsApp, 2)
	s.addDeployment("metrics-server", metricsApp, 1)
	return s
}

func node(m fleet.Machine) corev1.Node {
	condition := func(kind corev1.NodeConditionType, status corev1.ConditionStatus) corev1.NodeCondition {
		return corev1.NodeCondition{Type: kind, Status: status, LastTransitionTime: metav1.NewTime(began)}
	}
	n := corev1.Node{
		ObjectMeta: metav1.ObjectMeta{
			Name: m.Name, CreationTimestamp: metav1.NewTime(began), Labels: map[string]string{},
		},
		Status: corev1.NodeStatus{
			NodeInfo:  corev1.NodeSystemInfo{KubeletVersion: "v1.36.3"},
			Addresses: []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: m.Address}},
			Capacity: corev1.ResourceList{
				corev1.ResourceCPU: resource.MustParse("2"), corev1.ResourceMemory: resource.MustParse("4Gi"),
			},
			Conditions: []corev1.NodeCondition{
				condition(corev1.NodeMemoryPressure, corev1.ConditionFalse),
				condition(corev1.NodeDiskPressure, corev1.ConditionFalse),
				condition(corev1.NodePIDPressure, corev1.ConditionFalse),
				condition(corev1.NodeReady, corev1.ConditionTrue),
			},
		},
	}
	if m.Role == fleet.ControlPlane {
		n.Labels[controlPlaneLabel] = ""
	}
	return n
}

func lease(name string, skew time.Duration) coordinationv1.Lease {
	taken, renewed := metav1.NewTime(began), metav1.NewMicroTime(began.Add(skew+time.Second/2))
	return coordinationv1.Lease{
		ObjectMeta: metav1.ObjectMeta{
			Name: name, Namespace: corev1.NamespaceNodeLease,
			ManagedFields: []metav1.ManagedFieldsEntry{{Manager: "kubelet", Time: &taken}},
		},
		Spec: coordinationv1.LeaseSpec{RenewTime: &renewed},
	}
}

func pod(namespace, name, node string, labels map[string]string) corev1.Pod {
	return corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: namespace, Name: name, Labels: labels, CreationTimestamp: metav1.NewTime(began),
		},
		Spec: corev1.PodSpec{NodeName: node},
		Status: corev1.PodStatus{
			Phase: corev1.PodRunning,
			Conditions: []corev1.PodCondition{{
				Type: corev1.PodReady, Status: corev1.ConditionTrue, LastTransitionTime: metav1.NewTime(began),
			}},
		},
	}
}

// addDaemon adds a ready pod on a node, and its DaemonSet at the first.
func (s *snapshot) addDaemon(namespace, name, image, node string) {
	p := pod(namespace, name+"-"+node, node, map[string]string{"k8s-app": name})
	p.OwnerReferences = []metav1.OwnerReference{{Kind: "DaemonSet", Name: name}}
	s.pods.value = append(s.pods.value, p)
	for _, set := range s.daemonSets.value {
		if set.Name == name {
			return
		}
	}
	set := appsv1.DaemonSet{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
	set.Spec.Template.Spec.Containers = []corev1.Container{{Name: name, Image: image}}
	s.daemonSets.value = append(s.daemonSets.value, set)
}

func (s *snapshot) addDeployment(name, app string, replicas int32) {
	d := appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: "kube-system", Name: name}}
	d.Spec.Replicas = &replicas
	d.Spec.Template.Labels = map[string]string{"k8s-app": app}
	d.Spec.Selector = &metav1.LabelSelector{MatchLabels: d.Spec.Template.Labels}
	d.Spec.Template.Spec.Containers = []corev1.Container{{Image: "registry.k8s.io/" + name + ":v1"}}
	d.Status.ReadyReplicas = replicas
	s.deployments.value = append(s.deployments.value, d)
	for i := range replicas {
		s.pods.value = append(s.pods.value, pod("kube-system", name+"-"+string('a'+i), "demo-worker-1",
			map[string]string{"k8s-app": app}))
	}
}

// removeSet takes a DaemonSet and its pods away.
func (s *snapshot) removeSet(name string) {
	var pods []corev1.Pod
	for _, p := range s.pods.value {
		if len(p.OwnerReferences) == 0 || p.OwnerReferences[0].Name != name {
			pods = append(pods, p)
		}
	}
	var sets []appsv1.DaemonSet
	for _, set := range s.daemonSets.value {
		if set.Name != name {
			sets = append(sets, set)
		}
	}
	s.pods.value, s.daemonSets.value = pods, sets
}

// unready makes the first pod whose name starts so wait for a reason.
func (s *snapshot) unready(prefix, reason, message string) {
	for i := range s.pods.value {
		p := &s.pods.value[i]
		if len(p.Name) < len(prefix) || p.Name[:len(prefix)] != prefix {
			continue
		}
		p.Status.Conditions[0].Status = corev1.ConditionFalse
		p.Status.Conditions[0].LastTransitionTime = metav1.NewTime(began.Add(time.Minute))
		p.Status.ContainerStatuses = []corev1.ContainerStatus{{State: corev1.ContainerState{
			Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: message},
		}}}
		return
	}
}

func (s *snapshot) setNode(i int, kind corev1.NodeConditionType, status corev1.ConditionStatus, message string) {
	for j := range s.nodes.value[i].Status.Conditions {
		c := &s.nodes.value[i].Status.Conditions[j]
		if c.Type == kind {
			c.Status, c.Message, c.LastTransitionTime = status, message, metav1.NewTime(began.Add(time.Minute))
		}
	}
}

func (s *snapshot) flags(flags ...string) {
	for i := range s.pods.value {
		if s.pods.value[i].Labels["component"] == "kube-apiserver" {
			s.pods.value[i].Spec.Containers[0].Command = flags
		}
	}
}

func (s *snapshot) useFlannel() {
	s.removeSet("calico-node")
	for _, m := range machines() {
		s.addDaemon("kube-flannel", "kube-flannel-ds", "ghcr.io/flannel-io/flannel:v0.28.10", m.Name)
	}
}
