//go:build e2e

package cluster

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/wastecoach/wastecoach/internal/wcctl/event"
	"github.com/wastecoach/wastecoach/internal/wcctl/spec"
)

const nextRelease = "1.37.2"

// nextBundle is a bundle of the release after the default. WCCTL_E2E_BUNDLE_NEXT names one that is there.
func nextBundle(t *testing.T) string {
	t.Helper()
	if dir := os.Getenv("WCCTL_E2E_BUNDLE_NEXT"); dir != "" {
		return dir
	}
	// Not where wcctl upgrade itself looks for one.
	dir := bundleFolder("bundle-e2e-" + nextRelease)
	if out, err := inCheckout(t, "bundle", "create", dir, "--with-system", "--kubernetes-version", nextRelease); err != nil {
		t.Fatalf("wcctl bundle create: %v\n%s", err, tail(out))
	}
	return dir
}

// servingManifest is two pods that a budget protects behind a Service, and one that only worker-1 can take.
const servingManifest = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: serving}
spec:
  replicas: 2
  selector: {matchLabels: {app: serving}}
  template:
    metadata: {labels: {app: serving}}
    spec:
      terminationGracePeriodSeconds: 20
      topologySpreadConstraints:
        - {maxSkew: 1, topologyKey: kubernetes.io/hostname, whenUnsatisfiable: ScheduleAnyway,
           labelSelector: {matchLabels: {app: serving}}}
      containers:
        - name: serving
          image: %[1]s
          args: [netexec, --http-port=8080]
          readinessProbe: {httpGet: {path: /healthz, port: 8080}, periodSeconds: 1}
          lifecycle: {preStop: {sleep: {seconds: 5}}}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: serving}
spec: {minAvailable: 1, selector: {matchLabels: {app: serving}}}
---
apiVersion: v1
kind: Service
metadata: {name: serving}
spec: {type: NodePort, selector: {app: serving}, ports: [{port: 80, targetPort: 8080, nodePort: 30090}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: bound}
spec:
  replicas: 1
  selector: {matchLabels: {app: bound}}
  template:
    metadata: {labels: {app: bound}}
    spec:
      nodeSelector: {kubernetes.io/hostname: %[2]s}
      containers: [{name: bound, image: %[1]s, args: [pause]}]
`

// TestUpgrade brings a cluster that serves to the next release, with runs that are killed, and back again.
//
//nolint:paralleltest // this computer holds one cluster at a time
func TestUpgrade(t *testing.T) {
	next := nextBundle(t)
	l := newLab(t, "wchupg")
	l.up().wait().ok()
	before := l.identity()
	l.serve()
	bound := l.containerOf("bound")
	l.makeObjects()
	if _, err := os.Stat(bundleFolder("bundle-" + nextRelease)); err == nil {
		t.Logf("that it refuses to go without a bundle is not tried: this computer has one of %s", nextRelease)
	} else if refused := l.wcctl("upgrade", "--to", nextRelease, "--yes").code(1); !strings.Contains(
		refused.Stderr, "there is no bundle with Kubernetes "+nextRelease) {
		t.Errorf("without a bundle it says\n%s", refused.Stderr)
	}

	service := l.poll("service", 100*time.Millisecond, l.nodeURLs("http", "30090", "/hostname"))
	server := l.poll("API server", 200*time.Millisecond, []string{
		"https://" + l.addressOf("control-plane") + ":6443/readyz",
	})
	start := time.Now()
	// No --bundle after the first: it is remembered. No --to: the file has it.
	first := l.start("upgrade", "--to", nextRelease, "--bundle", next, "--yes")
	first.phase("upgrade-control-plane")
	l.sleepUnless(first, 15*time.Second)
	first.kill()
	l.upIsRefusedOrDone()
	second := l.start("upgrade", "--yes")
	second.taskOn("upgrade-nodes", l.node("worker-1"), "replace kubelet")
	second.kill()
	last := l.start("upgrade", "--yes").wait().ok()
	t.Logf("upgrade with two kills: %.1f s; the last run %.1f s: %s", time.Since(start).Seconds(),
		last.Took.Seconds(), last.seconds())
	service.end()
	server.end()
	if service.failed > 0 {
		t.Errorf("%d of %d requests failed: %v", service.failed, service.total, service.faults)
	}

	l.wantRelease(next)
	before.kept(l, l.identity())
	if now := l.containerOf("bound"); now != bound {
		t.Errorf("the pod that no other node takes was started anew: %s, then %s", bound, now)
	}
	l.bundle = next
	if plan := l.wcctl("plan"); plan.Code != 0 {
		t.Errorf("the plan is not empty:\n%s%s", plan.Stdout, plan.Stderr)
	}
	again := l.wcctl("upgrade", "--yes").ok()
	if !strings.Contains(again.Stdout, "has Kubernetes "+nextRelease+" already") {
		t.Errorf("a second upgrade says\n%s%s", again.Stdout, again.Stderr)
	}
	back := l.wcctl("upgrade", "--to", "1.36.3", "--bundle", testBundle(t), "--yes").code(1)
	if !strings.Contains(back.Stderr, "does not go back to 1.36.3") {
		t.Errorf("the way back says\n%s", back.Stderr)
	}
	t.Run("back", func(t *testing.T) { l.with(t).goBack(before) })
}

// goBack restores the backup that the upgrade took.
func (l *lab) goBack(before identity) {
	l.t.Helper()
	files, err := filepath.Glob(filepath.Join(l.state(), "backups", "*.tar.gz"))
	if err != nil || len(files) != 1 {
		l.t.Fatalf("the backups are %v: %v", files, err)
	}
	l.bundle = testBundle(l.t)
	l.configure(func(c *spec.Cluster) { c.Spec.Kubernetes.Version = "1.36.3" })
	l.kubectl("create", "configmap", "after")
	run := l.start("backup", "restore", filepath.Base(files[0]), "--force", "--bundle", l.bundle, "--yes").wait().ok()
	l.t.Logf("back: %.1f s: %s", run.Took.Seconds(), run.seconds())
	l.wantReady(allRoles...)
	l.wantObjects()
	before.kept(l, l.identity())
	for _, n := range l.nodes() {
		if v := n.Status.NodeInfo.KubeletVersion; v != "v1.36.3" {
			l.t.Errorf("%s has %s", n.Name, v)
		}
	}
	if plan := l.wcctl("plan"); plan.Code != 0 {
		l.t.Errorf("the plan is not empty:\n%s%s", plan.Stdout, plan.Stderr)
	}
}

// serve starts the pods, with their image on every node before.
func (l *lab) serve() {
	l.t.Helper()
	l.serveBundle()
	l.apply(fmt.Sprintf(webManifest, l.image("agnhost")))
	l.kubectl("rollout", "status", "daemonset/web", "--timeout", "180s")
	l.kubectl("delete", "daemonset/web", "service/web")
	l.apply(fmt.Sprintf(servingManifest, l.image("agnhost"), l.node("worker-1")))
	for _, name := range []string{"serving", "bound"} {
		l.kubectl("rollout", "status", "deployment/"+name, "--timeout", "180s")
	}
}

// containerOf is the only pod's container with its start.
func (l *lab) containerOf(app string) string {
	l.t.Helper()
	var list corev1.PodList
	l.kubectl("get", "pods", "--selector", "app="+app, "--output", "json").into(&list)
	if len(list.Items) != 1 || len(list.Items[0].Status.ContainerStatuses) != 1 {
		l.t.Fatalf("%d pods are %s", len(list.Items), app)
	}
	status := list.Items[0].Status.ContainerStatuses[0]
	if status.State.Running == nil {
		l.t.Fatalf("%s does not run: %+v", app, status.State)
	}
	return fmt.Sprintf("%s since %s", status.ContainerID, status.State.Running.StartedAt)
}

func (l *lab) addressOf(role string) string {
	l.t.Helper()
	for _, m := range l.machines() {
		if m.Name == l.node(role) {
			return m.Address.String()
		}
	}
	l.t.Fatalf("there is no machine %s", role)
	return ""
}

func (l *lab) nodeURLs(scheme, port, path string) []string {
	var urls []string
	for _, role := range allRoles {
		urls = append(urls, scheme+"://"+l.addressOf(role)+":"+port+path)
	}
	return urls
}

// sleepUnless lets a command run on for a while.
func (l *lab) sleepUnless(r *running, d time.Duration) {
	select {
	case <-time.After(d):
	case <-r.ended:
		l.t.Errorf("%s has ended already\n%s", r.command, tail(r.result().Stdout))
	}
}

// upIsRefusedOrDone sees that up does not meddle with a half upgraded cluster.
func (l *lab) upIsRefusedOrDone() {
	l.t.Helper()
	r := l.wcctl("up", "--yes")
	if r.Code == 1 && !strings.Contains(r.Stderr, "wcctl upgrade") {
		l.t.Errorf("up in the middle of an upgrade says\n%s", r.Stderr)
	}
}

// taskOn waits until a task with that in its name has begun on a machine.
func (r *running) taskOn(phase, host, name string) {
	r.t.Helper()
	if _, ok := r.until("task "+name, func(e event.Event) bool {
		return e.Phase == phase && e.Host == host && e.Kind == event.TaskStarted && strings.Contains(e.Task, name)
	}); !ok {
		r.t.Fatalf("%s ended without %q on %s\n%s", r.command, name, host, tail(r.result().Stdout))
	}
}

// wantRelease checks nodes, static pods, addons and the file.
func (l *lab) wantRelease(next string) {
	l.t.Helper()
	l.wantReady(allRoles...)
	for _, n := range l.nodes() {
		if v := n.Status.NodeInfo.KubeletVersion; v != "v"+nextRelease || n.Spec.Unschedulable {
			l.t.Errorf("%s has %s, cordoned %v", n.Name, v, n.Spec.Unschedulable)
		}
	}
	images := l.kubectl("get", "pods", "--namespace", "kube-system", "--output",
		`jsonpath={range .items[*]}{.spec.containers[*].image}{"\n"}{end}`).Stdout
	after := lab{t: l.t, bundle: next}
	for _, name := range []string{
		"etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy", "coredns",
	} {
		if want := after.image(name); !slices.Contains(strings.Fields(images), want) {
			l.t.Errorf("no pod runs %s:\n%s", want, images)
		}
	}
	text, err := os.ReadFile(filepath.Join(l.dir, spec.FileName))
	if err != nil || !strings.Contains(string(text), "version: "+nextRelease) {
		l.t.Errorf("the file says\n%s%v", text, err)
	}
	l.wcctl("status").ok()
}

// polling is a client beside the machines that asks addresses in turn.
type polling struct {
	l             *lab
	what, stop    string
	ended         chan struct{}
	total, failed int
	// gap is the longest time without an answer; lastGood is when the last came.
	gap      time.Duration
	lastGood time.Time
	faults   map[string]int
}

// poll starts one; what it says is a code of curl's and of HTTP for each request, with the time.
func (l *lab) poll(what string, every time.Duration, urls []string) *polling {
	l.t.Helper()
	p := &polling{
		l: l, what: what, stop: filepath.Join(l.dir, "stop-"+strings.ReplaceAll(what, " ", "-")),
		ended: make(chan struct{}), faults: map[string]int{},
	}
	script := fmt.Sprintf(`while [ ! -e %s ]; do for url in %s; do
code=$(curl --silent --insecure --output /dev/null --max-time 2 --write-out '%%{http_code}' "$url") || code=curl-$?
echo "$(date +%%s.%%N) $code $url"; sleep %.1f; done; done`, p.stop, strings.Join(urls, " "), every.Seconds())
	cmd := exec.CommandContext(context.WithoutCancel(l.t.Context()), wcctlPath(l.t),
		"machine", "exec", l.node("control-plane"), "--lab", "--", "sh", "-c", script)
	cmd.Dir, cmd.Env = l.dir, l.environ()
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		l.t.Fatal(err)
	}
	go func() {
		defer close(p.ended)
		lines := bufio.NewScanner(out)
		var all strings.Builder
		for lines.Scan() {
			all.WriteString(lines.Text() + "\n")
			p.take(strings.Fields(lines.Text()))
		}
		_ = cmd.Wait() // it ends by the file
		l.write("poll-"+strings.ReplaceAll(what, " ", "-")+".log", all.String())
	}()
	l.t.Cleanup(func() { p.close() })
	return p
}

func (p *polling) take(fields []string) {
	if len(fields) != 3 {
		return
	}
	seconds, err := strconv.ParseFloat(fields[0], 64)
	if err != nil {
		return
	}
	at := time.UnixMicro(int64(seconds * 1e6))
	p.total++
	// A server that asks who one is has answered.
	if fields[1] != "200" && fields[1] != "401" && fields[1] != "403" {
		p.failed++
		p.faults[fields[1]]++
		return
	}
	if !p.lastGood.IsZero() {
		p.gap = max(p.gap, at.Sub(p.lastGood))
	}
	p.lastGood = at
}

func (p *polling) close() {
	if err := os.WriteFile(p.stop, nil, 0o600); err == nil {
		<-p.ended
	}
}

// end stops asking and tells what was seen.
func (p *polling) end() {
	p.l.t.Helper()
	p.close()
	p.l.t.Logf("%s: %d requests, %d failed %v, longest time without an answer %.1f s", p.what, p.total, p.failed,
		p.faults, p.gap.Seconds())
}
