package deploy_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/wastecoach/wastecoach/internal/wcctl/deploy"
)

// logServer has two pods; what each logged is by its name.
func logServer(t *testing.T, logs map[string]string) (kubernetes.Interface, *[]string) {
	t.Helper()
	var asked []string
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/v1/namespaces/waste/pods", func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.URL.Query().Get("labelSelector"))
		list := corev1.PodList{TypeMeta: metav1.TypeMeta{Kind: "PodList", APIVersion: "v1"}}
		for name := range logs {
			list.Items = append(list.Items, corev1.Pod{
				ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "waste", UID: types.UID(name)},
				Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "api"}}},
			})
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(list)
	})
	mux.HandleFunc("GET /api/v1/namespaces/waste/pods/{pod}/log", func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.URL.RawQuery)
		fmt.Fprint(w, logs[r.PathValue("pod")])
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	client, err := kubernetes.NewForConfig(&rest.Config{Host: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	return client, &asked
}

func TestLinesOfAllPodsAreSortedByTime(t *testing.T) {
	t.Parallel()
	client, asked := logServer(t, map[string]string{
		"a": "2026-11-26T05:00:01Z one\n2026-11-26T05:00:03.5Z three\n",
		"b": "2026-11-26T05:00:02Z two words\n",
	})
	var got []string
	err := deploy.Logs(t.Context(), client, deploy.LogOptions{Service: "waste", Worker: true, Since: time.Minute},
		func(l deploy.Line) { got = append(got, l.Pod+": "+l.Text) })
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"a: one", "b: two words", "a: three"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	const selector = "app.kubernetes.io/name=waste,app.kubernetes.io/component=worker"
	if (*asked)[0] != selector || !slices.Contains(*asked, "container=api&sinceSeconds=60&timestamps=true") {
		t.Errorf("asked for %q", *asked)
	}
}

func TestAServiceWithoutPodsHasNoLog(t *testing.T) {
	t.Parallel()
	client, _ := logServer(t, nil)
	err := deploy.Logs(t.Context(), client, deploy.LogOptions{Service: "waste"}, func(deploy.Line) {})
	if !errors.Is(err, deploy.ErrNoPods) {
		t.Errorf("the error is %v", err)
	}
}
