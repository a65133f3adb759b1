package kube

import (
	"context"
	"fmt"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// BackupDue is the age from which on the newest backup is too old: one a day, and an hour for it.
const BackupDue = 25 * time.Hour

// The ConfigMap in kube-system that tells everybody of the newest backup, whoever took it wherever.
const (
	backupsName    = "wastecoach-backups"
	backupAtKey    = "at"
	backupFileKey  = "file"
	backupBytesKey = "bytes"
	backupRevision = "revision"
	backupOnKey    = "computer"
	backupLookAge  = time.Minute
	backupCommand  = "wcctl backup create"
)

// Where the CronJob is that backs PostgreSQL up: charts/data's.
const (
	DatabaseNamespace = "data"
	DatabaseCronJob   = "postgres-backup"
	databaseCommand   = "wcctl backup create postgres"
)

// DatabaseBackup is what the cluster knows of the newest backup of its PostgreSQL.
type DatabaseBackup struct {
	// Due tells that there should be some: the database is in the cluster, and its backups are not off.
	Due bool
	// At is zero where there is none.
	At time.Time
}

// Backup is what the cluster knows of its newest backup; At is zero where there is none.
type Backup struct {
	At time.Time
	// File is its path on Computer, which may not be there any more.
	File, Computer  string
	Bytes, Revision int64
}

// RecordBackup notes a backup, unless a newer one is noted.
func (c *Cluster) RecordBackup(ctx context.Context, b Backup) error {
	maps := c.client.CoreV1().ConfigMaps(metav1.NamespaceSystem)
	found, err := maps.Get(ctx, backupsName, metav1.GetOptions{})
	missing := apierrors.IsNotFound(err)
	if err != nil && !missing {
		return fmt.Errorf("reading when the last backup was: %w", err)
	}
	if missing {
		found = &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{
			Name: backupsName, Namespace: metav1.NamespaceSystem,
			Labels: map[string]string{"app.kubernetes.io/managed-by": "wcctl"},
		}}
	} else if known, err := backupOf(found); err == nil && known.At.After(b.At) {
		return nil
	}
	found.Data = map[string]string{
		backupAtKey: b.At.UTC().Format(time.RFC3339), backupFileKey: b.File, backupOnKey: b.Computer,
		backupBytesKey: strconv.FormatInt(b.Bytes, 10), backupRevision: strconv.FormatInt(b.Revision, 10),
	}
	if missing {
		_, err = maps.Create(ctx, found, metav1.CreateOptions{})
	} else {
		_, err = maps.Update(ctx, found, metav1.UpdateOptions{})
	}
	if err != nil {
		return fmt.Errorf("noting the backup in the cluster: %w", err)
	}
	return nil
}

// Backup reads what the cluster knows of its newest backup.
func (c *Cluster) Backup(ctx context.Context) (Backup, error) {
	found, err := c.client.CoreV1().ConfigMaps(metav1.NamespaceSystem).Get(ctx, backupsName, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return Backup{}, nil
	}
	if err != nil {
		return Backup{}, fmt.Errorf("reading when the last backup was: %w", err)
	}
	return backupOf(found)
}

// DatabaseBackup reads it from the CronJob, which counts those that were taken by hand, too.
func (c *Cluster) DatabaseBackup(ctx context.Context) (DatabaseBackup, error) {
	cron, err := c.client.BatchV1().CronJobs(DatabaseNamespace).Get(ctx, DatabaseCronJob, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return DatabaseBackup{}, nil
	case err != nil:
		return DatabaseBackup{}, fmt.Errorf("reading when the last backup of PostgreSQL was: %w", err)
	case cron.Status.LastSuccessfulTime == nil:
		return DatabaseBackup{Due: true}, nil
	}
	return DatabaseBackup{Due: true, At: cron.Status.LastSuccessfulTime.Time}, nil
}

func backupOf(m *corev1.ConfigMap) (Backup, error) {
	at, err := time.Parse(time.RFC3339, m.Data[backupAtKey])
	if err != nil {
		return Backup{}, fmt.Errorf("reading the ConfigMap %s: %w", backupsName, err)
	}
	b := Backup{At: at, File: m.Data[backupFileKey], Computer: m.Data[backupOnKey]}
	b.Bytes, _ = strconv.ParseInt(m.Data[backupBytesKey], 10, 64)    // the time is what counts
	b.Revision, _ = strconv.ParseInt(m.Data[backupRevision], 10, 64) // as above
	return b, nil
}

// backupAt is for looks that are repeated every few seconds; zero where nothing is known.
func (c *Cluster) backupAt(ctx context.Context) time.Time {
	return recall(c, "backup", func() (time.Time, time.Duration) {
		b, err := c.Backup(ctx)
		if err != nil {
			return time.Time{}, 0
		}
		return b.At, backupLookAge
	})
}

// databaseBackupAt is backupAt for PostgreSQL.
func (c *Cluster) databaseBackupAt(ctx context.Context) time.Time {
	return recall(c, "database-backup", func() (time.Time, time.Duration) {
		b, err := c.DatabaseBackup(ctx)
		if err != nil {
			return time.Time{}, 0
		}
		return b.At, backupLookAge
	})
}

// judgeBackups tells of the control plane's first: without it there is no cluster.
func judgeBackups(s *snapshot, _ Options) Condition {
	c := judgeBackup(s)
	if c.State != OK {
		return c
	}
	b, age := s.databaseBackup.value, s.at.Sub(s.databaseBackup.value.At)
	switch {
	case s.databaseBackup.err != nil:
		return unknown(s.databaseBackup.err)
	case !b.Due:
	case b.At.IsZero():
		return warning(databaseCommand, "there is no backup of PostgreSQL")
	case age > BackupDue:
		return warning(databaseCommand, "the newest backup of PostgreSQL is %s old", hours(age))
	default:
		c.Message += "; PostgreSQL's is " + hours(age) + " old"
	}
	return c
}

func judgeBackup(s *snapshot) Condition {
	b, age := s.backup.value, s.at.Sub(s.backup.value.At)
	switch {
	case s.backup.err != nil:
		return unknown(s.backup.err)
	case b.At.IsZero():
		return warning(backupCommand, "there is no backup of the control plane")
	case age > BackupDue:
		return warning(backupCommand, "the newest backup is %s old", hours(age))
	}
	return ok(b.At, "the newest is %s old, %d KiB on %s", hours(age), b.Bytes>>10, b.Computer)
}

// hours is an age that does not change with every look.
func hours(age time.Duration) string {
	const long = 48 * time.Hour
	switch {
	case age < time.Hour:
		return "less than an hour"
	case age < long:
		return count(int(age/time.Hour), "hour")
	}
	return count(int(age/day), "day")
}

// Ready asks the API server whether it is ready to serve.
func (c *Cluster) Ready(ctx context.Context) error {
	_, _, err := c.get(ctx, "/readyz")
	return err
}
