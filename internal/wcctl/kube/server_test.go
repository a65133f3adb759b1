package kube

import (
	"reflect"
	"testing"
)

func TestServerMetrics(t *testing.T) {
	t.Parallel()
	got := parseServerMetrics(`# HELP apiserver_audit_event_total Counter of audit events generated.
# TYPE apiserver_audit_event_total counter
apiserver_audit_event_total 1417
apiserver_storage_size_bytes{storage_cluster_id="etcd-0"} 4.046848e+06
apiserver_storage_transformation_operations_total{resource="secrets",status="OK",` +
		`transformation_type="to_storage",transformer_prefix="k8s:enc:secretbox:v1:"} 4
apiserver_storage_transformation_operations_total{resource="secrets",status="OK",` +
		`transformation_type="to_storage",transformer_prefix="key1:"} 4
apiserver_storage_transformation_operations_total{resource="secrets",status="OK",` +
		`transformation_type="to_storage",transformer_prefix=""} 1
apiserver_storage_transformation_operations_total{resource="secrets",status="OK",` +
		`transformation_type="from_storage",transformer_prefix="identity"} 2
apiserver_storage_transformation_operations_total{resource="secrets",status="Unknown",` +
		`transformation_type="from_storage",transformer_prefix="unknown"} 9
apiserver_storage_transformation_operations_total{resource="configmaps",status="OK",` +
		`transformation_type="to_storage",transformer_prefix="identity"} 5
apiserver_request_total{code="200"} 3
apiserver_storage_broken
`)
	want := serverMetrics{
		databaseBytes: 4046848, auditEvents: 1417,
		secretsWritten: map[string]int64{"secretbox": 4, "identity": 1},
		secretsRead:    map[string]int64{"identity": 2},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
}

func TestFailedChecks(t *testing.T) {
	t.Parallel()
	for body, want := range map[string][]string{
		"[+]ping ok\n[-]etcd failed: reason withheld\n[-]etcd-readiness failed: x\nreadyz check failed\n": {
			"etcd", "etcd-readiness",
		},
		"shutting down\n": {"shutting down"},
	} {
		if got := failedChecks(body); !reflect.DeepEqual(got, want) {
			t.Errorf("%q: %q", body, got)
		}
	}
}
