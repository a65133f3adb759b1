package observer

import (
	"context"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// Where the cluster knows of its backups: internal/wcctl/kube writes the first, charts/data has the second.
const (
	noteNamespace = metav1.NamespaceSystem
	noteName      = "wastecoach-backups"
	noteKey       = "at"
	cronNamespace = "data"
	cronName      = "postgres-backup"
)

var backupTaken = prometheus.NewDesc("backup_taken_timestamp_seconds",
	"When the newest backup was taken, 0 where there is none. What needs no backups has no series.",
	[]string{"of"}, nil)

// backups is asked anew with each scrape. An error fails the scrape: a wrong age would calm.
type backups struct{ client kubernetes.Interface }

// Describe implements prometheus.Collector.
func (backups) Describe(ch chan<- *prometheus.Desc) { ch <- backupTaken }

// Collect implements prometheus.Collector.
func (b backups) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), askTimeout)
	defer cancel()
	for of, ask := range map[string]func(context.Context) (at time.Time, due bool, err error){
		"control-plane": b.controlPlane, "postgres": b.postgres,
	} {
		at, due, err := ask(ctx)
		switch {
		case err != nil:
			ch <- prometheus.NewInvalidMetric(backupTaken, err)
		case due && at.IsZero():
			ch <- prometheus.MustNewConstMetric(backupTaken, prometheus.GaugeValue, 0, of)
		case due:
			ch <- prometheus.MustNewConstMetric(backupTaken, prometheus.GaugeValue, float64(at.Unix()), of)
		}
	}
}

func (b backups) controlPlane(ctx context.Context) (time.Time, bool, error) {
	note, err := b.client.CoreV1().ConfigMaps(noteNamespace).Get(ctx, noteName, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return time.Time{}, true, nil
	}
	if err != nil {
		return time.Time{}, false, fmt.Errorf("reading when the last backup was: %w", err)
	}
	at, err := time.Parse(time.RFC3339, note.Data[noteKey])
	if err != nil {
		return time.Time{}, false, fmt.Errorf("reading the ConfigMap %s: %w", noteName, err)
	}
	return at, true, nil
}

// postgres has no CronJob where the database is outside or its backups are off.
func (b backups) postgres(ctx context.Context) (time.Time, bool, error) {
	cron, err := b.client.BatchV1().CronJobs(cronNamespace).Get(ctx, cronName, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return time.Time{}, false, nil
	case err != nil:
		return time.Time{}, false, fmt.Errorf("reading when the last backup of PostgreSQL was: %w", err)
	case cron.Status.LastSuccessfulTime == nil:
		return time.Time{}, true, nil
	}
	return cron.Status.LastSuccessfulTime.Time, true, nil
}
