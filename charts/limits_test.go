package charts_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/wastecoach/wastecoach/internal/httpserver"
	"github.com/wastecoach/wastecoach/internal/migrate"
	"github.com/wastecoach/wastecoach/services/auth"
	"github.com/wastecoach/wastecoach/services/locations"
	"github.com/wastecoach/wastecoach/services/recycling"
	"github.com/wastecoach/wastecoach/services/users"
	"github.com/wastecoach/wastecoach/services/waste"
)

// workload is one Deployment or StatefulSet with the highest number of its pods.
type workload struct {
	name, component string
	lowest, highest int64
	rolls           bool
	spec            corev1.PodSpec
}

func typed[T any](t *testing.T, o *unstructured.Unstructured) T {
	t.Helper()
	var into T
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(o.Object, &into); err != nil {
		t.Fatalf("%s %s: %v", o.GetKind(), o.GetName(), err)
	}
	return into
}

// scaling is by target the lowest and the highest number of pods.
func scaling(t *testing.T, all []*unstructured.Unstructured) map[string][2]int64 {
	t.Helper()
	by := map[string][2]int64{}
	for _, o := range all {
		switch o.GetKind() {
		case "HorizontalPodAutoscaler":
			hpa := typed[autoscalingv2.HorizontalPodAutoscaler](t, o)
			by[hpa.Spec.ScaleTargetRef.Name] = [2]int64{int64(*hpa.Spec.MinReplicas), int64(hpa.Spec.MaxReplicas)}
		case "ScaledObject":
			target, _, _ := unstructured.NestedString(o.Object, "spec", "scaleTargetRef", "name")
			least, _, _ := unstructured.NestedFieldNoCopy(o.Object, "spec", "minReplicaCount")
			most, _, _ := unstructured.NestedFieldNoCopy(o.Object, "spec", "maxReplicaCount")
			by[target] = [2]int64{number(t, least), number(t, most)}
		}
	}
	return by
}

func workloads(t *testing.T, chart, release string, vals map[string]any) []workload {
	t.Helper()
	manifest, err := render(t, chart, release, vals)
	if err != nil {
		t.Fatal(err)
	}
	rendered := objects(t, manifest)
	pods := scaling(t, rendered)
	var all []workload
	for _, o := range rendered {
		switch o.GetKind() {
		case "Deployment":
			d := typed[appsv1.Deployment](t, o)
			n, scaled := pods[d.Name]
			if !scaled || d.Spec.Replicas != nil {
				t.Errorf("%s: an autoscaler or the Deployment says how many pods there are, never both or none", d.Name)
			}
			all = append(all, workload{
				name: d.Name, component: d.Labels["app.kubernetes.io/component"], rolls: true,
				lowest: n[0], highest: n[1], spec: d.Spec.Template.Spec,
			})
		case "StatefulSet":
			s := typed[appsv1.StatefulSet](t, o)
			all = append(all, workload{
				name: s.Name, component: "data", lowest: int64(*s.Spec.Replicas), highest: int64(*s.Spec.Replicas),
				spec: s.Spec.Template.Spec,
			})
		}
	}
	return all
}

// everything is what the five services and the data are made of, in one strategy.
func everything(t *testing.T, strategy ...string) []workload {
	t.Helper()
	all := workloads(t, "data", "data", nil)
	for _, service := range migrate.Schemas() {
		texts := append([]string{serviceValues(t, service)}, strategy...)
		all = append(all, workloads(t, "service", service, values(t, texts...))...)
	}
	return all
}

func variable(t *testing.T, spec corev1.PodSpec, suffix string) string {
	t.Helper()
	for _, v := range spec.Containers[0].Env {
		if strings.HasSuffix(v.Name, suffix) {
			return v.Value
		}
	}
	t.Fatalf("there is no variable …%s", suffix)
	return ""
}

// TestOwnersReplicas holds the numbers that the system was ordered with.
func TestOwnersReplicas(t *testing.T) {
	t.Parallel()
	want := map[string][2]int64{
		"waste": {3, 6}, "recycling": {2, 4}, "auth": {2, 4}, "users": {1, 2}, "locations": {1, 3},
		"waste-worker": {5, 20}, "recycling-worker": {2, 8}, "postgres": {1, 1}, "redis": {1, 1}, "s3": {1, 1},
	}
	all := everything(t)
	for _, w := range all {
		if got := [2]int64{w.lowest, w.highest}; got != want[w.name] {
			t.Errorf("%s has %v pods, want %v", w.name, got, want[w.name])
		}
	}
	if len(all) != len(want) {
		t.Errorf("%d workloads, want %d", len(all), len(want))
	}
}

// number reads a value, whatever type YAML gave it.
func number(t *testing.T, value any) int64 {
	t.Helper()
	n, err := strconv.ParseInt(fmt.Sprint(value), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// beside are connections that are not the services': two of each of five migrations, three that
// PostgreSQL keeps for superusers, and some for backups, monitoring and people.
const beside = 5*2 + 3 + 10

// TestPools adds the connections of all pods at their highest number, while everything rolls, and while
// every API has two colors.
func TestPools(t *testing.T) {
	t.Parallel()
	limit := number(t, computed(t, "data", nil)["postgres"].(map[string]any)["maxConnections"])
	for name, strategy := range map[string]string{"rolling": "{}", "blue-green": blueGreen} {
		var sum int64 = beside
		for _, w := range everything(t, strategy) {
			if !w.rolls {
				continue
			}
			conns, err := strconv.ParseInt(variable(t, w.spec, "_POSTGRES_MAX_CONNS"), 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			pods := w.highest
			if name == "rolling" || w.component == "worker" {
				pods++ // maxSurge
			}
			sum += pods * conns
		}
		t.Logf("%s: up to %d connections of %d", name, sum, limit)
		if sum > limit {
			t.Errorf("%s: up to %d connections, but PostgreSQL takes %d", name, sum, limit)
		}
	}
}

// What the workers of a cluster of three machines with 4 GiB and 2 CPUs give to pods, and what of it
// everything takes that these two charts do not have: flannel or Calico, kube-proxy, CoreDNS,
// metrics-server, the ingress controller, KEDA, storage and monitoring.
const (
	workerNodes  = 2
	nodeMemory   = "3584Mi"
	nodeCPU      = "2"
	othersMemory = "1792Mi"
	othersCPU    = "1300m"
)

// TestRequestsFit adds the requests at the highest number of pods: what does not fit stays pending.
func TestRequestsFit(t *testing.T) {
	t.Parallel()
	memory, cpu := resource.MustParse(othersMemory), resource.MustParse(othersCPU)
	for _, w := range everything(t) {
		for range w.highest {
			for _, c := range w.spec.Containers {
				memory.Add(*c.Resources.Requests.Memory())
				cpu.Add(*c.Resources.Requests.Cpu())
			}
		}
	}
	haveMemory, haveCPU := resource.MustParse(nodeMemory), resource.MustParse(nodeCPU)
	haveMemory.Mul(workerNodes)
	haveCPU.Mul(workerNodes)
	t.Logf("requests at the highest scale: %d MiB of %d, %dm CPU of %dm", memory.Value()>>20,
		haveMemory.Value()>>20, cpu.MilliValue(), haveCPU.MilliValue())
	if memory.Cmp(haveMemory) > 0 || cpu.Cmp(haveCPU) > 0 {
		t.Errorf("%s and %s CPU are requested, the nodes have %s and %s", &memory, &cpu, &haveMemory, &haveCPU)
	}
}

// environment is what a pod's process would see, with something for each secret.
func environment(t *testing.T, service string, component string) ([]string, corev1.PodSpec) {
	t.Helper()
	manifest, err := render(t, "service", service, values(t, serviceValues(t, service)))
	if err != nil {
		t.Fatal(err)
	}
	prefix := strings.ToUpper(service) + "_"
	environ := []string{
		prefix + "POSTGRES_DSN=postgres://h/db", prefix + "MASTER_KEY=x", prefix + "PROVIDERS=[]",
		prefix + "AUTH_INTERNAL_TOKEN=x", prefix + "WASTE_INTERNAL_TOKEN=x", prefix + "RECYCLING_INTERNAL_TOKEN=x",
	}
	var spec corev1.PodSpec
	for _, o := range objects(t, manifest) {
		switch o.GetKind() {
		case "ConfigMap":
			for name, value := range typed[corev1.ConfigMap](t, o).Data {
				environ = append(environ, name+"="+value)
			}
		case "Deployment":
			if o.GetLabels()["app.kubernetes.io/component"] == component {
				spec = typed[appsv1.Deployment](t, o).Spec.Template.Spec
			}
		}
	}
	for _, v := range spec.Containers[0].Env {
		environ = append(environ, v.Name+"="+v.Value)
	}
	return environ, spec
}

// longestRequest is handleTimeout of internal/httpserver, which bounds every handler.
const longestRequest = 40 * time.Second

// TestServicesTakeTheirConfiguration lets each service read what the chart gives it, and holds the times
// of an API's shutdown together.
func TestServicesTakeTheirConfiguration(t *testing.T) {
	t.Parallel()
	load := map[string]func([]string) (httpserver.Config, error){
		"auth": func(e []string) (httpserver.Config, error) { c, err := auth.LoadConfig(e); return c.HTTP, err },
		"users": func(e []string) (httpserver.Config, error) {
			c, err := users.LoadConfig(e)
			return c.HTTP, err
		},
		"waste": func(e []string) (httpserver.Config, error) { c, err := waste.LoadConfig(e); return c.HTTP, err },
		"recycling": func(e []string) (httpserver.Config, error) {
			c, err := recycling.LoadConfig(e)
			return c.HTTP, err
		},
		"locations": func(e []string) (httpserver.Config, error) {
			c, err := locations.LoadConfig(e)
			return c.HTTP, err
		},
	}
	for _, service := range migrate.Schemas() {
		environ, spec := environment(t, service, "api")
		cfg, err := load[service](environ)
		if service == "auth" && err != nil && strings.Contains(err.Error(), "PROVIDERS") {
			err = nil // there is none in this test
		}
		if err != nil {
			t.Errorf("%s refuses what the chart gives it: %v", service, err)
			continue
		}
		if service == "auth" {
			continue
		}
		grace := time.Duration(*spec.TerminationGracePeriodSeconds) * time.Second
		if cfg.DrainTimeout <= longestRequest || grace <= cfg.DrainDelay+cfg.DrainTimeout || cfg.DrainDelay == 0 {
			t.Errorf("%s: drains for %s + %s and is killed after %s", service, cfg.DrainDelay, cfg.DrainTimeout, grace)
		}
	}
}

// TestScaleInKillsNoTask holds the times of a worker's shutdown together.
func TestScaleInKillsNoTask(t *testing.T) {
	t.Parallel()
	environ, spec := environment(t, "waste", "worker")
	w, err := waste.LoadConfig(environ)
	if err != nil {
		t.Fatal(err)
	}
	environ, recyclingSpec := environment(t, "recycling", "worker")
	r, err := recycling.LoadConfig(environ)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		service                       string
		task, shutdown                time.Duration
		grace                         int64
		concurrency, tasksPerReplicas int
	}{
		{
			"waste", w.Jobs.TaskTimeout, w.Worker.ShutdownTimeout, *spec.TerminationGracePeriodSeconds,
			w.Worker.Concurrency, perReplica(t, "waste"),
		},
		// completeTimeout and answerTimeout of services/recycling.
		{
			"recycling", time.Minute, r.Queue.ShutdownTimeout, *recyclingSpec.TerminationGracePeriodSeconds,
			r.Queue.Concurrency, perReplica(t, "recycling"),
		},
	} {
		grace := time.Duration(tt.grace) * time.Second
		if tt.task >= tt.shutdown || tt.shutdown >= grace {
			t.Errorf("%s: a task may take %s, the worker waits %s, the pod is killed after %s",
				tt.service, tt.task, tt.shutdown, grace)
		}
		if tt.concurrency != tt.tasksPerReplicas {
			t.Errorf("%s: a worker runs %d tasks at once, the autoscaler counts on %d",
				tt.service, tt.concurrency, tt.tasksPerReplicas)
		}
	}
}

func perReplica(t *testing.T, service string) int {
	t.Helper()
	worker := computed(t, "service", values(t, serviceValues(t, service)))["worker"].(map[string]any)
	return int(number(t, worker["tasksPerReplica"]))
}

// TestRestricted holds every pod to the restricted Pod Security Standard, and more.
func TestRestricted(t *testing.T) {
	t.Parallel()
	for _, w := range everything(t) {
		pod := w.spec.SecurityContext
		if pod == nil || pod.RunAsNonRoot == nil || !*pod.RunAsNonRoot || pod.RunAsUser == nil || *pod.RunAsUser == 0 ||
			pod.SeccompProfile == nil || pod.SeccompProfile.Type != corev1.SeccompProfileTypeRuntimeDefault ||
			w.spec.AutomountServiceAccountToken == nil || *w.spec.AutomountServiceAccountToken || w.spec.HostNetwork {
			t.Errorf("%s: the pod may do too much: %+v", w.name, pod)
		}
		for _, c := range w.spec.Containers {
			s := c.SecurityContext
			if s == nil || *s.AllowPrivilegeEscalation || !*s.ReadOnlyRootFilesystem ||
				len(s.Capabilities.Drop) != 1 || s.Capabilities.Drop[0] != "ALL" || len(s.Capabilities.Add) != 0 {
				t.Errorf("%s: the container may do too much: %+v", w.name, s)
			}
			if c.StartupProbe == nil || c.LivenessProbe == nil || c.ReadinessProbe == nil ||
				c.Resources.Limits.Memory().IsZero() || c.Resources.Requests.Cpu().IsZero() {
				t.Errorf("%s: a probe, a request or a limit is missing", w.name)
			}
		}
	}
}
