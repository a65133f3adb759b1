package doctor

import (
	"flag"
	"os"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the golden files")

const page = "../../../docs/cluster/doctor.md"

func TestThePageIsTheCatalog(t *testing.T) {
	t.Parallel()
	got := Document()
	if *update {
		if err := os.WriteFile(page, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s is old: go test ./internal/wcctl/doctor -update", page)
	}
}
