package kube

import (
	"bufio"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
)

func judgeAPIServer(s *snapshot, _ Options) Condition {
	switch {
	case s.apiErr != nil:
		c := failing(time.Time{}, "wcctl doctor", "%s", rootCause(s.apiErr))
		var invalid x509.CertificateInvalidError
		if errors.As(s.apiErr, &invalid) && invalid.Reason == x509.Expired {
			c.Hint = "date # here and on the machines; if the clocks are right: sudo kubeadm certs renew all"
		}
		return c
	case len(s.failed) > 0:
		return failing(time.Time{}, "wcctl doctor", "answers, but is not ready: %s", few(s.failed))
	}
	return ok(time.Time{}, "ready, answers in %d ms", s.latency.Milliseconds())
}

// rootCause leaves out the request around a network error: the condition's name says it already.
func rootCause(err error) string {
	text := err.Error()
	if i := strings.Index(text, `": `); strings.HasPrefix(text, "Get ") && i > 0 {
		text = text[i+len(`": `):]
	}
	return text
}

// failedChecks reads lines like "[-]etcd failed: reason withheld" of /readyz.
func failedChecks(body string) []string {
	var failed []string
	for line := range strings.Lines(body) {
		if name, found := strings.CutPrefix(strings.TrimSpace(line), "[-]"); found {
			name, _, _ = strings.Cut(name, " ")
			failed = append(failed, name)
		}
	}
	if failed == nil {
		failed = []string{firstLine(body)}
	}
	return failed
}

// etcdQuota is etcd's own default limit; writes end when the database reaches it.
const (
	etcdQuota      = 2 << 30
	etcdQuotaAlarm = etcdQuota * 8 / 10
)

func judgeEtcd(s *snapshot, _ Options) Condition {
	for _, name := range s.failed {
		if strings.HasPrefix(name, "etcd") {
			return failing(time.Time{}, "wcctl doctor", "the API server's check %s fails", name)
		}
	}
	since := time.Time{}
	for _, pod := range s.systemPods("component", "etcd") {
		ready, when := podReady(&pod)
		if !ready {
			return failing(when, "wcctl doctor", "pod %s is not ready", pod.Name)
		}
		since = when
	}
	size := s.server.value.databaseBytes
	switch {
	case size > etcdQuotaAlarm:
		return warning("kubectl -n kube-system exec etcd-CONTROL-PLANE -- etcdctl defrag",
			"its database has %d of %d MiB; it refuses writes when it is full", size>>20, etcdQuota>>20)
	case size > 0:
		return ok(since, "healthy, database %d MiB", max(size>>20, 1))
	}
	return ok(since, "healthy")
}

// serverMetrics are the few of the API server's metrics that prove something.
type serverMetrics struct {
	databaseBytes int64
	auditEvents   int64
	// secretsWritten and secretsRead count secrets by the provider that they went through, e.g.
	// secretbox, or identity for those that are stored as they are.
	secretsWritten, secretsRead map[string]int64
}

const (
	metricDatabase  = "apiserver_storage_db_total_size_in_bytes"
	metricStorage   = "apiserver_storage_size_bytes"
	metricAudit     = "apiserver_audit_event_total"
	metricTransform = "apiserver_storage_transformation_operations_total"
	// metricsAge is how old they may be: reading them costs the API server more than all the rest.
	metricsAge = time.Minute
)

func (c *Cluster) serverMetrics(ctx context.Context) answer[serverMetrics] {
	return recall(c, "metrics", func() (answer[serverMetrics], time.Duration) {
		body, _, err := c.get(ctx, "/metrics")
		if err != nil {
			return answer[serverMetrics]{err: fmt.Errorf("reading the API server's metrics: %w", err)}, 0
		}
		return answer[serverMetrics]{value: parseServerMetrics(body)}, metricsAge
	})
}

func parseServerMetrics(body string) serverMetrics {
	m := serverMetrics{secretsWritten: map[string]int64{}, secretsRead: map[string]int64{}}
	lines := bufio.NewScanner(strings.NewReader(body))
	for lines.Scan() {
		name, labels, value, ok := parseMetric(lines.Text())
		if !ok {
			continue
		}
		switch name {
		case metricDatabase, metricStorage:
			m.databaseBytes = max(m.databaseBytes, int64(value))
		case metricAudit:
			m.auditEvents += int64(value)
		case metricTransform:
			if labels["resource"] != "secrets" || labels["status"] != "OK" {
				continue
			}
			by := m.secretsRead
			if labels["transformation_type"] == "to_storage" {
				by = m.secretsWritten
			}
			if name := transformer(labels["transformer_prefix"]); name != "" {
				by[name] += int64(value)
			}
		}
	}
	return m
}

// parseMetric reads a line like name{label="value"} 3 of the wanted metrics.
func parseMetric(line string) (name string, labels map[string]string, value float64, ok bool) {
	if !strings.HasPrefix(line, "apiserver_storage_") && !strings.HasPrefix(line, "apiserver_audit_") {
		return "", nil, 0, false
	}
	end := strings.LastIndexByte(line, ' ')
	if end < 0 {
		return "", nil, 0, false
	}
	value, err := strconv.ParseFloat(line[end+1:], 64)
	if err != nil {
		return "", nil, 0, false
	}
	name, inside, _ := strings.Cut(line[:end], "{")
	labels = map[string]string{}
	for _, pair := range strings.Split(strings.TrimSuffix(inside, "}"), ",") {
		key, quoted, _ := strings.Cut(pair, "=")
		labels[key] = strings.Trim(quoted, `"`)
	}
	return name, labels, value, true
}

// serverFlag is the value of one of the API server's own flags, from its pod.
func (s *snapshot) serverFlag(name string) string {
	for _, pod := range s.systemPods("component", "kube-apiserver") {
		for _, container := range pod.Spec.Containers {
			for _, arg := range append(container.Command, container.Args...) {
				if value, found := strings.CutPrefix(arg, "--"+name+"="); found {
					return value
				}
			}
		}
	}
	return ""
}

// fromFirstUp shows the API server's flags: they are set when a cluster is made.
const fromFirstUp = "sudo grep -e audit -e encryption /etc/kubernetes/manifests/kube-apiserver.yaml" +
	" # on the control plane"

func judgeEncryption(s *snapshot, _ Options) Condition {
	if s.pods.err != nil {
		return unknown(s.pods.err)
	}
	if s.serverFlag("encryption-provider-config") == "" {
		return failing(time.Time{}, fromFirstUp, "secrets lie in etcd as they are")
	}
	written, read := s.server.value.secretsWritten, s.server.value.secretsRead
	if n := written[identity]; n > 0 {
		return failing(time.Time{}, fromFirstUp,
			"the configuration's first provider does not encrypt: %s written as they are", count(int(n), "secret"))
	}
	if n := read[identity]; n > 0 {
		return warning("kubectl get secrets -A -o json | kubectl replace -f -",
			"new secrets are encrypted, but %s read that are not", count(int(n), "secret"))
	}
	for _, by := range []map[string]int64{written, read} {
		if providers := slices.Sorted(maps.Keys(by)); len(providers) > 0 {
			return ok(time.Time{}, "secrets are encrypted at rest (%s)", few(providers))
		}
	}
	return ok(time.Time{}, "configured; no secret was written or read since the API server's start")
}

const identity = "identity"

// transformer is the provider of a prefix like "k8s:enc:secretbox:v1:"; it is empty for the prefix
// of a key, which the same secret is counted under again.
func transformer(prefix string) string {
	if prefix == "" || prefix == identity {
		return identity
	}
	rest, found := strings.CutPrefix(prefix, "k8s:enc:")
	if !found {
		return ""
	}
	name, _, _ := strings.Cut(rest, ":")
	return name
}

func judgeAudit(s *snapshot, _ Options) Condition {
	if s.pods.err != nil {
		return unknown(s.pods.err)
	}
	path, policy := s.serverFlag("audit-log-path"), s.serverFlag("audit-policy-file")
	switch {
	case path == "" || policy == "":
		return failing(time.Time{}, fromFirstUp, "the API server keeps no audit log")
	case s.server.err == nil && s.server.value.auditEvents == 0:
		return warning("sudo cat "+policy, "the audit policy let no event through so far")
	}
	return ok(time.Time{}, "written to %s", path)
}

// podReady tells whether a pod is ready, and since when that is so.
func podReady(pod *corev1.Pod) (ready bool, since time.Time) {
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodReady {
			return c.Status == corev1.ConditionTrue, c.LastTransitionTime.Time
		}
	}
	return false, pod.CreationTimestamp.Time
}
