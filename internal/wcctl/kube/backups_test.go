package kube

import (
	"testing"
	"time"

	"k8s.io/client-go/kubernetes/fake"
)

func TestTheClusterKnowsItsNewestBackup(t *testing.T) {
	t.Parallel()
	c := &Cluster{client: fake.NewClientset(), slow: map[string]remembered{}}
	if b, err := c.Backup(t.Context()); err != nil || !b.At.IsZero() {
		t.Fatalf("before the first: %+v, %v", b, err)
	}
	first := Backup{At: began, File: "/a", Computer: "desk", Bytes: 7, Revision: 9}
	second := Backup{At: began.Add(time.Hour), File: "/b", Computer: "ci", Bytes: 8, Revision: 10}
	for _, step := range []struct{ record, want Backup }{{first, first}, {second, second}, {first, second}} {
		if err := c.RecordBackup(t.Context(), step.record); err != nil {
			t.Fatal(err)
		}
		if got, err := c.Backup(t.Context()); err != nil || got != step.want {
			t.Errorf("after %s: %+v, %v, want %+v", step.record.File, got, err, step.want)
		}
	}
}
