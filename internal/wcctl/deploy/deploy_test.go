package deploy_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/wastecoach/wastecoach/internal/wcctl/deploy"
	"github.com/wastecoach/wastecoach/internal/wcctl/event"
	"github.com/wastecoach/wastecoach/internal/wcctl/spec"
)

func sameValues(a, b map[string]any) bool { return reflect.DeepEqual(a, b) }

func TestARollingDeploymentIsOneRevision(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.mustDeploy(t, "1", "")
	w.mustDeploy(t, "2", spec.Rolling)
	if got := w.standing(t); got != "rolling: rolling=2" {
		t.Errorf("it stands %s", got)
	}
	if n := len(w.revisions["waste"]); n != 2 {
		t.Errorf("%d revisions", n)
	}
	values := w.revisions["waste"][0].Values
	if values["domain"] != "wastecoach.test" || !reflect.DeepEqual(values["api"], map[string]any{"replicas": 3.0}) {
		t.Errorf("the values are %v", values)
	}
}

func TestWhatHasNotChangedIsLeftAlone(t *testing.T) {
	t.Parallel()
	for _, strategy := range []spec.Strategy{spec.Rolling, spec.BlueGreen} {
		w := setup(t)
		w.mustDeploy(t, "1", strategy)
		w.mustDeploy(t, "2", strategy)
		before := len(w.revisions["waste"])
		outcomes, err := w.deployer.Run(t.Context(), request("2", strategy))
		if err != nil || outcomes[0].Changed || outcomes[0].Revision != before || len(w.revisions["waste"]) != before {
			t.Errorf("%s: %+v, %v after revision %d", strategy, outcomes, err, before)
		}
		if last := w.events[len(w.events)-1]; last.Kind != event.PhaseSkipped {
			t.Errorf("%s: the last event is %+v", strategy, last)
		}
	}
}

func TestColorsTakeTurns(t *testing.T) {
	t.Parallel()
	w := setup(t)
	for _, step := range []struct {
		tag      string
		strategy spec.Strategy
		want     string
		// turns is where requests went after each revision.
		turns []string
	}{
		{"1", spec.BlueGreen, "blue: blue=1", []string{"blue 1"}},
		{"2", spec.BlueGreen, "green: green=2", []string{"blue 1", "green 2", "green 2"}},
		{"3", spec.BlueGreen, "blue: blue=3", []string{"green 2", "blue 3", "blue 3"}},
		{"4", spec.Rolling, "rolling: rolling=4", []string{"blue 3", "rolling 4", "rolling 4"}},
		{"5", spec.Rolling, "rolling: rolling=5", []string{"rolling 5"}},
		{"6", spec.BlueGreen, "blue: blue=6", []string{"rolling 5", "blue 6", "blue 6"}},
	} {
		w.active = nil
		w.mustDeploy(t, step.tag, step.strategy)
		if got := w.standing(t); got != step.want {
			t.Errorf("after %s it stands %s, want %s", step.tag, got, step.want)
		}
		if !slices.Equal(w.active, step.turns) {
			t.Errorf("on the way to %s requests went to %v, want %v", step.tag, w.active, step.turns)
		}
	}
}

// TestWhatFailsBeforeTheTurnNeverTouchesTheLiveColor, and it is taken back.
func TestWhatFailsBeforeTheTurnNeverTouchesTheLiveColor(t *testing.T) {
	t.Parallel()
	for _, strategy := range []spec.Strategy{spec.Rolling, spec.BlueGreen} {
		w := setup(t)
		w.mustDeploy(t, "1", strategy)
		w.mustDeploy(t, "2", strategy)
		good, standing := len(w.revisions["waste"]), w.standing(t)
		w.active = nil
		w.before = func(string) error { return errors.New("not ready in time") }
		err := w.deploy(t, "broken", strategy)
		var failed *deploy.FailureError
		if !errors.As(err, &failed) {
			t.Fatalf("%s: the error is %v", strategy, err)
		}
		if failed.RolledBackTo != good || failed.Evidence != "waste-evidence.txt" || len(w.evidence) != 1 {
			t.Errorf("%s: rolled back to %d of %d, evidence %q", strategy, failed.RolledBackTo, good, w.evidence)
		}
		if got := w.standing(t); got != standing {
			t.Errorf("%s: it stands %s, before it stood %s", strategy, got, standing)
		}
		if strategy == spec.BlueGreen && slices.ContainsFunc(w.active, func(s string) bool { return s != "green 2" }) {
			t.Errorf("requests went to %v", w.active)
		}
		w.before = func(string) error { return nil }
		w.mustDeploy(t, "3", strategy)
		if got := w.standing(t); !strings.HasSuffix(got, "=3") {
			t.Errorf("%s: the next one stands %s", strategy, got)
		}
	}
}

func TestTheFirstDeploymentThatFailsStays(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.before = func(string) error { return errors.New("not ready in time") }
	var failed *deploy.FailureError
	if err := w.deploy(t, "1", ""); !errors.As(err, &failed) || failed.RolledBackTo != 0 || len(w.rollbacks) != 0 {
		t.Errorf("rolled back to %v: %v", w.rollbacks, failed)
	}
}

// TestAnInterruptedTurnGoesOnOrBack: whatever step was cut short, the next run ends with one color.
func TestAnInterruptedTurnGoesOnOrBack(t *testing.T) {
	t.Parallel()
	for cut := range 3 {
		for _, next := range []string{"2", "1", "3"} {
			t.Run(fmt.Sprintf("step %d then %s", cut, next), func(t *testing.T) {
				t.Parallel()
				w := setup(t)
				w.mustDeploy(t, "1", spec.BlueGreen)
				ctx, cancel := context.WithCancel(t.Context())
				step := 0
				w.before = func(string) error {
					if step == cut {
						cancel()
					}
					step++
					return ctx.Err()
				}
				_, err := w.deployer.Run(ctx, request("2", spec.BlueGreen))
				var short *deploy.CutShortError
				if !errors.As(err, &short) || short.Left == "" {
					t.Fatalf("the error is %v", err)
				}
				if len(w.rollbacks) > 0 {
					t.Error("an interrupt rolls nothing back")
				}
				w.before = func(string) error { return nil }
				w.mustDeploy(t, next, spec.BlueGreen)
				got := w.standing(t)
				color, _, _ := strings.Cut(got, ":")
				if got != color+": "+color+"="+next {
					t.Errorf("it stands %s", got)
				}
			})
		}
	}
}

func TestRollbackIsADeploymentWithoutMigration(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.mustDeploy(t, "1", spec.BlueGreen)
	w.mustDeploy(t, "2", spec.BlueGreen)
	w.active = nil
	outcome, err := w.deployer.Rollback(t.Context(), "waste", 0)
	if err != nil {
		t.Fatal(err)
	}
	if got := w.standing(t); got != "blue: blue=1" || !strings.HasSuffix(outcome.Image, ":1") {
		t.Errorf("it stands %s: %+v", got, outcome)
	}
	if want := []string{"green 2", "blue 1", "blue 1"}; !slices.Equal(w.active, want) {
		t.Errorf("requests went to %v, want %v", w.active, want)
	}
	if _, err := w.deployer.Rollback(t.Context(), "waste", 2); err == nil {
		t.Error("a step on the way was rolled back to")
	}
	if _, err := setup(t).deployer.Rollback(t.Context(), "waste", 0); err == nil {
		t.Error("what was never deployed was rolled back")
	}
}

func TestAPodThatCannotStartEndsTheWait(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.mustDeploy(t, "1", "")
	w.deployer.Helm = &stuck{world: w, pod: corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "waste-x", Namespace: "waste", UID: "new"},
		Status: corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{{
			Name: "api", RestartCount: 3,
			State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff"}},
			LastTerminationState: corev1.ContainerState{
				Terminated: &corev1.ContainerStateTerminated{ExitCode: 1, Reason: "Error"},
			},
		}}},
	}}
	err := w.deploy(t, "2", "")
	var failed *deploy.FailureError
	if !errors.As(err, &failed) {
		t.Fatalf("the error is %v", err)
	}
	const want = "CrashLoopBackOff after 3 restarts, last exit code 1 (Error)"
	if failed.Pod != "waste-x" || failed.Reason != want || failed.RolledBackTo != 1 {
		t.Errorf("%+v", failed)
	}
	if got := strings.Join(failed.Lines, " "); got != "fake logs" { // what client-go's fake always logs
		t.Errorf("the log is %q", got)
	}
	for _, text := range []string{"waste-x", want, "fake logs"} {
		if !strings.Contains(w.evidence[0], text) || !strings.Contains(err.Error(), text) {
			t.Errorf("%q is missing in %q or in %q", text, w.evidence[0], err)
		}
	}
}

func TestAMigrationThatCannotSucceedEndsTheWait(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		reason string
		pods   int
		ended  bool
	}{
		"no such program":     {"StartError", 1, true},
		"fails again":         {"Error", 3, true},
		"the database starts": {"Error", 2, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := setup(t)
			w.mustDeploy(t, "1", "")
			helm := &stuck{world: w, pod: failedMigration(test.reason)}
			for i := range test.pods {
				pod := helm.pod
				pod.Name, pod.UID = fmt.Sprint("waste-migrate-", i), types.UID(fmt.Sprint("job-", i))
				helm.more = append(helm.more, pod)
			}
			helm.pod, helm.more = helm.more[0], helm.more[1:]
			w.deployer.Helm = helm
			ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
			defer cancel()
			if test.ended {
				ctx = t.Context()
			}
			_, err := w.deployer.Run(ctx, deploy.Request{Services: []string{"waste"}, Image: deploy.Image{Tag: "2"}})
			var failed *deploy.FailureError
			if got := errors.As(err, &failed); got != test.ended {
				t.Errorf("the error is %v", err)
			}
		})
	}
}

func failedMigration(reason string) corev1.Pod {
	controls := true
	return corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace:       "waste",
			OwnerReferences: []metav1.OwnerReference{{Kind: "Job", Name: "m", Controller: &controls}},
		},
		Status: corev1.PodStatus{Phase: corev1.PodFailed, ContainerStatuses: []corev1.ContainerStatus{{
			Name: "migrate", State: corev1.ContainerState{
				Terminated: &corev1.ContainerStateTerminated{ExitCode: 1, Reason: reason},
			},
		}}},
	}
}

// stuck is a Helm whose upgrade makes a pod and waits for ever.
type stuck struct {
	*world
	pod  corev1.Pod
	more []corev1.Pod
}

func (s *stuck) Upgrade(ctx context.Context, t helmTarget, _ helmOptions) (helmRevision, error) {
	for _, pod := range append([]corev1.Pod{s.pod}, s.more...) {
		if _, err := s.kube.CoreV1().Pods(t.Namespace).Create(ctx, &pod, metav1.CreateOptions{}); err != nil {
			return helmRevision{}, err
		}
	}
	<-ctx.Done()
	return helmRevision{}, ctx.Err()
}

func TestSecretsAreMadeOnceAndTheClustersWin(t *testing.T) {
	t.Parallel()
	w := setup(t)
	theirs := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: "redis"}, Data: map[string][]byte{"password": []byte("theirs")},
	}
	if _, err := w.kube.CoreV1().Secrets("data").Create(t.Context(), theirs, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	w.mustDeploy(t, "1", "")
	read := func() map[string]string {
		t.Helper()
		secret, err := w.kube.CoreV1().Secrets("waste").Get(t.Context(), "waste", metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return secret.StringData
	}
	first := read()
	for _, key := range []string{
		"WASTE_POSTGRES_DSN", "WASTE_REDIS_PASSWORD", "WASTE_S3_ACCESS_KEY", "WASTE_S3_SECRET_KEY",
		"WASTE_INTERNAL_TOKEN",
	} {
		if first[key] == "" {
			t.Errorf("%s is missing", key)
		}
	}
	if first["WASTE_REDIS_PASSWORD"] != "theirs" {
		t.Error("the cluster's own password was not taken over")
	}
	w.mustDeploy(t, "2", "")
	if again := read(); !reflect.DeepEqual(first, again) {
		t.Error("a secret was made anew")
	}
	kept := map[string]string{}
	if err := json.Unmarshal(w.secrets.data, &kept); err != nil {
		t.Fatal(err)
	}
	for _, e := range w.events {
		text := fmt.Sprintf("%+v", e)
		for name, value := range kept {
			if strings.Contains(text, value) {
				t.Errorf("%s is told: %+v", name, e)
			}
		}
	}
}

// wantEnforced checks which pods a namespace takes.
func (w *world) wantEnforced(t *testing.T, name, level string) {
	t.Helper()
	namespace, err := w.kube.CoreV1().Namespaces().Get(t.Context(), name, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if got := namespace.Labels["pod-security.kubernetes.io/enforce"]; got != level {
		t.Errorf("%s enforces %q", name, got)
	}
}

func TestNamespacesTakeRestrictedPodsOnly(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.mustDeploy(t, "1", "")
	w.wantEnforced(t, "waste", "restricted")
}

func TestTheWayInMayHaveTheNodesPorts(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.deployer.Spec.Spec.Platform = map[string]spec.Release{
		"storage": {Disabled: true}, "data": {Disabled: true}, "autoscaling": {Disabled: true},
	}
	if _, err := w.deployer.Run(t.Context(), deploy.Request{Platform: true}); err != nil {
		t.Fatal(err)
	}
	w.wantEnforced(t, "ingress", "privileged")
}

// TestTheObserverIsOfTheSameBuild: it stands beside Prometheus, which is restricted as services are.
func TestTheObserverIsOfTheSameBuild(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.deployer.Spec.Spec.Platform = map[string]spec.Release{
		"storage": {Disabled: true}, "data": {Disabled: true}, "ingress": {Disabled: true},
		"autoscaling": {Disabled: true},
	}
	all := deploy.Request{Platform: true, Image: deploy.Image{Tag: "7"}}
	if _, err := w.deployer.Run(t.Context(), all); err != nil {
		t.Fatal(err)
	}
	w.wantEnforced(t, "monitoring", "restricted")
	got := w.revisions["monitoring"][0].Values["observer"]
	want := map[string]any{"image": map[string]any{"repository": "wastecoach.io/observer", "tag": "7"}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("the observer is %v", got)
	}
	w.deployer.Spec.Spec.Platform["monitoring"] = spec.Release{Disabled: true}
	if outcomes, err := w.deployer.Run(t.Context(), all); err != nil || len(outcomes) != 0 {
		t.Errorf("with nothing left: %v, %v", outcomes, err)
	}
}

func TestImagesAreOnTheNodesBeforePodsNeedThem(t *testing.T) {
	t.Parallel()
	w := setup(t)
	var pulled []string
	w.deployer.Pull = func(_ context.Context, images []string) error {
		if len(w.revisions) > 0 {
			t.Error("a release came first")
		}
		pulled = images
		return nil
	}
	w.mustDeploy(t, "1", "")
	if !slices.Equal(pulled, []string{"wastecoach.io/waste:1"}) {
		t.Errorf("pulled %v", pulled)
	}
}
