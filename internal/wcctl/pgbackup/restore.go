package pgbackup

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// attemptKey is the StatefulSet's annotation that tells of a restore that has not ended.
const attemptKey = "wastecoach.io/restore"

// Attempt is a restore that was begun.
type Attempt struct {
	ID string    `json:"id"`
	To time.Time `json:"to"`
	// Placed tells that the data from then is in place.
	Placed bool `json:"placed,omitempty"`
	// Bytes are those of the database.
	Bytes int64 `json:"bytes"`
}

// Restored is how a restore ended.
type Restored struct {
	To time.Time `json:"to"`
	// Last is when the last transaction ended that is in the database; zero where none was replayed.
	Last time.Time `json:"last_transaction,omitzero"`
	// Short tells that the archive holds nothing after Last: what there was until To, if anything, is lost.
	Short bool `json:"archive_ended_before,omitempty"`
	// Rows are those of each table, by database.schema.table.
	Rows map[string]int64 `json:"rows"`
	// Aside is the folder on the database's volume with the data from before.
	Aside string `json:"aside"`
	// Backup is the first one after the restore.
	Backup Backup `json:"backup"`
}

// TimeError is a time that no backup leads to.
type TimeError struct {
	To time.Time
	// First is the first time that one does.
	First time.Time
}

// Error implements error.
func (e *TimeError) Error() string {
	return fmt.Sprintf("no backup leads to %s: the first one ended at %s",
		e.To.Local().Format(time.DateTime), e.First.Local().Format(time.DateTime))
}

// Begin finds the restore to that time that goes on, or makes sure that there can be one. Nothing is changed.
func (d *Database) Begin(ctx context.Context, to time.Time) (a Attempt, goesOn bool, err error) {
	set, err := d.set(ctx)
	if err != nil {
		return Attempt{}, false, err
	}
	if a, err := attemptOf(set); err == nil && a.To.Equal(to) {
		return a, true, nil
	}
	backups, err := d.List(ctx)
	if err != nil {
		return Attempt{}, false, err
	}
	if len(backups) == 0 {
		return Attempt{}, false, ErrNone
	}
	// pgbackrest compares whole seconds, and wants the backup to have ended before.
	if first := backups[len(backups)-1]; !to.Truncate(time.Second).After(first.End) {
		return Attempt{}, false, &TimeError{To: to, First: first.End.Add(time.Second)}
	}
	return Attempt{ID: d.id(), To: to, Bytes: backups[0].Bytes}, false, nil
}

func (d *Database) set(ctx context.Context) (*appsv1.StatefulSet, error) {
	if _, err := d.template(ctx); err != nil {
		return nil, err
	}
	set, err := d.Kube.AppsV1().StatefulSets(Namespace).Get(ctx, database, metav1.GetOptions{})
	if err != nil {
		return nil, fmt.Errorf("looking for PostgreSQL: %w", err)
	}
	return set, nil
}

func attemptOf(set *appsv1.StatefulSet) (Attempt, error) {
	var a Attempt
	err := json.Unmarshal([]byte(set.Annotations[attemptKey]), &a)
	return a, err
}

// Restore takes the database back. A failure before the data of then is in place starts what was there; an
// interrupt leaves all as it is, and the same attempt goes on.
func (d *Database) Restore(ctx context.Context, a Attempt) (Restored, error) {
	set, err := d.set(ctx)
	if err != nil {
		return Restored{}, err
	}
	// A restore to another time that was cut off must not come in between.
	if before, err := attemptOf(set); err == nil && before.ID != a.ID {
		if err := d.discard(ctx, before.job()); err != nil {
			return Restored{}, err
		}
	}
	r := Restored{To: a.To, Aside: "/var/lib/postgresql/data/pgdata.before-" + a.ID, Rows: map[string]int64{}}
	if a.Placed {
		// What it printed may be gone by now.
		f := &follower{database: d, job: a.job(), began: d.Now()}
		if _, err := f.look(ctx); err == nil {
			_ = r.read(f.output)
		}
	} else if err := d.place(ctx, set, &a, &r); err != nil {
		return r, err
	}
	if err := d.await(ctx, "PostgreSQL does not become ready", d.ready); err != nil {
		return r, err
	}
	d.Tell("taking the first backup after the restore")
	backups, err := d.Create(ctx)
	if err != nil {
		return r, fmt.Errorf("PostgreSQL is back, but the backup after it failed: %w", err)
	}
	r.Backup = backups[0]
	if err := d.scale(ctx, nil, 1); err != nil {
		return r, err
	}
	d.forget(ctx, a.job())
	return r, nil
}

func (a Attempt) job() string { return "postgres-restore-" + a.ID }

// place stops the database and puts the data of then in its place.
func (d *Database) place(ctx context.Context, set *appsv1.StatefulSet, a *Attempt, r *Restored) error {
	d.Tell("stopping PostgreSQL")
	if err := d.scale(ctx, a, 0); err != nil {
		return err
	}
	if err := d.await(ctx, "PostgreSQL does not end", d.gone); err != nil {
		return err
	}
	output, err := d.restoreJob(ctx, set, *a)
	if err != nil {
		if ctx.Err() != nil {
			return err
		}
		return d.takeBack(ctx, err)
	}
	if err := r.read(output); err != nil {
		return err
	}
	d.Tell("starting PostgreSQL")
	a.Placed = true
	return d.scale(ctx, a, 1)
}

// restoreJob runs the restore. One that failed before is made anew.
func (d *Database) restoreJob(ctx context.Context, set *appsv1.StatefulSet, a Attempt) (string, error) {
	template, err := d.template(ctx)
	if err != nil {
		return "", err
	}
	const kibi = 1 << 10
	job := template.job("restore", a.ID, "restore.sh",
		corev1.EnvVar{Name: "RESTORE_ID", Value: a.ID},
		corev1.EnvVar{Name: "RESTORE_TIME", Value: a.To.UTC().Format("2006-01-02 15:04:05.000000+00")},
		corev1.EnvVar{Name: "RESTORE_KIB", Value: strconv.FormatInt(a.Bytes/kibi, 10)})
	// The server itself runs in it.
	job.Spec.Template.Spec.Containers[0].Resources = set.Spec.Template.Spec.Containers[0].Resources
	found, err := d.Kube.BatchV1().Jobs(Namespace).Get(ctx, job.Name, metav1.GetOptions{})
	if err == nil && found.Status.Failed > 0 {
		if err := d.discard(ctx, job.Name); err != nil {
			return "", err
		}
	}
	return d.run(ctx, job)
}

// takeBack starts what was there: a restore that failed has changed nothing of it.
func (d *Database) takeBack(ctx context.Context, cause error) error {
	d.Tell("starting PostgreSQL as it was")
	err := d.scale(ctx, nil, 1)
	if err == nil {
		err = d.await(ctx, "PostgreSQL does not become ready", d.ready)
	}
	if err != nil {
		return fmt.Errorf("%w; and PostgreSQL, as it was, does not start: %w", cause, err)
	}
	return fmt.Errorf("%w; PostgreSQL is as it was", cause)
}

// discard removes a Job and waits until its pod is gone.
func (d *Database) discard(ctx context.Context, job string) error {
	policy := metav1.DeletePropagationForeground
	jobs := d.Kube.BatchV1().Jobs(Namespace)
	if err := jobs.Delete(ctx, job, metav1.DeleteOptions{PropagationPolicy: &policy}); err != nil {
		if apierrors.IsNotFound(err) {
			return nil
		}
		return fmt.Errorf("removing the job %s: %w", job, err)
	}
	return d.until(ctx, func(ctx context.Context) (bool, error) {
		_, err := jobs.Get(ctx, job, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return true, nil
		}
		return false, err
	})
}

// scale sets how many pods the database has, and notes the attempt; nil forgets it.
func (d *Database) scale(ctx context.Context, a *Attempt, pods int) error {
	var note any
	if a != nil {
		text, err := json.Marshal(a)
		if err != nil {
			return fmt.Errorf("noting the restore: %w", err)
		}
		note = string(text)
	}
	patch, err := json.Marshal(map[string]any{
		"metadata": map[string]any{"annotations": map[string]any{attemptKey: note}},
		"spec":     map[string]any{"replicas": pods},
	})
	if err != nil {
		return fmt.Errorf("noting the restore: %w", err)
	}
	_, err = d.Kube.AppsV1().StatefulSets(Namespace).Patch(ctx, database, types.MergePatchType, patch,
		metav1.PatchOptions{FieldManager: "wcctl-backup"})
	if err != nil {
		return fmt.Errorf("scaling PostgreSQL: %w", err)
	}
	return nil
}

func (d *Database) gone(ctx context.Context) (bool, error) {
	_, err := d.Kube.CoreV1().Pods(Namespace).Get(ctx, pod, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return true, nil
	}
	return false, err
}

// ready tells whether the database takes connections.
func (d *Database) ready(ctx context.Context) (bool, error) {
	set, err := d.Kube.AppsV1().StatefulSets(Namespace).Get(ctx, database, metav1.GetOptions{})
	if err != nil {
		return false, fmt.Errorf("looking at PostgreSQL: %w", err)
	}
	return set.Status.ObservedGeneration >= set.Generation && set.Status.ReadyReplicas == 1, nil
}

// read takes what restore.sh prints.
func (r *Restored) read(output string) error {
	for line := range strings.Lines(output) {
		line = strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(line, "rows: "):
			name, count, _ := strings.Cut(strings.TrimPrefix(line, "rows: "), " ")
			n, err := strconv.ParseInt(count, 10, 64)
			if err != nil {
				return fmt.Errorf("reading how many rows there are: %w", err)
			}
			r.Rows[name] = n
		case strings.HasPrefix(line, "last transaction: "):
			text := strings.TrimPrefix(line, "last transaction: ")
			if at, err := time.Parse("2006-01-02 15:04:05.999999-07", text); err == nil {
				r.Last = at.UTC()
			}
		case strings.HasPrefix(line, stepMark+"replaying to the end"):
			r.Short = true
		}
	}
	return nil
}
