// Package observer tells Prometheus which pods and nodes a cluster has and when its backups were taken.
// Debian's Prometheus, which bundles hold, was built without Kubernetes.
package observer

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/wastecoach/wastecoach/internal/telemetry"
)

const (
	// askTimeout bounds what the API server is asked: shorter than Prometheus waits.
	askTimeout = 5 * time.Second

	scrapeAnnotation = "prometheus.io/scrape"
	portAnnotation   = "prometheus.io/port"
)

// group is one element of what an http_sd_configs URL answers.
type group struct {
	Targets []string          `json:"targets"`
	Labels  map[string]string `json:"labels"`
}

// Handler answers /pods and /nodes for Prometheus' http_sd_configs, /metrics, and /healthz.
func Handler(client kubernetes.Interface, logger *slog.Logger) http.Handler {
	registry := telemetry.NewRegistry()
	registry.MustRegister(backups{client})
	mux := http.NewServeMux()
	mux.Handle("GET /pods", discovery(client, logger, pods))
	mux.Handle("GET /nodes", discovery(client, logger, nodes))
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{
		ErrorLog: slog.NewLogLogger(logger.Handler(), slog.LevelWarn),
	}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	return mux
}

// discovery answers with what find finds. After an error Prometheus keeps the targets that it has.
func discovery(
	client kubernetes.Interface, logger *slog.Logger,
	find func(ctx context.Context, client kubernetes.Interface) ([]group, error),
) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), askTimeout)
		defer cancel()
		groups, err := find(ctx, client)
		if err != nil {
			logger.WarnContext(ctx, "not discovered", "path", r.URL.Path, "error", err)
			http.Error(w, "the API server does not answer", http.StatusBadGateway)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(groups) // who asked is gone
	})
}

// pods are the running ones whose annotations say that they have metrics.
func pods(ctx context.Context, client kubernetes.Interface) ([]group, error) {
	list, err := client.CoreV1().Pods(metav1.NamespaceAll).List(ctx, metav1.ListOptions{
		FieldSelector: "status.phase=" + string(corev1.PodRunning),
		// From the API server's memory: a list each quarter of a minute is no load for etcd.
		ResourceVersion: "0",
	})
	if err != nil {
		return nil, fmt.Errorf("listing the pods: %w", err)
	}
	groups := []group{}
	for i := range list.Items {
		pod := &list.Items[i]
		port := pod.Annotations[portAnnotation]
		if pod.Annotations[scrapeAnnotation] != "true" || port == "" || pod.Status.PodIP == "" {
			continue
		}
		groups = append(groups, group{
			Targets: []string{net.JoinHostPort(pod.Status.PodIP, port)},
			Labels: map[string]string{
				"service":   pod.Labels["app.kubernetes.io/name"],
				"component": pod.Labels["app.kubernetes.io/component"],
				"namespace": pod.Namespace, "pod": pod.Name, "node": pod.Spec.NodeName,
			},
		})
	}
	return groups, nil
}

// nodes are the kubelets.
func nodes(ctx context.Context, client kubernetes.Interface) ([]group, error) {
	list, err := client.CoreV1().Nodes().List(ctx, metav1.ListOptions{ResourceVersion: "0"})
	if err != nil {
		return nil, fmt.Errorf("listing the nodes: %w", err)
	}
	groups := []group{}
	for i := range list.Items {
		node := &list.Items[i]
		port := strconv.Itoa(int(node.Status.DaemonEndpoints.KubeletEndpoint.Port))
		for _, address := range node.Status.Addresses {
			if address.Type == corev1.NodeInternalIP {
				groups = append(groups, group{
					Targets: []string{net.JoinHostPort(address.Address, port)},
					Labels:  map[string]string{"node": node.Name},
				})
				break // one family is enough
			}
		}
	}
	return groups, nil
}
