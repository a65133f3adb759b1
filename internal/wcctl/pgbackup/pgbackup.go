// Package pgbackup takes and lists backups of the cluster's PostgreSQL and takes it back to a point in time, by
// Jobs made of the CronJob that charts/data brings.
package pgbackup

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/wastecoach/wastecoach/internal/wcctl/kube"
)

// The names of charts/data.
const (
	// Namespace is where the database and its backups are.
	Namespace = kube.DatabaseNamespace
	// CronJob is what takes the backups.
	CronJob    = kube.DatabaseCronJob
	database   = "postgres"
	pod        = "postgres-0"
	scripts    = "/etc/pgbackrest/"
	jobKeeping = 24 * 60 * 60
)

var (
	// ErrOutside is a database that is not in the cluster.
	ErrOutside = errors.New("PostgreSQL is not in this cluster: its provider backs it up")
	// ErrCloudNativePG is a database that an operator runs.
	ErrCloudNativePG = errors.New("CloudNativePG runs PostgreSQL and backs it up: " +
		"kubectl -n data get backups,scheduledbackups; docs/cluster/backup.md tells how to take one and to go back")
	// ErrOff is a database without backups.
	ErrOff = errors.New("the backups of PostgreSQL are off: postgres.backup.enabled of charts/data")
	// ErrNone is a repository without a backup.
	ErrNone = errors.New("there is no backup of PostgreSQL yet")
)

// Database is the cluster's PostgreSQL.
type Database struct {
	Kube kubernetes.Interface
	// Tell hears of every step.
	Tell func(text string)
	// Now is the clock, Poll how often it is looked, Patience how long a pod may take to start or to end.
	Now      func() time.Time
	Poll     time.Duration
	Patience time.Duration
}

// id names what is made now.
func (d *Database) id() string { return d.Now().UTC().Format("20060102t150405z") }

// Create takes a base backup, and returns it with all others.
func (d *Database) Create(ctx context.Context) ([]Backup, error) {
	template, err := d.template(ctx)
	if err != nil {
		return nil, err
	}
	job := template.job("backup", d.id(), "create.sh")
	// The CronJob counts its own: so the cluster knows when the last backup was.
	yes := true
	job.OwnerReferences = []metav1.OwnerReference{{
		APIVersion: "batch/v1", Kind: "CronJob", Name: CronJob, UID: template.cron.UID, Controller: &yes,
	}}
	output, err := d.run(ctx, job)
	if err != nil {
		if ctx.Err() != nil {
			d.forget(ctx, job.Name)
		}
		return nil, err
	}
	list, err := parse(output)
	if err == nil && len(list) == 0 {
		err = ErrNone
	}
	return list, err
}

// template is the CronJob of which Jobs are made.
type template struct{ cron *batchv1.CronJob }

func (d *Database) template(ctx context.Context) (template, error) {
	cron, err := d.Kube.BatchV1().CronJobs(Namespace).Get(ctx, CronJob, metav1.GetOptions{})
	if err == nil {
		return template{cron}, nil
	}
	if !apierrors.IsNotFound(err) {
		return template{}, fmt.Errorf("looking for the backups of PostgreSQL: %w", err)
	}
	_, err = d.Kube.AppsV1().StatefulSets(Namespace).Get(ctx, database, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return template{}, d.elsewhere(ctx)
	case err != nil:
		return template{}, fmt.Errorf("looking for PostgreSQL: %w", err)
	}
	return template{}, ErrOff
}

// elsewhere tells who has the database that is no StatefulSet: a Service selects an operator's pods.
func (d *Database) elsewhere(ctx context.Context) error {
	service, err := d.Kube.CoreV1().Services(Namespace).Get(ctx, database, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return ErrOutside
	case err != nil:
		return fmt.Errorf("looking for PostgreSQL: %w", err)
	case service.Spec.Selector["cnpg.io/cluster"] != "":
		return ErrCloudNativePG
	}
	return ErrOutside
}

// job is one that runs a script of the chart.
func (t template) job(what, id, script string, env ...corev1.EnvVar) *batchv1.Job {
	spec := *t.cron.Spec.JobTemplate.Spec.DeepCopy()
	none, keeping := int32(0), int32(jobKeeping)
	spec.BackoffLimit, spec.TTLSecondsAfterFinished = &none, &keeping
	c := &spec.Template.Spec.Containers[0]
	c.Command = []string{"sh", scripts + script}
	c.Env = append(c.Env, env...)
	return &batchv1.Job{
		ObjectMeta: metav1.ObjectMeta{
			Name: "postgres-" + what + "-" + id, Namespace: Namespace, Labels: t.cron.Labels,
		},
		Spec: spec,
	}
}

// JobError is a Job that failed.
type JobError struct {
	Job string
	// Lines are the last that it printed.
	Lines []string
}

// Error implements error: the last that pgbackrest or PostgreSQL call an error says most.
func (e *JobError) Error() string {
	reason := "it printed nothing"
	if n := len(e.Lines); n > 0 {
		reason = e.Lines[n-1]
	}
	for _, line := range e.Lines {
		for _, mark := range []string{"ERROR: ", "FATAL: ", "too little room: "} {
			if i := strings.Index(line, mark); i >= 0 {
				reason = line[i:]
			}
		}
	}
	return fmt.Sprintf("job %s/%s: %s", Namespace, e.Job, strings.TrimSpace(reason))
}
