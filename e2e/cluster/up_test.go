//go:build e2e

package cluster

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/wastecoach/wastecoach/internal/wcctl/kube"
)

const (
	// byHandRatio is what wcctl may take of the time of the same steps by hand.
	byHandRatio = 1.5
	// secondUp and warmUp bound a run with nothing to do, and the first with a made bundle.
	secondUp = 30 * time.Second
	warmUp   = 5 * time.Minute
)

// TestUp is the owner's first use: from nothing to a cluster that carries traffic.
//
//nolint:paralleltest // this computer holds one cluster at a time
func TestUp(t *testing.T) {
	// One after the other, so that neither slows the other down.
	var byHand time.Duration
	t.Run("by hand", func(t *testing.T) { byHand = timeByHand(t) })
	l := newLab(t, "wchup")
	run := l.up().wait().ok()
	t.Logf("up: %.1f s: %s", run.Took.Seconds(), run.seconds())
	if run.Took > warmUp {
		t.Errorf("up took %s, more than %s", run.Took, warmUp)
	}
	l.compare(l.wantReady(allRoles...).Sub(run.finished("machines")), byHand)
	t.Run("network", l.testNetwork)
	t.Run("metrics", l.testMetrics)
	t.Run("status", l.testStatus)
	t.Run("second up", l.testSecondUp)
}

// compare is how long wcctl took from machines that answer to three Ready nodes, and how long by hand.
func (l *lab) compare(bootstrap, byHand time.Duration) {
	l.t.Helper()
	if byHand == 0 {
		return // it has failed and said so
	}
	ratio := bootstrap.Seconds() / byHand.Seconds()
	l.t.Logf("machines up to 3 Ready: %.1f s by wcctl, %.1f s by hand, ratio %.2f",
		bootstrap.Seconds(), byHand.Seconds(), ratio)
	if ratio > byHandRatio {
		l.t.Errorf("wcctl takes %.2f times as long as by hand, more than %.1f", ratio, byHandRatio)
	}
}

// with is the lab for a subtest.
func (l *lab) with(t *testing.T) *lab {
	return &lab{t: t, name: l.name, dir: l.dir, logs: l.logs, bundle: l.bundle, runs: l.runs}
}

// webManifest is one pod on each node, the control plane included, behind a Service.
const webManifest = `
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      tolerations: [{operator: Exists}]
      terminationGracePeriodSeconds: 0
      containers:
        - name: web
          image: %s
          args: [netexec, --http-port=8080]
          ports: [{containerPort: 8080}]
          readinessProbe: {httpGet: {path: /healthz, port: 8080}, periodSeconds: 1}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  type: NodePort
  selector: {app: web}
  ports: [{port: 80, targetPort: 8080, nodePort: 30080}]
`

type webPod struct{ name, node, address string }

func (l *lab) webPods() []webPod {
	l.t.Helper()
	out := l.kubectl("get", "pods", "--selector", "app=web", "--output",
		`jsonpath={range .items[*]}{.metadata.name} {.spec.nodeName} {.status.podIP}{"\n"}{end}`).Stdout
	var pods []webPod
	for line := range strings.Lines(out) {
		fields := strings.Fields(line)
		if len(fields) == 3 {
			pods = append(pods, webPod{fields[0], fields[1], fields[2]})
		}
	}
	return pods
}

// dial lets one pod ask an address over HTTP for the name of who answers.
func (l *lab) dial(from webPod, host string, port int) error {
	path := fmt.Sprintf("/api/v1/namespaces/default/pods/%s:8080/proxy/dial?host=%s&port=%d"+
		"&protocol=http&request=hostname&tries=1", from.name, host, port)
	answer := l.tryKubectl("get", "--raw", path)
	var found struct {
		Responses []string `json:"responses"`
		Errors    []string `json:"errors"`
	}
	if answer.Code != 0 {
		return fmt.Errorf("%s cannot be asked: %s", from.name, answer.Stderr)
	}
	if err := json.Unmarshal([]byte(answer.Stdout), &found); err != nil {
		return fmt.Errorf("%s answers %q: %w", from.name, answer.Stdout, err)
	}
	if len(found.Responses) == 0 {
		return fmt.Errorf("%s on %s does not reach %s:%d: %v", from.name, from.node, host, port, found.Errors)
	}
	return nil
}

// testNetwork checks every way: pod to pod across nodes, DNS, Service, NodePort, exec and logs.
func (l *lab) testNetwork(t *testing.T) {
	l = l.with(t)
	l.serveBundle()
	l.apply(fmt.Sprintf(webManifest, l.image("agnhost")))
	t.Cleanup(func() { l.tryKubectl("delete", "daemonset/web", "service/web", "--wait=false") })
	l.kubectl("rollout", "status", "daemonset/web", "--timeout", "180s")
	pods := l.webPods()
	if len(pods) != len(allRoles) {
		t.Fatalf("pods on %d nodes: %v", len(pods), pods)
	}
	reach := func(from webPod, host string, port int) {
		t.Helper()
		eventually(t, time.Minute, func() error { return l.dial(from, host, port) })
	}
	for _, from := range pods {
		for _, to := range pods {
			reach(from, to.address, 8080)
		}
		reach(from, "web.default.svc.cluster.local", 80)
		reach(from, "web", 80)
	}
	for _, m := range l.machines() {
		for _, target := range l.machines() {
			url := fmt.Sprintf("http://%s/hostname", net.JoinHostPort(target.Address.String(), "30080"))
			l.on(m.Name, "curl --silent --show-error --fail --max-time 5 --retry 5 --retry-all-errors "+url)
		}
	}
	if out := l.kubectl("exec", pods[0].name, "--", "/agnhost", "help").Stdout; !strings.Contains(out, "netexec") {
		t.Errorf("exec said %q", out)
	}
	if out := l.kubectl("logs", pods[0].name).Stdout; !strings.Contains(out, "8080") {
		t.Errorf("the pod's log is %q", out)
	}
}

func (l *lab) testMetrics(t *testing.T) {
	l = l.with(t)
	eventually(t, 2*time.Minute, func() error {
		top := l.tryKubectl("top", "nodes", "--no-headers")
		if lines := strings.Count(top.Stdout, "\n"); top.Code != 0 || lines != len(allRoles) ||
			strings.Contains(top.Stdout, "unknown") {
			return fmt.Errorf("kubectl top nodes: %s%s", top.Stdout, top.Stderr)
		}
		return nil
	})
	l.kubectl("top", "pods", "--all-namespaces")
}

// testStatus wants everything to be fine and the missing policies to be named.
func (l *lab) testStatus(t *testing.T) {
	l = l.with(t)
	var report kube.Report
	l.wcctl("status", "--output", "json").ok().into(&report)
	if worst := kube.Worst(report.Conditions); len(worst) > 0 {
		t.Errorf("not fine: %+v", worst)
	}
	named := false
	for _, c := range report.Conditions {
		if c.State == kube.NotEnforced && c.Name == "network-policies" {
			named = true
		}
	}
	if !named {
		t.Errorf("nothing says that flannel enforces no NetworkPolicies: %+v", report.Conditions)
	}
	if text := l.wcctl("status").ok().Stdout; !strings.Contains(text, "not enforced") {
		t.Errorf("the text does not say so:\n%s", text)
	}
}

func (l *lab) testSecondUp(t *testing.T) {
	l = l.with(t)
	before := l.identity()
	again := l.up().wait().ok()
	if worked := again.worked(); len(worked) > 0 {
		t.Errorf("the second up had work in %v", worked)
	}
	if again.Took > secondUp {
		t.Errorf("the second up took %s, more than %s", again.Took, secondUp)
	}
	plan := l.wcctl("plan", "--bundle", l.bundle).ok()
	t.Logf("second up: %.1f s, plan: %.1f s", again.Took.Seconds(), plan.Took.Seconds())
	before.kept(l, l.identity())
}

// timeByHand makes another cluster with a script and returns the time from the first login to Ready.
func timeByHand(t *testing.T) time.Duration {
	t.Helper()
	l := newLab(t, "wchhand")
	l.byHand = true
	folder := filepath.Join(l.dir, "by-hand")
	key := filepath.Join(l.state(), "ssh", "id_ed25519")
	for _, dir := range []string{folder, filepath.Dir(key)} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	l.run(time.Minute, "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key).ok()
	var machines []string
	for i, role := range allRoles {
		args := []string{
			"machine", "create", l.node(role), "--cluster", l.name, "--subnet", subnet,
			"--disk-gib", strconv.Itoa(diskGiB),
		}
		if i == 0 {
			args = append(args, "--control-plane")
		}
		l.wcctl(args...).ok()
	}
	for _, m := range l.machines() {
		machines = append(machines, fmt.Sprintf("%s,%s,%d", m.Name, m.Address, m.SSHPort))
	}
	server := l.serveByHand()
	script, err := filepath.Abs("by_hand.sh")
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := filepath.Abs(filepath.Join("..", "..", "infra", "manifests", "flannel.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), script, machines...)
	cmd.Env = append(l.environ(), "WORK="+folder, "KEY="+key, "SERVER="+server,
		"LOCK="+filepath.Join(l.bundle, "bundle.lock.json"), "NETWORK="+manifest,
		"POD_SUBNET=10.244.0.0/16", "VERSION="+l.lock().Kubernetes)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err = cmd.Run()
	l.write("by-hand.log", stdout.String()+stderr.String())
	if err != nil {
		t.Fatalf("by hand: %v\n%s", err, tail(stderr.String()))
	}
	seconds, err := strconv.ParseFloat(strings.TrimSpace(stdout.String()), 64)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("by hand:\n%s", stderr.String())
	return time.Duration(seconds * float64(time.Second))
}

// serveByHand runs `wcctl bundle serve` for the script and returns its address.
func (l *lab) serveByHand() string {
	l.t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		l.t.Fatal(err)
	}
	address := listener.Addr().String()
	if err := listener.Close(); err != nil {
		l.t.Fatal(err)
	}
	cmd := exec.CommandContext(l.t.Context(), wcctlPath(l.t), "bundle", "serve", l.bundle, "--listen", address)
	if err := cmd.Start(); err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(func() {
		_ = cmd.Process.Kill() // the test's context may have ended it
		_ = cmd.Wait()
	})
	eventually(l.t, time.Minute, func() error {
		conn, err := net.Dial("tcp", address)
		if err == nil {
			_ = conn.Close()
		}
		return err
	})
	return address
}
