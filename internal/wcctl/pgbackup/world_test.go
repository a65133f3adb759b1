package pgbackup_test

import (
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/client-go/kubernetes/scheme"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"
	restfake "k8s.io/client-go/rest/fake"
	clienttesting "k8s.io/client-go/testing"

	"github.com/wastecoach/wastecoach/internal/wcctl/pgbackup"
)

var noon = time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)

// world is a cluster whose Jobs end at once, as its script says.
type world struct {
	*fake.Clientset
	database *pgbackup.Database
	// prints is what a Job's pod prints, by the script that it runs; fails are the scripts that fail.
	prints map[string]string
	fails  map[string]bool
	// hangs is a script that does not end.
	hangs string
	// did are the Jobs that ran, and how many pods the database was given.
	did  []string
	told []string
	logs map[string]string
}

func setup(t *testing.T) *world {
	t.Helper()
	one := int32(1)
	cron := &batchv1.CronJob{ObjectMeta: metav1.ObjectMeta{Name: "postgres-backup", Namespace: "data", UID: "cron"}}
	cron.Spec.JobTemplate.Spec.Template.Spec.Containers = []corev1.Container{{Name: "backup", Image: "postgres"}}
	set := &appsv1.StatefulSet{ObjectMeta: metav1.ObjectMeta{Name: "postgres", Namespace: "data"}}
	set.Spec.Replicas, set.Status.ReadyReplicas = &one, one
	set.Spec.Template.Spec.Containers = []corev1.Container{{Name: "postgres"}}
	w := &world{
		Clientset: fake.NewClientset(cron, set), fails: map[string]bool{}, logs: map[string]string{},
		prints: map[string]string{"list.sh": one1, "create.sh": "P00 INFO\n" + one1, "restore.sh": restored},
	}
	w.pod(1)
	w.did = nil
	w.PrependReactor("create", "jobs", func(a clienttesting.Action) (bool, runtime.Object, error) {
		w.play(a.(clienttesting.CreateAction).GetObject().(*batchv1.Job))
		return false, nil, nil
	})
	w.PrependReactor("patch", "statefulsets", func(a clienttesting.Action) (bool, runtime.Object, error) {
		var patch struct{ Spec struct{ Replicas int } }
		if err := json.Unmarshal(a.(clienttesting.PatchAction).GetPatch(), &patch); err != nil {
			return true, nil, err
		}
		w.pod(patch.Spec.Replicas)
		return false, nil, nil
	})
	w.database = &pgbackup.Database{
		Kube: w, Tell: func(text string) { w.told = append(w.told, text) },
		Now: func() time.Time { return noon }, Poll: time.Millisecond, Patience: time.Minute,
	}
	return w
}

var podsResource = corev1.SchemeGroupVersion.WithResource("pods")

// pod makes the database's pod or removes it. Within a reaction the fake client itself would wait for ever.
func (w *world) pod(count int) {
	_, err := w.Tracker().Get(podsResource, "data", "postgres-0")
	switch running := !apierrors.IsNotFound(err); {
	case count == 0 && running:
		w.did = append(w.did, "stop")
		_ = w.Tracker().Delete(podsResource, "data", "postgres-0")
	case count == 1 && !running:
		w.did = append(w.did, "start")
		_ = w.Tracker().Add(&corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "postgres-0", Namespace: "data"}})
	}
}

// play runs a Job to its end.
func (w *world) play(job *batchv1.Job) {
	if _, err := w.Tracker().Get(batchv1.SchemeGroupVersion.WithResource("jobs"), "data", job.Name); err == nil {
		return // it is refused
	}
	c := job.Spec.Template.Spec.Containers[0]
	script := strings.TrimPrefix(c.Command[1], "/etc/pgbackrest/")
	w.did = append(w.did, script)
	ended := batchv1.JobCondition{Type: batchv1.JobComplete, Status: corev1.ConditionTrue}
	if w.fails[script] {
		ended.Type, job.Status.Failed = batchv1.JobFailed, 1
	}
	if script != w.hangs {
		job.Status.Conditions = []batchv1.JobCondition{ended}
	}
	w.logs[job.Name] = w.prints[script]
	_ = w.Tracker().Add(&corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Name: job.Name, Namespace: "data", Labels: map[string]string{batchv1.JobNameLabel: job.Name},
		},
		Status: corev1.PodStatus{Phase: corev1.PodSucceeded},
	})
}

// end lets the Job of a restore that hung come to its end.
func (w *world) end(t *testing.T, a pgbackup.Attempt, fails bool) {
	t.Helper()
	jobs := w.BatchV1().Jobs("data")
	job, err := jobs.Get(t.Context(), "postgres-restore-"+a.ID, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	ended := batchv1.JobComplete
	if fails {
		ended, job.Status.Failed = batchv1.JobFailed, 1
	}
	job.Status.Conditions = []batchv1.JobCondition{{Type: ended, Status: corev1.ConditionTrue}}
	if _, err := jobs.UpdateStatus(t.Context(), job, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
}

// took is what was done since the last time.
func (w *world) took(t *testing.T, want ...string) {
	t.Helper()
	if !slices.Equal(w.did, want) {
		t.Errorf("it did %v, want %v", w.did, want)
	}
	w.did = nil
}

func (w *world) annotation(t *testing.T) string {
	t.Helper()
	set, err := w.AppsV1().StatefulSets("data").Get(t.Context(), "postgres", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return set.Annotations["wastecoach.io/restore"]
}

// CoreV1 adds what pods print to client-go's fake.
func (w *world) CoreV1() corev1client.CoreV1Interface { return core{w.Clientset.CoreV1(), w} }

type core struct {
	corev1client.CoreV1Interface
	world *world
}

func (c core) Pods(namespace string) corev1client.PodInterface {
	return pods{c.CoreV1Interface.Pods(namespace), c.world}
}

type pods struct {
	corev1client.PodInterface
	world *world
}

func (p pods) GetLogs(name string, _ *corev1.PodLogOptions) *rest.Request {
	client := &restfake.RESTClient{
		Client: restfake.CreateHTTPClient(func(*http.Request) (*http.Response, error) {
			return &http.Response{
				StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader(p.world.logs[name])),
			}, nil
		}),
		NegotiatedSerializer: scheme.Codecs.WithoutConversion(), GroupVersion: corev1.SchemeGroupVersion,
	}
	return client.Request()
}
