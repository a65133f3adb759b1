package charts_test

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/wastecoach/wastecoach/internal/observer"
	"github.com/wastecoach/wastecoach/internal/wcctl/kube"
	"github.com/wastecoach/wastecoach/internal/wcctl/kube/kubetest"
)

// TestPrometheusSeesTheCluster lets Debian's Prometheus read the chart's configuration, and the observer
// a real API server with the rights that the chart gives: a pod, a kubelet and backups become series, and
// the age of a backup an alert.
func TestPrometheusSeesTheCluster(t *testing.T) {
	t.Parallel()
	config, dynamicClient, _ := apiServer(t)
	admin, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	namespaces(t, config)
	token := installRights(t, config, dynamicClient, admin)

	said := make(chan string, 1)
	pod := httptest.NewServer(metrics("waste_http_requests_total 7\n", nil))
	t.Cleanup(pod.Close)
	kubelet := httptest.NewTLSServer(metrics("kubelet_volume_stats_capacity_bytes 5\nmachine_memory_bytes 9\n", said))
	t.Cleanup(kubelet.Close)
	populate(t, admin, pod.Listener.Addr(), kubelet.Listener.Addr())
	noteBackup(t, config, time.Now().Add(-26*time.Hour))

	asServiceAccount := rest.AnonymousClientConfig(config)
	asServiceAccount.BearerToken = token
	client, err := kubernetes.NewForConfig(asServiceAccount)
	if err != nil {
		t.Fatal(err)
	}
	beside := httptest.NewServer(observer.Handler(client, slog.New(slog.NewTextHandler(t.Output(), nil))))
	t.Cleanup(beside.Close)

	ask := startPrometheus(t, beside.Listener.Addr().String(), token)
	for query, want := range map[string]string{
		`waste_http_requests_total{service="waste", component="api", namespace="waste", pod="waste-1", node="n1"}`: "7",
		`kubelet_volume_stats_capacity_bytes{job="nodes", node="n1"}`:                                              "5",
		`machine_memory_bytes{job="node-pods", node="n1"}`:                                                         "9",
		`up{job="node-resources", node="n1"}`:                                                                      "1",
		`ALERTS{alertname="BackupOld", of="control-plane", alertstate="pending"}`:                                  "1",
		`count(ALERTS{alertname="BackupOld"})`:                                                                     "1",
	} {
		await(t, query, func() error { return ask(query, want) })
	}
	if got := <-said; got != "Bearer "+token {
		t.Errorf("the kubelet was told %q", got)
	}
}

// metrics serves text, and tells once with which authorization it was asked.
func metrics(text string, said chan<- string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case said <- r.Header.Get("Authorization"):
		default:
		}
		_, _ = io.WriteString(w, text)
	})
}

// installRights applies the chart's account and rights, and returns a token of that account.
func installRights(
	t *testing.T, config *rest.Config, client dynamic.Interface, admin kubernetes.Interface,
) string {
	t.Helper()
	mapper := kinds(t, config)
	manifest, err := renderPlatform(t, monitoring)
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range objects(t, manifest) {
		switch o.GetKind() {
		case "ServiceAccount", "ClusterRole", "ClusterRoleBinding":
			mapping, err := mapper.RESTMapping(o.GroupVersionKind().GroupKind(), o.GroupVersionKind().Version)
			if err != nil {
				t.Fatal(err)
			}
			data, err := json.Marshal(o)
			if err != nil {
				t.Fatal(err)
			}
			_, err = client.Resource(mapping.Resource).Namespace(o.GetNamespace()).Patch(t.Context(), o.GetName(),
				types.ApplyPatchType, data, metav1.PatchOptions{FieldManager: "test"})
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	token, err := admin.CoreV1().ServiceAccounts("monitoring").CreateToken(t.Context(), "prometheus",
		&authenticationv1.TokenRequest{}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return token.Status.Token
}

// populate makes a pod that is there and one that has ended, and a node.
func populate(t *testing.T, admin kubernetes.Interface, pod, kubelet net.Addr) {
	t.Helper()
	host, port := hostPort(t, pod)
	annotations := map[string]string{"prometheus.io/scrape": "true", "prometheus.io/port": strconv.Itoa(port)}
	for name, phase := range map[string]corev1.PodPhase{"waste-1": corev1.PodRunning, "ended": corev1.PodSucceeded} {
		made, err := admin.CoreV1().Pods("waste").Create(t.Context(), &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{
				Name:        name,
				Labels:      map[string]string{"app.kubernetes.io/name": "waste", "app.kubernetes.io/component": "api"},
				Annotations: annotations,
			},
			Spec: corev1.PodSpec{NodeName: "n1", Containers: []corev1.Container{{Name: "a", Image: "a"}}},
		}, metav1.CreateOptions{})
		if err != nil {
			t.Fatal(err)
		}
		made.Status.Phase, made.Status.PodIP = phase, host
		made.Status.PodIPs = []corev1.PodIP{{IP: host}}
		if _, err := admin.CoreV1().Pods("waste").UpdateStatus(t.Context(), made, metav1.UpdateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	node, err := admin.CoreV1().Nodes().Create(t.Context(),
		&corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "n1"}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	host, port = hostPort(t, kubelet)
	node.Status.Addresses = []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: host}}
	node.Status.DaemonEndpoints.KubeletEndpoint.Port = int32(port)
	if _, err := admin.CoreV1().Nodes().UpdateStatus(t.Context(), node, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
}

func hostPort(t *testing.T, address net.Addr) (string, int) {
	t.Helper()
	tcp, ok := address.(*net.TCPAddr)
	if !ok {
		t.Fatalf("%v is no TCP address", address)
	}
	return tcp.IP.String(), tcp.Port
}

// noteBackup does what wcctl backup create does.
func noteBackup(t *testing.T, config *rest.Config, at time.Time) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "kubeconfig")
	text := fmt.Sprintf(`{apiVersion: v1, kind: Config, current-context: a,
clusters: [{name: a, cluster: {server: %q, insecure-skip-tls-verify: true}}],
users: [{name: a, user: {token: %q}}], contexts: [{name: a, context: {cluster: a, user: a}}]}`,
		config.Host, config.BearerToken)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cluster, err := kube.Connect(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := cluster.RecordBackup(t.Context(), kube.Backup{At: at}); err != nil {
		t.Fatal(err)
	}
}

// startPrometheus runs it with the chart's files; only addresses and paths of the pod are others. It
// returns a way to ask for a query's one value.
func startPrometheus(t *testing.T, observer, token string) func(query, want string) error {
	t.Helper()
	dir := writePrometheus(t)
	file, tokenFile := filepath.Join(dir, "prometheus.yml"), filepath.Join(dir, "token")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	text = []byte(strings.NewReplacer(
		"127.0.0.1:9091", observer, "/var/run/secrets/kubernetes.io/serviceaccount/token", tokenFile,
		"/etc/prometheus/", dir+"/", "15s", "1s",
	).Replace(string(text)))
	for path, data := range map[string][]byte{file: text, tokenFile: []byte(token)} {
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	address := kubetest.Address(t)
	kubetest.Start(t, "prometheus", "--config.file="+file,
		"--storage.tsdb.path="+filepath.Join(dir, "samples"), "--web.listen-address="+address)
	return func(query, want string) error { return value(t, address, query, want) }
}

func value(t *testing.T, prometheus, query, want string) error {
	t.Helper()
	address := "http://" + prometheus + "/api/v1/query?query=" + url.QueryEscape(query)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	var answer struct {
		Data struct{ Result []struct{ Value [2]any } }
	}
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		return err
	}
	if result := answer.Data.Result; len(result) != 1 || result[0].Value[1] != want {
		return fmt.Errorf("it is %v, want %s", result, want)
	}
	return nil
}
