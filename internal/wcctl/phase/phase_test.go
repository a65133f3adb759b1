package phase

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/client-go/tools/clientcmd"

	"github.com/wastecoach/wastecoach/internal/wcctl/event"
	"github.com/wastecoach/wastecoach/internal/wcctl/fleet"
	"github.com/wastecoach/wastecoach/internal/wcctl/kube"
	"github.com/wastecoach/wastecoach/internal/wcctl/release"
	"github.com/wastecoach/wastecoach/internal/wcctl/remote"
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
	if address != release.BundleAddress {
		return nil, fmt.Errorf("listening on %s", address)
	}
	l, err := s.fakeShell.Listen(address)
	s.all[s.host] = l
	return l, err
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
