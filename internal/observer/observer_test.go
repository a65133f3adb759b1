package observer

import (
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	k8stesting "k8s.io/client-go/testing"
)

// ask is the status and body of an answer about a cluster of these objects.
func ask(t *testing.T, client *fake.Clientset, path string) (int, string) {
	t.Helper()
	w := httptest.NewRecorder()
	Handler(client, slog.New(slog.DiscardHandler)).ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
	return w.Code, w.Body.String()
}

func groups(t *testing.T, client *fake.Clientset, path string) []group {
	t.Helper()
	code, body := ask(t, client, path)
	var all []group
	if err := json.Unmarshal([]byte(body), &all); err != nil || code != http.StatusOK || all == nil {
		t.Fatalf("%s: %d %q: %v", path, code, body, err)
	}
	return all
}

func newPod(name, ip string, annotations map[string]string) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Name: name, Namespace: "waste", Annotations: annotations, Labels: map[string]string{
				"app.kubernetes.io/name": "waste", "app.kubernetes.io/component": "worker",
			},
		},
		Spec:   corev1.PodSpec{NodeName: "worker-1"},
		Status: corev1.PodStatus{PodIP: ip},
	}
}

func TestPods(t *testing.T) {
	t.Parallel()
	metrics := map[string]string{scrapeAnnotation: "true", portAnnotation: "8080"}
	got := groups(t, fake.NewClientset(
		newPod("a", "10.244.1.7", metrics),
		newPod("six", "fd00::7", metrics),
		newPod("without-address", "", metrics),
		newPod("without-port", "10.244.1.8", map[string]string{scrapeAnnotation: "true"}),
		newPod("without-metrics", "10.244.1.9", map[string]string{scrapeAnnotation: "false", portAnnotation: "8080"}),
	), "/pods")
	labels := func(pod string) map[string]string {
		return map[string]string{
			"service": "waste", "component": "worker", "namespace": "waste", "pod": pod, "node": "worker-1",
		}
	}
	want := []group{{[]string{"10.244.1.7:8080"}, labels("a")}, {[]string{"[fd00::7]:8080"}, labels("six")}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %v\nwant %v", got, want)
	}
	if none := groups(t, fake.NewClientset(), "/pods"); len(none) != 0 {
		t.Errorf("an empty cluster has %v", none)
	}
}

func TestNodes(t *testing.T) {
	t.Parallel()
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "worker-1"}, Status: corev1.NodeStatus{
		Addresses: []corev1.NodeAddress{
			{Type: corev1.NodeHostName, Address: "worker-1"},
			{Type: corev1.NodeInternalIP, Address: "10.77.0.12"},
			{Type: corev1.NodeInternalIP, Address: "fd00::12"},
		},
		DaemonEndpoints: corev1.NodeDaemonEndpoints{KubeletEndpoint: corev1.DaemonEndpoint{Port: 10250}},
	}}
	want := []group{{[]string{"10.77.0.12:10250"}, map[string]string{"node": "worker-1"}}}
	if got := groups(t, fake.NewClientset(node), "/nodes"); !reflect.DeepEqual(got, want) {
		t.Errorf("got %v", got)
	}
}

// TestPrometheusKeepsItsTargets when the API server is away: an error is no empty list.
func TestPrometheusKeepsItsTargets(t *testing.T) {
	t.Parallel()
	client := fake.NewClientset()
	client.PrependReactor("list", "*", func(k8stesting.Action) (bool, runtime.Object, error) {
		return true, nil, errors.New("refused")
	})
	for _, path := range []string{"/pods", "/nodes"} {
		if code, body := ask(t, client, path); code != http.StatusBadGateway {
			t.Errorf("%s: %d %s", path, code, body)
		}
	}
}

func TestBackups(t *testing.T) {
	t.Parallel()
	taken := metav1.NewTime(time.Unix(1_764_000_000, 0))
	cron := func(last *metav1.Time) *batchv1.CronJob {
		return &batchv1.CronJob{
			ObjectMeta: metav1.ObjectMeta{Name: cronName, Namespace: cronNamespace},
			Status:     batchv1.CronJobStatus{LastSuccessfulTime: last},
		}
	}
	note := func(at string) *corev1.ConfigMap {
		return &corev1.ConfigMap{
			ObjectMeta: metav1.ObjectMeta{Name: noteName, Namespace: noteNamespace},
			Data:       map[string]string{noteKey: at},
		}
	}
	const series = "backup_taken_timestamp_seconds"
	for name, tt := range map[string]struct {
		objects []runtime.Object
		want    []string
	}{
		"an empty cluster":   {nil, []string{`{of="control-plane"} 0`}},
		"none of PostgreSQL": {[]runtime.Object{cron(nil)}, []string{`{of="control-plane"} 0`, `{of="postgres"} 0`}},
		"both": {
			[]runtime.Object{cron(&taken), note("2025-11-24T16:00:01Z")},
			[]string{`{of="control-plane"} 1.764000001e+09`, `{of="postgres"} 1.764e+09`},
		},
		"a note by hand is bad": {[]runtime.Object{note("yesterday")}, nil},
	} {
		code, body := ask(t, fake.NewClientset(tt.objects...), "/metrics")
		var got []string
		for line := range strings.Lines(body) {
			if rest, ok := strings.CutPrefix(line, series); ok {
				got = append(got, strings.TrimSpace(rest))
			}
		}
		if !slices.Equal(got, tt.want) || (code == http.StatusOK) != (tt.want != nil) {
			t.Errorf("%s: %d %q", name, code, got)
		}
	}
}

func TestABackupThatCannotBeSeenFailsTheScrape(t *testing.T) {
	t.Parallel()
	client := fake.NewClientset()
	client.PrependReactor("get", "cronjobs", func(k8stesting.Action) (bool, runtime.Object, error) {
		return true, nil, apierrors.NewForbidden(batchv1.Resource("cronjobs"), cronName, errors.New("no right"))
	})
	if code, body := ask(t, client, "/metrics"); code == http.StatusOK {
		t.Errorf("%d %s", code, body)
	}
}
