package monitor

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	metricsv1 "k8s.io/metrics/pkg/apis/metrics/v1beta1"

	"github.com/wastecoach/wastecoach/internal/job"
	"github.com/wastecoach/wastecoach/internal/wcctl/kube/kubetest"
)

// clustered is the stack of setup behind the API server of a cluster.
func clustered(t *testing.T) (*stack, *kubetest.Server) {
	t.Helper()
	s, api := setup(t), kubetest.New(t)
	api.Secrets["waste/waste"] = map[string][]byte{"WASTE_INTERNAL_TOKEN": []byte(testToken)}
	api.Secrets["data/redis"] = map[string][]byte{"password": nil}
	api.Pods = []corev1.Pod{
		podOf("waste", "waste-api-1", "waste", "api"), podOf("data", "redis-0", "redis", ""),
	}
	api.Listens["waste/waste-api-1:8080"] = strings.TrimPrefix(s.state.Replicas["waste"][0], "http://")
	api.Listens["data/redis-0:6379"] = s.redis.Addr()
	api.Nodes = []corev1.Node{{
		ObjectMeta: metav1.ObjectMeta{
			Name: "node-1", Labels: map[string]string{"node-role.kubernetes.io/control-plane": ""},
		},
		Status: corev1.NodeStatus{
			Capacity: corev1.ResourceList{
				corev1.ResourceCPU: resource.MustParse("2"), corev1.ResourceMemory: resource.MustParse("4Gi"),
			},
			Conditions: []corev1.NodeCondition{
				{Type: corev1.NodeReady, Status: corev1.ConditionTrue},
				{Type: corev1.NodeDiskPressure, Status: corev1.ConditionTrue},
			},
		},
	}}
	api.Usage = []metricsv1.NodeMetrics{{
		ObjectMeta: metav1.ObjectMeta{Name: "node-1"},
		Usage: corev1.ResourceList{
			corev1.ResourceCPU: resource.MustParse("500m"), corev1.ResourceMemory: resource.MustParse("1Gi"),
		},
	}}
	return s, api
}

func podOf(namespace, name, app, component string) corev1.Pod {
	labels := map[string]string{"app.kubernetes.io/name": app}
	if component != "" {
		labels["app.kubernetes.io/component"] = component
	}
	return corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: labels},
		Spec:       corev1.PodSpec{NodeName: "node-1"},
		Status: corev1.PodStatus{
			Phase:      corev1.PodRunning,
			Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}},
		},
	}
}

func openCluster(t *testing.T, api *kubetest.Server) *System {
	t.Helper()
	system, err := Open(t.Context(), Options{Kubeconfig: api.Kubeconfig(t), Actor: "alice@laptop"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = system.Close() })
	return system
}

func TestPictureOfACluster(t *testing.T) {
	t.Parallel()
	s, api := clustered(t)
	id := s.add(job.Queued)
	waits := podOf("waste", "waste-api-2", "waste", "api")
	waits.Status = corev1.PodStatus{Phase: corev1.PodPending, ContainerStatuses: []corev1.ContainerStatus{{
		State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "ImagePullBackOff"}},
	}}}
	api.Pods = append(api.Pods, waits)
	three := int32(3)
	api.Deployments = []appsv1.Deployment{
		{
			ObjectMeta: metav1.ObjectMeta{Namespace: "waste", Name: "waste-api", Generation: 2},
			Spec:       appsv1.DeploymentSpec{Replicas: &three},
			Status: appsv1.DeploymentStatus{
				ObservedGeneration: 2, Replicas: 4, UpdatedReplicas: 1, ReadyReplicas: 3, AvailableReplicas: 3,
			},
		},
		{
			ObjectMeta: metav1.ObjectMeta{Namespace: "auth", Name: "auth-api"},
			Status: appsv1.DeploymentStatus{
				Replicas: 1, UpdatedReplicas: 1, ReadyReplicas: 1, AvailableReplicas: 1,
			},
		},
	}
	api.Events = []corev1.Event{{
		InvolvedObject: corev1.ObjectReference{Kind: "Pod", Namespace: "waste", Name: "waste-api-2"},
		Reason:         "Failed", Message: "pull failed", LastTimestamp: metav1.NewTime(noon),
	}}
	api.ConfigMaps["kube-system/wastecoach-backups"] = map[string]string{"at": "2026-11-25T03:00:00Z"}
	system := openCluster(t, api)
	p := s.picture(system)
	if len(p.Faults) != 0 || p.Source != "cluster a" {
		t.Fatalf("%q, faults %+v", p.Source, p.Faults)
	}
	if len(p.Jobs.Items) != 1 || p.Jobs.Items[0].ID != id || p.Queues[0].Pending != 1 {
		t.Errorf("jobs %+v, queues %+v", p.Jobs.Items, p.Queues)
	}
	sv := p.Services
	if len(sv) != 1 || sv[0].Name != "waste" || sv[0].Replicas != 2 || sv[0].Ready != 1 ||
		sv[0].Why != "waste-api-2: ImagePullBackOff" {
		t.Errorf("services %+v", sv)
	}
	c := p.Cluster
	if c == nil || c.Version != "v1.36.3" || len(c.Nodes) != 1 || c.Pods["Running"] != 2 || c.Pods["Pending"] != 1 {
		t.Fatalf("%+v", c)
	}
	n := c.Nodes[0]
	if !n.Ready || n.Roles[0] != "control-plane" || *n.CPU != .25 || *n.Memory != .25 || n.Pods != 3 ||
		len(n.Pressure) != 1 || n.Pressure[0] != "disk" {
		t.Errorf("%+v", n)
	}
	if len(c.Waiting) != 1 || c.Waiting[0] != "waste/waste-api-2: ImagePullBackOff" {
		t.Errorf("waiting %q", c.Waiting)
	}
	want := Rollout{Name: "waste/waste-api", Wanted: 3, Updated: 1, Ready: 3}
	if len(c.Rollouts) != 1 || c.Rollouts[0] != want {
		t.Errorf("rollouts %+v", c.Rollouts)
	}
	backupAt := time.Date(2026, 11, 25, 3, 0, 0, 0, time.UTC)
	if c.CertificatesExpire == nil || c.BackupAt == nil || !c.BackupAt.Equal(backupAt) {
		t.Errorf("certificates %v, backup %v", c.CertificatesExpire, c.BackupAt)
	}
	if len(p.Events) != 1 || p.Events[0].Kind != "pod.warning" || !p.Events[0].Bad ||
		p.Events[0].Subject != "waste/waste-api-2" {
		t.Errorf("events %+v", p.Events)
	}
}

// The ways in are cut, as when a node reboots: the next questions open others.
func TestTunnelsAreOpenedAnew(t *testing.T) {
	t.Parallel()
	s, api := clustered(t)
	s.add(job.Queued)
	system := openCluster(t, api)
	s.picture(system)
	s.picture(system)
	api.Lock()
	opened := api.Forwards
	api.Unlock()
	if opened != 3 { // to any waste replica, to this one, to Redis
		t.Errorf("%d ways were opened", opened)
	}
	api.Cut()
	until(t, "the picture to be whole", func() bool {
		p, err := system.Picture(t.Context(), JobQuery{})
		return err == nil && len(p.Faults) == 0
	})
}

func TestAClusterWithoutTheSystem(t *testing.T) {
	t.Parallel()
	_, api := clustered(t)
	api.Secrets = nil
	api.Pods = nil
	system := openCluster(t, api)
	p, err := system.Picture(t.Context(), JobQuery{})
	if err != nil {
		t.Fatal(err)
	}
	if p.Cluster == nil || len(p.Cluster.Nodes) != 1 {
		t.Errorf("%+v", p.Cluster)
	}
	for _, part := range []Part{Jobs, Queues, Workers} {
		if !strings.Contains(p.Faults[part].Message, "secret waste") {
			t.Errorf("%s: %+v", part, p.Faults[part])
		}
	}
	for _, part := range []Part{Cluster, Services, Events} {
		if f, bad := p.Faults[part]; bad {
			t.Errorf("%s: %+v", part, f)
		}
	}
}

func TestAnAPIServerThatIsGone(t *testing.T) {
	t.Parallel()
	s, api := clustered(t)
	s.add(job.Queued)
	system := openCluster(t, api)
	before := s.picture(system)
	api.Close()
	system.cluster.expire()
	var p Picture
	until(t, "the cluster's part to be old", func() bool {
		var err error
		if p, err = system.Picture(t.Context(), JobQuery{}); err != nil {
			t.Fatal(err)
		}
		return p.Faults[Cluster].Message != ""
	})
	if f := p.Faults[Cluster]; !strings.Contains(f.Message, "API server") || f.Hint != "wcctl status" ||
		f.ReadAt.IsZero() || f.ReadAt.After(time.Now()) {
		t.Errorf("%+v", f)
	}
	if p.Cluster == nil || len(p.Jobs.Items) != len(before.Jobs.Items) {
		t.Errorf("what was known is gone: %+v", p)
	}
}

func TestAnExpiredKubeconfig(t *testing.T) {
	t.Parallel()
	s, api := clustered(t)
	system := openCluster(t, api)
	before := s.picture(system)
	for _, expired := range []bool{true, false} {
		api.Lock()
		api.Expired = expired
		api.Unlock()
		var p Picture
		until(t, "the picture to follow", func() bool {
			system.cluster.expire()
			var err error
			if p, err = system.Picture(t.Context(), JobQuery{}); err != nil {
				t.Fatal(err)
			}
			return (p.Faults[Cluster].Message != "") == expired
		})
		if f := p.Faults[Cluster]; expired && (!strings.Contains(f.Message, "refuses the kubeconfig: it has expired") ||
			f.Hint != "wcctl up --only kubeconfig") {
			t.Errorf("%+v", f)
		}
		if p.Cluster == nil || len(p.Cluster.Nodes) != len(before.Cluster.Nodes) {
			t.Errorf("what was known is gone: %+v", p.Cluster)
		}
	}
}

func TestFindReadsWhatHostsSay(t *testing.T) {
	t.Parallel()
	tn := &tunnels{}
	namespace, pod, port, err := tn.find(t.Context(), podHost("waste", "waste-api-7f.x", 8080))
	if err != nil || namespace != "waste" || pod != "waste-api-7f.x" || port != 8080 {
		t.Errorf("%s %s %d %v", namespace, pod, port, err)
	}
	for _, address := range []string{"nowhere.svc:80", "waste.waste.svc:x"} {
		if _, _, _, err := tn.find(t.Context(), address); err == nil {
			t.Errorf("%s was found", address)
		}
	}
}

func TestExplain(t *testing.T) {
	t.Parallel()
	for want, err := range map[string]error{
		"a; b":               fmt.Errorf("a\nb"),
		"no answer in time":  fmt.Errorf("x: %w", context.DeadlineExceeded),
		"Redis at h: broken": &trouble{message: "Redis at h", cause: errors.New("broken")},
	} {
		if got := Explain(err); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
