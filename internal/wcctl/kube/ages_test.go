package kube

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestAges(t *testing.T) {
	t.Parallel()
	ages := Ages{Path: filepath.Join(t.TempDir(), "ages.json")}
	look := func(state State, own time.Time, at int) time.Time {
		t.Helper()
		conditions := []Condition{{Name: "dns", State: state, Since: own}}
		if err := ages.Fill(conditions, began.Add(time.Duration(at)*time.Minute)); err != nil {
			t.Fatal(err)
		}
		return conditions[0].Since.UTC()
	}
	minute := func(n int) time.Time { return began.Add(time.Duration(n) * time.Minute) }
	for i, step := range []struct {
		state State
		own   time.Time
		want  time.Time
	}{
		{OK, time.Time{}, minute(0)},
		{OK, time.Time{}, minute(0)},
		{Failing, time.Time{}, minute(2)},
		{Failing, minute(-5), minute(-5)},
		{Failing, time.Time{}, minute(2)},
		{OK, time.Time{}, minute(5)},
	} {
		if got := look(step.state, step.own, i); !got.Equal(step.want) {
			t.Errorf("look %d: since %s, want %s", i, got, step.want)
		}
	}
}

func TestBrokenAgesAreReplaced(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "ages.json")
	if err := os.WriteFile(path, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	conditions := []Condition{{Name: "dns", State: OK}}
	if err := (Ages{Path: path}).Fill(conditions, began); err != nil {
		t.Fatal(err)
	}
	if known, err := (Ages{Path: path}).read(); err != nil || known["dns"].State != OK {
		t.Errorf("%v, %v", known, err)
	}
}
