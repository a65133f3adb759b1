package phase

import (
	"context"
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"k8s.io/client-go/tools/clientcmd"

	"github.com/wastecoach/wastecoach/internal/wcctl/event"
	"github.com/wastecoach/wastecoach/internal/wcctl/fleet"
	"github.com/wastecoach/wastecoach/internal/wcctl/kube"
	"github.com/wastecoach/wastecoach/internal/wcctl/remote"
	"github.com/wastecoach/wastecoach/internal/wcctl/spec"
	"github.com/wastecoach/wastecoach/internal/wcctl/terraform"
	"github.com/wastecoach/wastecoach/internal/wcctl/workspace"
)

var update = flag.Bool("update", false, "rewrite the golden files")

const page = "../../../docs/cluster/phases.md"

func TestThePageIsTheList(t *testing.T) {
	t.Parallel()
	got := Document(List())
	if *update {
		if err := os.WriteFile(page, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s is old: go test ./internal/wcctl/phase -update", page)
	}
}

func equal(t *testing.T, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("got:\n  %s\nwant:\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
}

func TestAPlanBeforeThereAreMachinesNamesAllPhases(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	plan, err := w.runner().Plan(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for i, p := range plan.Phases {
		if len(p.Changes) == 0 || p.Name != List()[i].Name() {
			t.Errorf("phase %s has no change", p.Name)
		}
	}
	hosts := []string{}
	for _, c := range plan.Phases[slices.Index(Names(List()), workersName)].Changes {
		hosts = append(hosts, c.Host)
	}
	equal(t, hosts, []string{"demo-worker-1", "demo-worker-2"})
}

func TestASecondUpFindsNothingToDo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if err := w.up(); err != nil {
		t.Fatal(err)
	}
	first := len(w.played)
	if want := 3*3 + 4 + 2; first != want { // three phases everywhere, four on the control plane
		t.Errorf("%d plays, want %d: %v", first, want, w.played)
	}
	equal(t, w.plan(), []string{})
	w.events = nil
	if err := w.up(); err != nil {
		t.Fatal(err)
	}
	if len(w.played) != first || w.applied != 1 {
		t.Errorf("the second up did something: %v, %d applies", w.played[first:], w.applied)
	}
	for _, e := range w.events {
		if e.Kind != event.PhaseSkipped {
			t.Errorf("event %+v", e)
		}
	}
}

func TestAPlanWritesNothing(t *testing.T) {
	t.Parallel()
	for _, made := range []bool{false, true} {
		w := newWorld(t)
		if made {
			w = newFinishedWorld(t)
			w.drift("demo-worker-1", hostName)
		} else {
			_ = w.runner() // it makes the journal
		}
		before := treeHash(t, w.dir)
		if len(w.plan()) == 0 {
			t.Error("an empty plan proves nothing")
		}
		if after := treeHash(t, w.dir); after != before {
			t.Errorf("made %v: a plan wrote something", made)
		}
	}
}

// treeHash covers names, sizes, times and contents; bin holds the test's own programs.
func treeHash(t *testing.T, dir string) string {
	t.Helper()
	sum := sha256.New()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.Contains(path, "/bin/") {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		data, err := os.ReadFile(path)
		fmt.Fprintf(sum, "%s %v %x\n", path, info.ModTime(), data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%x", sum.Sum(nil))
}

func (w *world) drift(host, phase string) {
	w.t.Helper()
	if err := os.WriteFile(w.file(host, phase), []byte("by hand"), 0o600); err != nil {
		w.t.Fatal(err)
	}
}

func TestDriftIsNamedAndMendedWhereItIs(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		breaks func(w *world)
		want   []string
	}{
		"a file changed": {
			func(w *world) { w.drift("demo-worker-1", containerdName) },
			[]string{"containerd demo-worker-1: changed by hand: FILE"},
		},
		"a file gone": {
			func(w *world) { _ = os.Remove(w.file("demo-worker-2", hostName)) },
			[]string{"host demo-worker-2: changed by hand: FILE"},
		},
		"a unit stopped": {
			func(w *world) { w.units["demo-worker-1/kubelet"] = "inactive" },
			[]string{"workers demo-worker-1: kubelet is inactive"},
		},
		"a node deleted": {
			func(w *world) { w.nodes = []string{"demo-control-plane", "demo-worker-2"} },
			[]string{"workers demo-worker-1: the cluster has no such node"},
		},
		"a node without its label": {
			func(w *world) { w.unlabeled["demo-worker-2"] = true },
			[]string{"labels demo-control-plane: demo-worker-2 lacks the label node-role.kubernetes.io/worker"},
		},
		"a manifest deleted": {
			func(w *world) { w.absent = metricsObjects(nil) },
			[]string{"metrics demo-control-plane: Deployment kube-system/metrics-server is gone"},
		},
		"a machine made anew": {
			func(w *world) {
				_ = os.RemoveAll(filepath.Join(w.dir, "demo-worker-2"))
				delete(w.units, "demo-worker-2/kubelet")
			},
			[]string{
				"host demo-worker-2: not done yet", "containerd demo-worker-2: not done yet",
				"packages demo-worker-2: not done yet", "workers demo-worker-2: not done yet",
			},
		},
		"another input": {
			func(w *world) { w.vars.Values["wc_version"] = "1.37.2" },
			each3("host", "its settings have changed since"),
		},
		"a variable that no role declares": {
			func(w *world) { w.vars.Values["wc_secret"] = "newer" },
			[]string{},
		},
		"a manifest's text": {
			func(w *world) { w.vars.Texts["wc_manifest"] = "kind: Other" },
			each3("host", "its settings have changed since"),
		},
		"another role": {
			func(w *world) {
				w.ansible["roles/labels/tasks/main.yml"] = &fstest.MapFile{Data: []byte("- two")}
			},
			[]string{"labels demo-control-plane: the role has changed since"},
		},
		"renewed certificates": {
			func(w *world) { w.writeAdmin("second") },
			[]string{"kubeconfig: the control plane has other certificates"},
		},
		"no kubeconfig": {
			func(w *world) { _ = os.Remove(w.folder.Kubeconfig()) },
			[]string{"kubeconfig: it is missing", "conditions: a new cluster"},
		},
		"an unmet condition": {
			func(w *world) {
				down := kube.Condition{Name: "nodes-ready", State: kube.Failing, Message: "demo-worker-1 is not"}
				w.unmet = []kube.Condition{down}
			},
			[]string{"conditions: demo-worker-1 is not"},
		},
		"Terraform's drift": {
			func(w *world) {
				w.changes = []terraform.Change{{
					Address: `aws_instance.node["demo-worker-1"]`, Action: terraform.Update, Reason: "drift_seen",
				}}
			},
			[]string{"machines: drift seen"},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newFinishedWorld(t)
			c.breaks(w)
			got := slices.DeleteFunc(w.plan(), func(line string) bool {
				return strings.HasPrefix(line, preflightName)
			})
			for i := range got {
				if head, _, ok := strings.Cut(got[i], ": "+w.dir); ok {
					got[i] = head + ": FILE"
				}
			}
			// The same variables are inputs of other phases too.
			if len(got) > len(c.want) && len(c.want) == 3 {
				got = got[:3]
			}
			equal(t, got, c.want)
			w.absent = nil
			if err := w.up(); err != nil {
				t.Fatal(err)
			}
			equal(t, w.plan(), []string{})
		})
	}
}

func each3(phase, why string) []string {
	return []string{
		phase + " demo-control-plane: " + why, phase + " demo-worker-1: " + why,
		phase + " demo-worker-2: " + why,
	}
}

func TestAFailureNamesItsPlaceAndTheNextUpGoesOnThere(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.play = func(_ context.Context, p Playing, host string) (bool, error) {
		if p.Phase != packagesName || host != "demo-worker-2" {
			return true, nil
		}
		return false, &Error{Host: host, Task: "Fetch the programs", Cause: errors.New("no space left")}
	}
	runner := w.runner()
	runner.Explain = func(error) string { return "df -h" }
	_, err := runner.Up(t.Context())
	var failed *Error
	if !errors.As(err, &failed) {
		t.Fatalf("%v is no *Error", err)
	}
	if failed.Phase != packagesName || failed.Host != "demo-worker-2" ||
		failed.Task != "Fetch the programs" || failed.Hint != "df -h" || failed.Log != "the.log" {
		t.Errorf("got %+v", *failed)
	}
	last := w.events[len(w.events)-1]
	if last.Kind != event.PhaseFailed || last.Host != "demo-worker-2" || last.Text != "no space left" {
		t.Errorf("the last event is %+v", last)
	}
	entries, err := w.folder.Entries()
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range workspace.Unfinished(entries) {
		if e.State == workspace.Failed && e.Host != "demo-worker-2" {
			t.Errorf("failed elsewhere: %+v", e)
		}
	}
	w.play, w.played = nil, nil
	if err := w.up(); err != nil {
		t.Fatal(err)
	}
	if w.played[0] != "packages demo-worker-2" || w.played[1] != "control-plane demo-control-plane" {
		t.Errorf("it went on with %v", w.played)
	}
}

func TestOnlyMachinesThatWentAwayAreTriedAgain(t *testing.T) {
	t.Parallel()
	gone := &remote.Error{Kind: remote.Lost, Host: "demo-worker-1", Cause: errors.New("lost")}
	denied := &remote.Error{Kind: remote.Auth, Host: "demo-worker-1", Cause: errors.New("denied")}
	for _, c := range []struct {
		name  string
		err   error
		times int
		plays int
		ok    bool
	}{
		{"once away", gone, 1, 2, true},
		{"away for good", gone, 99, maxTries, false},
		{"denied", denied, 1, 1, false},
		{"a task's own fault", errors.New("no"), 1, 1, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			plays := 0
			w.play = func(_ context.Context, p Playing, host string) (bool, error) {
				if p.Phase != hostName || host != "demo-worker-1" {
					return true, nil
				}
				plays++
				return plays > c.times, c.err
			}
			err := w.up()
			if plays != c.plays || (err == nil) != c.ok {
				t.Errorf("%d plays, error %v", plays, err)
			}
			if !c.ok && !errors.Is(err, c.err) && !strings.Contains(err.Error(), "denied") &&
				!strings.Contains(err.Error(), "lost") {
				t.Errorf("the cause is hidden: %v", err)
			}
		})
	}
}

func TestAnInterruptedRunGoesOn(t *testing.T) {
	t.Parallel()
	for _, name := range []string{hostName, controlPlaneName, workersName} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			w.play = func(_ context.Context, p Playing, _ string) (bool, error) {
				if p.Phase != name {
					return true, nil
				}
				cancel()
				return false, errors.New("ansible: interrupted")
			}
			if _, err := w.runner().Up(ctx); !errors.Is(err, context.Canceled) {
				t.Fatalf("got %v", err)
			}
			w.play, w.played = nil, nil
			if err := w.up(); err != nil {
				t.Fatal(err)
			}
			if !strings.HasPrefix(w.played[0], name+" ") || w.applied != 1 {
				t.Errorf("it went on with %v", w.played)
			}
			equal(t, w.plan(), []string{})
		})
	}
}

func TestARunThatWasKilledLeavesNoRecord(t *testing.T) {
	t.Parallel()
	w := newFinishedWorld(t)
	w.drift("demo-worker-1", containerdName)
	w.play = func(_ context.Context, _ Playing, host string) (bool, error) {
		// The file is mended, but its handler did not run: the drift can be seen no more.
		return false, os.WriteFile(w.file(host, containerdName), []byte("by containerd"), 0o600)
	}
	if err := w.up(); err != nil {
		t.Logf("as a killed run would end: %v", err)
	}
	if got := w.plan(); !slices.Contains(got, "containerd demo-worker-1: not done yet") {
		t.Errorf("half a play counts as done: %v", got)
	}
}

func TestAMachineThatIsOffIsTold(t *testing.T) {
	t.Parallel()
	w := newFinishedWorld(t)
	w.down["demo-worker-2"] = &remote.Error{
		Kind: remote.Timeout, Host: "demo-worker-2", Cause: errors.New("no answer"), Hint: "ssh demo-worker-2",
	}
	if got := w.plan(); !slices.Contains(got, "preflight demo-worker-2: demo-worker-2: no answer") {
		t.Errorf("the plan is %v", got)
	}
	var failed *Error
	err := w.up()
	if !errors.As(err, &failed) || failed.Host != "demo-worker-2" || failed.Hint != "ssh demo-worker-2" {
		t.Errorf("up fails with %#v", err)
	}
	delete(w.down, "demo-worker-2")
	if err := w.up(); err != nil {
		t.Error(err)
	}
}

func TestFatalFindingsStopARun(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	runner := w.runner()
	runner.Run.Check = func(context.Context, fleet.Fleet, map[string]Shell) ([]Finding, error) {
		return []Finding{
			{Host: "demo-worker-1", Text: "only 1 CPU"},
			{Host: "demo-worker-2", Text: "clock is off", Hint: "timedatectl", Fatal: true},
			{Host: "demo-worker-2", Text: "disk is full", Fatal: true},
		}, nil
	}
	_, err := runner.Up(t.Context())
	var failed *Error
	if !errors.As(err, &failed) || failed.Host != "demo-worker-2" || failed.Hint != "timedatectl" ||
		!strings.Contains(err.Error(), "and 1 more") {
		t.Errorf("got %v", err)
	}
	if len(w.played) > 0 {
		t.Errorf("played %v", w.played)
	}
}

func TestTheKubeconfigReachesTheServerByItsCertificatesName(t *testing.T) {
	t.Parallel()
	w := newFinishedWorld(t)
	config, err := clientcmd.LoadFromFile(w.folder.Kubeconfig())
	if err != nil {
		t.Fatal(err)
	}
	cluster := config.Clusters["demo"]
	if config.CurrentContext != "demo" || cluster.Server != "https://127.0.0.1:16443" ||
		cluster.TLSServerName != "api.demo.internal" {
		t.Errorf("got %+v", cluster)
	}
	if key := string(config.AuthInfos["demo-admin"].ClientKeyData); key != "keyfirst" {
		t.Errorf("the key is %q", key)
	}
}

func TestTheConditionsAreWaitedFor(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.unmet = []kube.Condition{
		{Name: "dns", State: kube.Unknown, Message: "seen by Pending"},
		{Name: "dns", State: kube.Unknown, Message: "no answer"},
		{Name: "dns", State: kube.Failing, Message: "no pod"},
	}
	w.mustUp()
	if len(w.unmet) != 0 {
		t.Errorf("not waited for: %v", w.unmet)
	}
	w.unmet = []kube.Condition{{Name: "dns", State: kube.Failing, Message: "no pod"}}
	equal(t, w.plan(), []string{"conditions: no pod"})
}

func TestOnlyAMachineMadeAnewMayHaveAnotherHostKey(t *testing.T) {
	t.Parallel()
	w := newFinishedWorld(t)
	w.changes = []terraform.Change{
		{Address: `aws_instance.machine["demo-worker-1"]`, Action: terraform.Replace},
		{Address: `aws_instance.machine["demo-worker-2"]`, Action: terraform.Update},
	}
	w.forgotten = nil
	w.mustUp()
	equal(t, slices.Compact(w.forgotten), []string{"demo-worker-1"})
}

func TestTheBundleIsServedOnEachMachineThatHasWork(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	runner := w.runner()
	listeners := map[string]net.Listener{}
	runner.Run.Parallel = 1
	runner.Run.Dial = func(_ context.Context, m fleet.Machine, _ time.Duration) (Shell, error) {
		shell := &fakeShell{world: w, host: m.Name, done: make(chan struct{})}
		return &listening{fakeShell: shell, all: listeners}, nil
	}
	runner.Run.Bundle = http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		fmt.Fprint(rw, "bundle "+r.URL.Path)
	})
	w.play = func(ctx context.Context, _ Playing, host string) (bool, error) {
		url := "http://" + listeners[host].Addr().String() + "/files/kubeadm"
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
		if err != nil {
			return false, err
		}
		answer, err := http.DefaultClient.Do(request)
		if err != nil {
			return false, err
		}
		defer answer.Body.Close()
		body, err := io.ReadAll(answer.Body)
		return string(body) == "bundle /files/kubeadm", err
	}
	if _, err := runner.Up(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(listeners) != 3 {
		t.Errorf("%d listeners", len(listeners))
	}
	runner.Run.Close()
	for host, l := range listeners {
		if conn, err := net.Dial("tcp", l.Addr().String()); err == nil {
			_ = conn.Close()
			t.Errorf("%s is served after the run", host)
		}
	}
}

type listening struct {
	*fakeShell
	all map[string]net.Listener
}

func (s *listening) Listen(address string) (net.Listener, error) {
	if address != BundleAddress {
		return nil, fmt.Errorf("listening on %s", address)
	}
	l, err := s.fakeShell.Listen(address)
	s.all[s.host] = l
	return l, err
}

func TestSelectChoosesPhases(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		from string
		only []string
		want string
		bad  bool
	}{
		{want: strings.Join(Names(List()), " ")},
		{from: labelsName, want: "labels metrics kubeconfig conditions"},
		{only: []string{"conditions", "host"}, want: "host conditions"},
		{from: "host", only: []string{"host"}, want: "host"},
		{from: "labels", only: []string{"host"}, bad: true},
		{only: []string{"hosts"}, bad: true},
		{from: "the start", bad: true},
	} {
		got, err := Select(List(), c.from, c.only)
		if (err != nil) != c.bad || strings.Join(Names(got), " ") != c.want {
			t.Errorf("from %q only %v: %v, %v", c.from, c.only, Names(got), err)
		}
	}
}

func TestATornAnswerIsNoSurvey(t *testing.T) {
	t.Parallel()
	if _, err := parseSurvey("boot x\nunit kubelet active\n"); err == nil {
		t.Error("half an answer is taken for the whole")
	}
	s, err := parseSurvey("boot x\nrecord host !!!\nend\n")
	if err != nil || len(s.records) != 0 {
		t.Errorf("a torn record: %+v, %v", s, err)
	}
}

func TestDownTellsWhatIsLeft(t *testing.T) {
	t.Parallel()
	for _, left := range [][]string{nil, {"namespace wcl-demo", "process 12"}} {
		w := newFinishedWorld(t)
		runner := w.runner()
		runner.Phases = Down(w.cluster.Spec.Target)
		runner.Run.Leftovers = func(_ context.Context, machines fleet.Fleet) ([]string, error) {
			if len(machines) != 3 {
				t.Errorf("%d machines were there", len(machines))
			}
			return left, nil
		}
		w.forgotten = nil
		_, err := runner.Up(t.Context())
		if (err != nil) != (left != nil) {
			t.Errorf("left %v: %v", left, err)
		}
		if err != nil && !strings.Contains(err.Error(), "namespace wcl-demo; process 12") {
			t.Errorf("the error does not name them: %v", err)
		}
		if w.made || len(w.forgotten) != 3 {
			t.Errorf("made %v, forgotten %v", w.made, w.forgotten)
		}
	}
}

func TestSettingsOfACreatedClusterCannotChange(t *testing.T) {
	t.Parallel()
	w := newFinishedWorld(t)
	w.cluster.Spec.Kubernetes.PodSubnet = "10.1.0.0/16"
	w.cluster.Spec.Network.Plugin = spec.Calico
	for _, err := range []error{w.up(), func() error { _, err := w.runner().Plan(t.Context()); return err }()} {
		var failed *Error
		if !errors.As(err, &failed) || !strings.Contains(failed.Hint, "wcctl down") {
			t.Fatalf("got %v", err)
		}
		for _, want := range []string{`spec.kubernetes.podSubnet is "10.1.0.0/16"`, `made with "flannel"`} {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%q is missing in: %v", want, err)
			}
		}
	}
	if len(w.played) > 0 {
		t.Errorf("played %v", w.played)
	}
}

func TestPhasesNeedMachines(t *testing.T) {
	t.Parallel()
	for _, name := range Names(List())[1:] {
		w := newWorld(t)
		runner := w.runner()
		runner.Run.Dial = func(context.Context, fleet.Machine, time.Duration) (Shell, error) {
			t.Error("logged in to a machine that is not there")
			return nil, errors.New("no")
		}
		var err error
		if runner.Phases, err = Select(List(), "", []string{name}); err != nil {
			t.Fatal(err)
		}
		var failed *Error
		if _, err := runner.Up(t.Context()); !errors.Is(err, ErrNoMachines) || !errors.As(err, &failed) ||
			failed.Hint != "wcctl up" || failed.Phase != name {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestPhasesCanBeAskedForAgain(t *testing.T) {
	t.Parallel()
	w := newFinishedWorld(t)
	runner := w.runner()
	runner.Run.Again = true
	var err error
	if runner.Phases, err = Select(List(), "", []string{metricsName}); err != nil {
		t.Fatal(err)
	}
	if _, err := runner.Up(t.Context()); err != nil {
		t.Fatal(err)
	}
	equal(t, w.played, []string{"metrics demo-control-plane"})
}

func TestHostsKeepTheirKeysAndAreCleanedEvenWhenTerraformForgotThem(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.cluster.Spec.Target, w.cluster.Spec.Local = spec.Hosts, nil
	w.cluster.Spec.Hosts = &spec.HostsTarget{
		ControlPlane: spec.Host{Name: "a", Address: "10.9.0.1", PrivateAddress: "10.9.0.1", Port: 22},
		Workers:      []spec.Host{{Name: "b", Address: "10.9.0.2", PrivateAddress: "10.9.0.2", Port: 22}},
	}
	w.changes = []terraform.Change{{Address: `terraform_data.machine["a"]`, Action: terraform.Create}}
	down := func(force bool) (seen fleet.Fleet, err error) {
		runner := w.runner()
		runner.Phases, runner.Run.Force = Down(spec.Hosts), force
		runner.Run.Leftovers = func(_ context.Context, machines fleet.Fleet) ([]string, error) {
			seen = machines
			return nil, nil
		}
		_, err = runner.Up(t.Context())
		return seen, err
	}
	seen, err := down(false)
	if err != nil {
		t.Fatal(err)
	}
	if len(seen) != 2 || seen[1].SSH.Host != "10.9.0.2" {
		t.Errorf("looked at %v", seen)
	}
	equal(t, w.played, []string{"remove a", "remove b"})
	runner := w.runner()
	if runner.Phases, err = Select(List(), "", []string{machinesName}); err != nil {
		t.Fatal(err)
	}
	if _, err := runner.Up(t.Context()); err != nil {
		t.Fatal(err)
	}
	equal(t, w.forgotten, nil)
	w.played, w.down["b"] = nil, errors.New("no answer")
	var failed *Error
	if _, err := down(false); !errors.As(err, &failed) || !strings.Contains(failed.Hint, "--force") {
		t.Errorf("a host that is gone: %v", err)
	}
	if _, err := down(true); err != nil {
		t.Error(err)
	}
	equal(t, w.played, []string{"remove a"})
}
