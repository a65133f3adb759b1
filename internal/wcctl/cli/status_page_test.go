package cli

import (
	"bytes"
	"testing"
	"time"

	"github.com/wastecoach/wastecoach/internal/wcctl/doctor"
	"github.com/wastecoach/wastecoach/internal/wcctl/fleet"
	"github.com/wastecoach/wastecoach/internal/wcctl/kube"
)

var looked = time.Date(2026, 11, 23, 18, 0, 0, 0, time.Local)

// wide is a console that is no terminal.
func wide(columns string) *console {
	return &console{out: &bytes.Buffer{}, getenv: func(name string) string {
		if name == "COLUMNS" {
			return columns
		}
		return ""
	}}
}

func sickReport() kube.Report {
	since := looked.Add(-3 * time.Hour)
	return kube.Report{
		At: looked, Server: "127.0.0.1:41243",
		Conditions: []kube.Condition{
			{Name: "api-server", State: kube.OK, Message: "ready, answers in 8 ms", Since: since},
			{
				Name: "nodes-ready", State: kube.Failing, Since: looked.Add(-42 * time.Second),
				Message: "demo-worker-2: its kubelet has stopped reporting", Hint: "wcctl doctor",
			},
			{
				Name: "certificates", State: kube.Warning, Since: looked.Add(-72 * time.Hour),
				Message: "apiserver.crt of demo-control-plane: 60 days left",
				Hint:    "sudo kubeadm certs renew all # on the control plane",
			},
			{
				Name: "network-policies", State: kube.NotEnforced, Since: looked.Add(-20 * time.Minute),
				Message: "flannel does not enforce them: 12 policies are without effect",
				Hint:    "grep -n plugin wastecoach.yaml",
			},
		},
		Nodes: []kube.Node{
			{
				Name: "demo-control-plane", Role: fleet.ControlPlane, Ready: true, Address: "10.77.0.11",
				Version: "v1.36.3", Created: since, CPUMilli: 350, CPUTotalMilli: 2000,
				MemoryBytes: 1 << 30, MemoryTotalBytes: 4 << 30,
			},
			{
				Name: "demo-worker-1", Role: fleet.Worker, Ready: true, Address: "10.77.0.12",
				Version: "v1.36.3", Created: since, Cordoned: true,
			},
			{
				Name: "demo-worker-2", Role: fleet.Worker, Reason: "its kubelet has stopped reporting",
				Address: "10.77.0.13", Version: "v1.36.3", Created: since,
			},
			{Name: "demo-worker-3", Role: fleet.Worker, Reason: "no node", Address: "10.77.0.14"},
		},
		Certificates: []kube.Certificate{
			{Name: "API server", DaysLeft: 60},
			{Name: "kubeconfig", DaysLeft: 364},
			{Machine: "demo-control-plane", Name: "apiserver.crt", DaysLeft: 60},
			{Machine: "demo-control-plane", Name: "ca.crt", DaysLeft: 3649, Authority: true},
			{Machine: "demo-control-plane", Name: "etcd/server.crt", DaysLeft: 364},
			{Machine: "demo-worker-1", Name: "kubelet-client-current.pem", DaysLeft: 300, Renews: true},
		},
	}
}

func TestStatusPage(t *testing.T) {
	t.Parallel()
	for _, columns := range []string{"80", "120"} {
		golden(t, "status_"+columns+".txt", statusPage(wide(columns), "demo", sickReport()))
	}
}

func TestDoctorPage(t *testing.T) {
	t.Parallel()
	result := doctor.Result{
		At: looked, Archive: "wcctl-doctor-demo.tar.gz",
		Findings: []doctor.Finding{
			{
				ID: "disk-full", Title: "A disk is full", Machine: "demo-worker-1",
				Cause: "nothing can be written any more",
				Hint:  "df -h # on the machine\nsudo crictl rmi --prune", Source: "kubelet", Count: 12,
				Line: "mkdir /var/lib/kubelet/pods/8d3: no space left on device", Current: true,
				First: looked.Add(-10 * time.Minute), Last: looked,
			},
			{ID: "disk-full", Title: "A disk is full", Machine: "demo-worker-2", Current: true},
			{
				ID: "condition-nodes-ready", Title: "The condition nodes-ready does not hold",
				Source: "conditions", Count: 1,
				Line: "demo-worker-1: its kubelet has stopped reporting", Hint: "wcctl doctor", Current: true,
			},
			{
				ID: "clock-skew", Title: "A machine's clock is wrong", Machine: "demo-worker-2",
				Source: "kubelet", Count: 1,
				Line: "x", Last: looked.Add(-70 * time.Minute),
			},
		},
		Missing: []doctor.Missing{{
			What: "demo-worker-2", Why: "connection refused", Hint: "ssh root@10.77.0.13 -v true",
		}},
	}
	golden(t, "doctor_80.txt", doctorPage(wide("80"), result))
	golden(t, "doctor_fine.txt", doctorPage(wide("80"), doctor.Result{Archive: "x.tar.gz"}))
}

func TestAgeOf(t *testing.T) {
	t.Parallel()
	for age, want := range map[time.Duration]string{
		-time.Second: "0s", 59 * time.Second: "59s", 119 * time.Minute: "119m", 2 * time.Hour: "2h",
		47 * time.Hour: "47h", 48 * time.Hour: "2d",
	} {
		if got := ageOf(looked, looked.Add(-age)); got != want {
			t.Errorf("%s: %s, want %s", age, got, want)
		}
	}
	if got := ageOf(looked, time.Time{}); got != "-" {
		t.Errorf("no time: %s", got)
	}
}
