// Package kubetest stands in for a cluster's API server at the wire: lists, secrets and port-forwards.
package kubetest

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/version"
	"k8s.io/client-go/tools/portforward"
	metricsv1 "k8s.io/metrics/pkg/apis/metrics/v1beta1"
	"k8s.io/streaming/pkg/httpstream"
	"k8s.io/streaming/pkg/httpstream/spdy"
)

// Server is an API server. Change its objects under Lock.
type Server struct {
	sync.Mutex
	Nodes       []corev1.Node
	Pods        []corev1.Pod
	Deployments []appsv1.Deployment
	Events      []corev1.Event
	Usage       []metricsv1.NodeMetrics
	// Secrets are by namespace/name.
	Secrets map[string]map[string][]byte
	// ConfigMaps are by namespace/name, too.
	ConfigMaps map[string]map[string]string
	// Listens is where a pod's port leads to, by namespace/pod:port.
	Listens map[string]string
	// Forwards counts the port-forwards that were opened.
	Forwards int
	// Expired makes it refuse every credential.
	Expired bool

	web   *httptest.Server
	conns map[httpstream.Connection]bool
}

// New starts a server; it ends with the test.
func New(tb testing.TB) *Server {
	s := &Server{
		Secrets: map[string]map[string][]byte{}, Listens: map[string]string{},
		ConfigMaps: map[string]map[string]string{},
		conns:      map[httpstream.Connection]bool{},
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /version", func(w http.ResponseWriter, _ *http.Request) {
		reply(w, version.Info{Major: "1", Minor: "36", GitVersion: "v1.36.3"})
	})
	mux.HandleFunc("GET /api/v1/nodes", list(s, func(*http.Request) any { return corev1.NodeList{Items: s.Nodes} }))
	mux.HandleFunc("GET /api/v1/pods", list(s, func(*http.Request) any { return corev1.PodList{Items: s.Pods} }))
	mux.HandleFunc("GET /api/v1/events", list(s, func(*http.Request) any { return corev1.EventList{Items: s.Events} }))
	mux.HandleFunc("GET /apis/apps/v1/deployments", list(s, func(*http.Request) any {
		return appsv1.DeploymentList{Items: s.Deployments}
	}))
	mux.HandleFunc("GET /apis/metrics.k8s.io/v1beta1/nodes", list(s, func(*http.Request) any {
		return metricsv1.NodeMetricsList{Items: s.Usage}
	}))
	mux.HandleFunc("GET /api/v1/namespaces/{namespace}/pods", list(s, s.podsOf))
	mux.HandleFunc("GET /api/v1/namespaces/{namespace}/secrets/{name}", s.secret)
	mux.HandleFunc("GET /api/v1/namespaces/{namespace}/configmaps/{name}", s.configMap)
	mux.HandleFunc("POST /api/v1/namespaces/{namespace}/pods/{pod}/portforward", s.forward)
	s.web = httptest.NewTLSServer(s.authenticated(mux))
	tb.Cleanup(func() {
		s.Cut()
		s.web.Close()
	})
	return s
}

// Kubeconfig writes one that leads here, and returns its path.
func (s *Server) Kubeconfig(tb testing.TB) string {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), "kubeconfig")
	text := fmt.Sprintf(`apiVersion: v1
kind: Config
clusters: [{name: a, cluster: {server: %q, insecure-skip-tls-verify: true}}]
users: [{name: a, user: {token: t}}]
contexts: [{name: a, context: {cluster: a, user: a}}]
current-context: a
`, s.web.URL)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		tb.Fatal(err)
	}
	return path
}

// Cut ends all port-forwards, as a kubelet does that stops.
func (s *Server) Cut() {
	s.Lock()
	defer s.Unlock()
	for c := range s.conns {
		_ = c.Close()
	}
}

// Close ends the server before the test does.
func (s *Server) Close() {
	s.Cut()
	s.web.Close()
}

func (s *Server) authenticated(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.Lock()
		expired := s.Expired
		s.Unlock()
		if expired {
			refuse(w, metav1.StatusReasonUnauthorized, http.StatusUnauthorized, "Unauthorized")
			return
		}
		next.ServeHTTP(w, r)
	})
}

func list(s *Server, of func(*http.Request) any) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		s.Lock()
		defer s.Unlock()
		reply(w, of(r))
	}
}

func (s *Server) podsOf(r *http.Request) any {
	selector, err := labels.Parse(r.URL.Query().Get("labelSelector"))
	if err != nil {
		return metav1.Status{Status: metav1.StatusFailure, Message: err.Error()}
	}
	var found corev1.PodList
	for _, p := range s.Pods {
		if p.Namespace == r.PathValue("namespace") && selector.Matches(labels.Set(p.Labels)) {
			found.Items = append(found.Items, p)
		}
	}
	return found
}

func (s *Server) secret(w http.ResponseWriter, r *http.Request) {
	s.Lock()
	defer s.Unlock()
	data, found := s.Secrets[r.PathValue("namespace")+"/"+r.PathValue("name")]
	if !found {
		refuse(w, metav1.StatusReasonNotFound, http.StatusNotFound, "there is no such secret")
		return
	}
	reply(w, corev1.Secret{Data: data})
}

func (s *Server) configMap(w http.ResponseWriter, r *http.Request) {
	s.Lock()
	defer s.Unlock()
	data, found := s.ConfigMaps[r.PathValue("namespace")+"/"+r.PathValue("name")]
	if !found {
		refuse(w, metav1.StatusReasonNotFound, http.StatusNotFound, "there is no such ConfigMap")
		return
	}
	reply(w, corev1.ConfigMap{Data: data})
}

func refuse(w http.ResponseWriter, reason metav1.StatusReason, code int32, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(int(code))
	_ = json.NewEncoder(w).Encode(metav1.Status{
		TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}, Status: metav1.StatusFailure,
		Reason: reason, Code: code, Message: message,
	})
}

func reply(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v) // a client that went away needs no answer
}

// forward speaks the protocol of kubelets: for each connection a stream for errors and one for data.
func (s *Server) forward(w http.ResponseWriter, r *http.Request) {
	pod := r.PathValue("namespace") + "/" + r.PathValue("pod")
	if _, err := httpstream.Handshake(r, w, []string{portforward.PortForwardProtocolV1Name}); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	conn := spdy.NewResponseUpgrader().UpgradeResponse(w, r, func(stream httpstream.Stream, _ <-chan struct{}) error {
		if stream.Headers().Get(corev1.StreamType) == corev1.StreamTypeData {
			go s.serve(r.Context(), pod, stream)
		}
		return nil
	})
	if conn == nil {
		return // it has answered
	}
	s.Lock()
	s.conns[conn] = true
	s.Forwards++
	s.Unlock()
	<-conn.CloseChan()
	s.Lock()
	delete(s.conns, conn)
	s.Unlock()
}

func (s *Server) serve(ctx context.Context, pod string, stream httpstream.Stream) {
	defer stream.Close()
	s.Lock()
	address := s.Listens[pod+":"+stream.Headers().Get(corev1.PortHeader)]
	s.Unlock()
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", address)
	if err != nil {
		_ = stream.Reset()
		return
	}
	defer conn.Close()
	done := make(chan struct{}, 2)
	for _, pair := range [][2]io.ReadWriter{{conn, stream}, {stream, conn}} {
		go func() {
			_, _ = io.Copy(pair[0], pair[1]) // an end is an end
			done <- struct{}{}
		}()
	}
	<-done
}
