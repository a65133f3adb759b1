package pgbackup

import (
	"context"
	"fmt"
	"strings"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/wastecoach/wastecoach/internal/wcctl/kube"
)

const (
	// stepMark begins the lines of a script that tell what it does now.
	stepMark  = "step: "
	tailLines = 20
)

// run makes the Job, unless it is there from a run that was cut off, and returns what it printed when it is
// done.
func (d *Database) run(ctx context.Context, job *batchv1.Job) (string, error) {
	_, err := d.Kube.BatchV1().Jobs(Namespace).Create(ctx, job, metav1.CreateOptions{})
	if err != nil && !apierrors.IsAlreadyExists(err) {
		return "", fmt.Errorf("making the job %s: %w", job.Name, err)
	}
	f := &follower{database: d, job: job.Name, began: d.Now()}
	if err := d.until(ctx, f.look); err != nil {
		return f.output, err
	}
	return f.output, nil
}

// until looks again and again until there is nothing to wait for.
func (d *Database) until(ctx context.Context, look func(context.Context) (done bool, err error)) error {
	tick := time.NewTicker(d.Poll)
	defer tick.Stop()
	for {
		done, err := look(ctx)
		if done || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick.C:
		}
	}
}

// await is until for a pod, which has as long as the patience says.
func (d *Database) await(ctx context.Context, fault string, look func(context.Context) (bool, error)) error {
	began := d.Now()
	return d.until(ctx, func(ctx context.Context) (bool, error) {
		done, err := look(ctx)
		if !done && err == nil && d.Now().Sub(began) > d.Patience {
			err = fmt.Errorf("%s: kubectl -n %s describe pod %s", fault, Namespace, pod)
		}
		return done, err
	})
}

// follower hands on what a Job's pod prints.
type follower struct {
	database *Database
	job      string
	began    time.Time
	output   string
	steps    int
}

func (f *follower) look(ctx context.Context) (bool, error) {
	job, err := f.database.Kube.BatchV1().Jobs(Namespace).Get(ctx, f.job, metav1.GetOptions{})
	if err != nil {
		return false, fmt.Errorf("looking at the job %s: %w", f.job, err)
	}
	pods, err := f.database.Kube.CoreV1().Pods(Namespace).List(ctx, metav1.ListOptions{
		LabelSelector: batchv1.JobNameLabel + "=" + f.job,
	})
	if err != nil {
		return false, fmt.Errorf("looking at the job %s: %w", f.job, err)
	}
	for i := range pods.Items {
		if err := f.hear(ctx, &pods.Items[i]); err != nil {
			return false, err
		}
	}
	for _, c := range job.Status.Conditions {
		if c.Status != corev1.ConditionTrue {
			continue
		}
		switch c.Type {
		case batchv1.JobComplete:
			return true, nil
		case batchv1.JobFailed:
			return false, f.failure(c.Message)
		}
	}
	return false, nil
}

// hear reads what the pod has printed so far. One that does not start ends the wait.
func (f *follower) hear(ctx context.Context, pod *corev1.Pod) error {
	if pod.Status.Phase == corev1.PodPending {
		if waited := f.database.Now().Sub(f.began); waited > f.database.Patience {
			return fmt.Errorf("pod %s does not start: %s", pod.Name, kube.WhyWaiting(pod))
		}
		return nil
	}
	text, err := f.database.Kube.CoreV1().Pods(Namespace).GetLogs(pod.Name, &corev1.PodLogOptions{}).DoRaw(ctx)
	if err != nil {
		return nil //nolint:nilerr // its node may be away for a moment; the Job tells how it ended
	}
	f.output = string(text)
	var steps []string
	for line := range strings.Lines(f.output) {
		if step, is := strings.CutPrefix(line, stepMark); is {
			steps = append(steps, strings.TrimSpace(step))
		}
	}
	for ; f.steps < len(steps); f.steps++ {
		f.database.Tell(steps[f.steps])
	}
	return nil
}

func (f *follower) failure(reason string) error {
	e := &JobError{Job: f.job}
	if text := strings.TrimSpace(f.output); text != "" {
		e.Lines = strings.Split(text, "\n")
		e.Lines = e.Lines[max(0, len(e.Lines)-tailLines):]
	} else if reason != "" {
		e.Lines = []string{reason}
	}
	return e
}

// forget removes a Job with its pod; what is left of it would go by itself after a day.
func (d *Database) forget(ctx context.Context, job string) {
	policy := metav1.DeletePropagationBackground
	_ = d.Kube.BatchV1().Jobs(Namespace).Delete(context.WithoutCancel(ctx), job, metav1.DeleteOptions{
		PropagationPolicy: &policy,
	})
}
