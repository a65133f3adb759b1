package kube

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/types"
)

func find(t *testing.T, conditions []Condition, name string) Condition {
	t.Helper()
	for _, c := range conditions {
		if c.Name == name {
			return c
		}
	}
	t.Fatalf("no condition %q", name)
	return Condition{}
}

func TestHealthyClusterIsFine(t *testing.T) {
	t.Parallel()
	for _, c := range judge(healthy(), options()) {
		if c.State != OK || c.Message == "" || c.Hint != "" {
			t.Errorf("%s is %s: %s (%s)", c.Name, c.State, c.Message, c.Hint)
		}
	}
}

func TestFaultIsNamed(t *testing.T) {
	t.Parallel()
	later := began.Add(time.Minute)
	tests := map[string]struct {
		change  func(s *snapshot, o *Options)
		name    string
		state   State
		message string
		since   time.Time
	}{
		"the server's own check": {
			func(s *snapshot, _ *Options) { s.failed = []string{"poststarthook/rbac"} },
			"api-server", Failing, "answers, but is not ready: poststarthook/rbac",
			time.Time{},
		},
		"etcd down": {
			func(s *snapshot, _ *Options) { s.failed = []string{"etcd"} },
			"etcd", Failing, "the API server's check etcd fails",
			time.Time{},
		},
		"etcd almost full": {
			func(s *snapshot, _ *Options) { s.server.value.databaseBytes = 1900 << 20 },
			"etcd", Warning, "its database has 1900 of 2048 MiB; it refuses writes when it is full",
			time.Time{},
		},
		"no backup yet": {
			func(s *snapshot, _ *Options) { s.backup.value = Backup{} },
			"backups", Warning, "there is no backup of the control plane",
			time.Time{},
		},
		"nobody backs it up any more": {
			func(s *snapshot, _ *Options) { s.backup.value.At = s.at.Add(-BackupDue - time.Hour) },
			"backups", Warning, "the newest backup is 26 hours old",
			time.Time{},
		},
		"a machine without a node": {
			func(s *snapshot, _ *Options) { s.nodes.value = s.nodes.value[:2] },
			"machines", Failing, "no node yet: demo-worker-2",
			time.Time{},
		},
		"a node without a machine": {
			func(_ *snapshot, o *Options) { o.Fleet = o.Fleet[:2] },
			"machines", Failing, "nodes that belong to no machine: demo-worker-2",
			time.Time{},
		},
		"no pod network yet": {
			func(s *snapshot, _ *Options) {
				s.setNode(1, corev1.NodeReady, corev1.ConditionFalse, "container runtime network not ready: "+
					"NetworkReady=false reason:NetworkPluginNotReady message:cni plugin not initialized")
			},
			"nodes-ready", Failing, "demo-worker-1: cni plugin not initialized", later,
		},
		"power cut": {
			func(s *snapshot, _ *Options) {
				s.setNode(2, corev1.NodeReady, corev1.ConditionUnknown, "Kubelet stopped posting node status.")
			},
			"nodes-ready", Failing, "demo-worker-2: its kubelet has stopped reporting", later,
		},
		"left cordoned": {
			func(s *snapshot, _ *Options) { s.nodes.value[2].Spec.Unschedulable = true },
			"nodes-ready", Warning, "all are ready, but no new pods go to demo-worker-2",
			time.Time{},
		},
		"disk pressure": {
			func(s *snapshot, _ *Options) { s.setNode(1, corev1.NodeDiskPressure, corev1.ConditionTrue, "") },
			"node-pressure", Failing, "too little left on demo-worker-1: disk", later,
		},
		"an old kubelet": {
			func(s *snapshot, _ *Options) { s.nodes.value[2].Status.NodeInfo.KubeletVersion = "v1.35.9" },
			"versions", Failing, "v1.36.3 wanted, but: demo-worker-2 v1.35.9",
			time.Time{},
		},
		"a clock that is late": {
			func(s *snapshot, _ *Options) { s.leases.value[2] = lease("demo-worker-2", -2*time.Minute) },
			"clocks", Failing, "clocks differ: demo-worker-2's 120 s behind of the API server's",
			time.Time{},
		},
		"this computer's clock": {
			func(s *snapshot, _ *Options) { s.ahead = 7 * time.Second },
			"clocks", Warning, "clocks differ: the API server's 7 s ahead of this computer's",
			time.Time{},
		},
		"no kube-proxy": {
			func(s *snapshot, _ *Options) { s.removeSet("kube-proxy") },
			"kube-proxy", Failing, "it is not installed: no service address works",
			time.Time{},
		},
		"kube-proxy crashes": {
			func(s *snapshot, _ *Options) {
				s.unready("kube-proxy-demo-worker-2", "CrashLoopBackOff", "back-off 10s\nmore")
			},
			"kube-proxy", Failing,
			"kube-proxy is not ready on demo-worker-2: CrashLoopBackOff: back-off 10s", later,
		},
		"an unknown network": {
			func(s *snapshot, _ *Options) { s.removeSet("calico-node") },
			"pod-network", Failing, "no pod network that wcctl knows is installed",
			time.Time{},
		},
		"CoreDNS not ready": {
			func(s *snapshot, _ *Options) {
				s.deployments.value[0].Status.ReadyReplicas = 1
				s.unready("coredns-b", "ImagePullBackOff", "")
			},
			"dns", Failing, "1 of 2 CoreDNS pods are ready: ImagePullBackOff", later,
		},
		"pods that get no network": {
			func(s *snapshot, _ *Options) {
				s.deployments.value[0].Status.ReadyReplicas = 0
				s.unready("coredns-a", "ContainerCreating", "")
				s.warnings = map[types.UID]string{"": essence("Failed to create pod sandbox: rpc error: code = " +
					"Unknown desc = failed to setup network for sandbox \"c7\": plugin type=\"flannel\" failed " +
					"(add): incompatible CNI versions")}
			},
			"dns", Failing, "0 of 2 CoreDNS pods are ready: ContainerCreating: incompatible CNI versions", later,
		},
		"metrics-server not ready": {
			func(s *snapshot, _ *Options) {
				s.usage.err = errors.New("the server is currently unable to handle the request")
				s.unready("metrics-server-a", "ImagePullBackOff", "")
			},
			"metrics", Failing, "metrics.k8s.io does not answer: the server is currently unable to handle the " +
				"request: ImagePullBackOff", later,
		},
		"CoreDNS silent": {
			func(s *snapshot, _ *Options) { s.lookup = errors.New("looking up x.: i/o timeout") },
			"dns", Failing, "CoreDNS runs, but does not answer: looking up x.: i/o timeout",
			time.Time{},
		},
		"no metrics-server": {
			func(s *snapshot, _ *Options) { s.deployments.value = s.deployments.value[:1] },
			"metrics", Failing, "metrics-server is not installed",
			time.Time{},
		},
		"metrics of a node missing": {
			func(s *snapshot, _ *Options) { s.usage.value = s.usage.value[:2] },
			"metrics", Failing, "no metrics yet of demo-worker-2",
			time.Time{},
		},
		"a certificate that ends soon": {
			func(s *snapshot, _ *Options) { s.certificates[0].DaysLeft = 89 },
			"certificates", Warning, "API server: 89 days left",
			time.Time{},
		},
		"a certificate that ends now": {
			func(s *snapshot, _ *Options) { s.certificates[0].DaysLeft = 29 },
			"certificates", Failing, "API server: 29 days left",
			time.Time{},
		},
		"an expired one": {
			func(s *snapshot, _ *Options) { s.certificates[0].DaysLeft = -1 },
			"certificates", Failing, "API server: expired on 2027-11-23",
			time.Time{},
		},
		"certificates out of reach": {
			func(s *snapshot, _ *Options) { s.certificateErr = []error{errors.New("w: connection refused")} },
			"certificates", Warning, "API server: 364 days left; w: connection refused",
			time.Time{},
		},
		"secrets in the clear": {
			func(s *snapshot, _ *Options) { s.flags("--audit-log-path=/a", "--audit-policy-file=/b") },
			"secrets-encryption", Failing, "secrets lie in etcd as they are",
			time.Time{},
		},
		"an encryption that does nothing": {
			func(s *snapshot, _ *Options) { s.server.value.secretsWritten = map[string]int64{"identity": 2} },
			"secrets-encryption", Failing,
			"the configuration's first provider does not encrypt: 2 secrets written as they are",
			time.Time{},
		},
		"old secrets in the clear": {
			func(s *snapshot, _ *Options) { s.server.value.secretsRead = map[string]int64{"identity": 1} },
			"secrets-encryption", Warning, "new secrets are encrypted, but 1 secret read that are not",
			time.Time{},
		},
		"no audit log": {
			func(s *snapshot, _ *Options) { s.flags("--encryption-provider-config=/e") },
			"audit-log", Failing, "the API server keeps no audit log",
			time.Time{},
		},
		"flannel": {
			func(s *snapshot, _ *Options) {
				s.useFlannel()
				s.policies.value = make([]networkingv1.NetworkPolicy, 3)
			},
			"network-policies", NotEnforced, "flannel does not enforce them: 3 policies are without effect",
			time.Time{},
		},
		"an enforcer that is not on each node": {
			func(s *snapshot, _ *Options) { s.unready("calico-node-demo-worker-1", "OOMKilled", "") },
			"network-policies", Failing, "Calico is not ready on demo-worker-1: OOMKilled", later,
		},
	}
	for title, test := range tests {
		s, o := healthy(), options()
		test.change(s, &o)
		c := find(t, judge(s, o), test.name)
		if c.State != test.state || c.Message != test.message || !c.Since.Equal(test.since) {
			t.Errorf("%s: %s %q since %s, want %s %q since %s", title, c.State, c.Message, c.Since,
				test.state, test.message, test.since)
		}
		if c.Hint == "" {
			t.Errorf("%s: no hint", title)
		}
	}
}

// A fault may not be blamed on what works: one fault, one condition, but for those that follow.
func TestFaultLeavesOthersAlone(t *testing.T) {
	t.Parallel()
	s, o := healthy(), options()
	s.useFlannel()
	s.unready("kube-proxy-demo-worker-2", "CrashLoopBackOff", "")
	for _, c := range judge(s, o) {
		want := OK
		switch c.Name {
		case "kube-proxy":
			want = Failing
		case "network-policies":
			want = NotEnforced
		}
		if c.State != want {
			t.Errorf("%s is %s: %s", c.Name, c.State, c.Message)
		}
	}
}

func TestDeadAPIServerHidesTheRest(t *testing.T) {
	t.Parallel()
	s := healthy()
	s.apiErr = errors.New(`Get "https://10.77.0.11:6443/readyz": dial tcp 10.77.0.11:6443: connect: connection refused`)
	conditions := judge(s, options())
	if c := find(t, conditions, "api-server"); c.State != Failing ||
		c.Message != "dial tcp 10.77.0.11:6443: connect: connection refused" {
		t.Errorf("api-server: %s %q", c.State, c.Message)
	}
	if c := find(t, conditions, "certificates"); c.State != OK {
		t.Errorf("certificates: %s", c.State)
	}
	if c := find(t, conditions, "dns"); c.State != Unknown {
		t.Errorf("dns: %s", c.State)
	}
	if bad := Worst(conditions); len(bad) != len(conditions)-1 {
		t.Errorf("%d of %d are not fine", len(bad), len(conditions))
	}
}

func TestImageName(t *testing.T) {
	t.Parallel()
	for reference, want := range map[string]string{
		"quay.io/calico/node:v3.33.0@sha256:00": "quay.io/calico/node",
		"127.0.0.1:5000/flannel":                "127.0.0.1:5000/flannel",
		"127.0.0.1:5000/flannel:v1":             "127.0.0.1:5000/flannel",
	} {
		if got := imageName(reference); got != want {
			t.Errorf("%s: %s, want %s", reference, got, want)
		}
	}
}

func TestThePageExplainsEachCondition(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../../docs/cluster/status.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range Names() {
		if !strings.Contains(string(page), "\n| "+name+" |") {
			t.Errorf("docs/cluster/status.md does not explain %s", name)
		}
	}
}
