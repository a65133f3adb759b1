package roster

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/wastecoach/wastecoach/internal/wcctl/workspace"
)

func TestNumbersAreNotGivenTwice(t *testing.T) {
	t.Parallel()
	var r Roster
	steps := []struct {
		retire, count int
		want          []int
	}{
		{0, 2, []int{1, 2}},
		{0, 3, []int{1, 2, 3}},
		{2, 2, []int{1, 3}},
		{2, 3, []int{1, 3, 4}},
		{1, 2, []int{3, 4}},
		{4, 1, []int{3}},
		{0, 2, []int{3, 5}},
	}
	for i, s := range steps {
		if s.retire > 0 {
			r.Retire(s.retire)
		}
		if got := r.Numbers(s.count); !slices.Equal(got, s.want) {
			t.Errorf("step %d: %v, want %v", i, got, s.want)
		}
	}
	if got := r.Names("demo", 1); !slices.Equal(got, []string{"demo-control-plane", "demo-worker-3"}) {
		t.Error(got)
	}
}

func TestNumber(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]int{
		"demo-worker-1": 1, "demo-worker-12": 12, "demo-worker-01": 0, "demo-worker-0": 0, "demo-worker-": 0,
		"demo-control-plane": 0, "other-worker-1": 0,
	} {
		got, ok := Number("demo", name)
		if ok != (want > 0) || ok && got != want {
			t.Errorf("%s: %d, %v", name, got, ok)
		}
	}
}

func TestSaved(t *testing.T) {
	t.Parallel()
	folder := workspace.Folder(t.TempDir())
	if r, err := Load(folder); err != nil || r.Retired != nil {
		t.Fatal(r, err)
	}
	want := Roster{Retired: []int{2}, Cordoned: []string{"demo-worker-2"}}
	if err := want.Save(folder); err != nil {
		t.Fatal(err)
	}
	got, err := Load(folder)
	if err != nil || !slices.Equal(got.Retired, want.Retired) || !slices.Equal(got.Cordoned, want.Cordoned) {
		t.Errorf("%+v, %v", got, err)
	}
	if err := os.WriteFile(filepath.Join(string(folder), fileName), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(folder); err == nil {
		t.Error("a broken file is taken for an empty roster")
	}
	if err := Remove(folder); err != nil {
		t.Error(err)
	}
	if err := Remove(folder); err != nil {
		t.Error(err)
	}
}
