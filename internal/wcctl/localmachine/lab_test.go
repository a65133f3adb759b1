package localmachine_test

import (
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	"github.com/wastecoach/wastecoach/internal/wcctl/localmachine"
	"github.com/wastecoach/wastecoach/internal/wcctl/roster"
)

func openLab(t *testing.T) (*localmachine.Lab, string) {
	t.Helper()
	dir := t.TempDir()
	lab, err := localmachine.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return lab, dir
}

func TestReserveAnswersTheSameUntilDeletion(t *testing.T) {
	t.Parallel()
	lab, dir := openLab(t)
	var known roster.Roster
	names := known.Names("reserve", 2)
	first, err := lab.Reserve(names)
	if err != nil {
		t.Fatal(err)
	}
	ports := map[int]bool{}
	for i, name := range names {
		r := first[name]
		if r.ID == "" || r.SSHPort == 0 || (r.APIPort != 0) != (i == 0) {
			t.Errorf("%s got %+v", name, r)
		}
		if ports[r.SSHPort] || ports[r.APIPort] && r.APIPort != 0 {
			t.Errorf("%s got a port twice: %+v", name, first)
		}
		ports[r.SSHPort], ports[r.APIPort] = true, true
	}
	again, err := lab.Reserve(known.Names("reserve", 3))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if again[name] != first[name] {
			t.Errorf("%s got %+v, then %+v", name, first[name], again[name])
		}
	}
	if err := os.RemoveAll(filepath.Join(dir, "machines")); err != nil {
		t.Fatal(err)
	}
	third, err := lab.Reserve(names)
	if err != nil {
		t.Fatal(err)
	}
	if third[names[0]].ID == first[names[0]].ID {
		t.Errorf("a machine that is gone kept its id %s", first[names[0]].ID)
	}
	if third[names[0]].SSHPort != first[names[0]].SSHPort {
		t.Errorf("the same name got port %d, then %d", first[names[0]].SSHPort, third[names[0]].SSHPort)
	}
}

func TestNoMachines(t *testing.T) {
	t.Parallel()
	lab, _ := openLab(t)
	machines, err := lab.List()
	if err != nil || len(machines) != 0 {
		t.Errorf("got %v, %v", machines, err)
	}
}

func TestValidName(t *testing.T) {
	t.Parallel()
	for name, valid := range map[string]bool{
		"lab-worker-1": true, "a": true, "1": true, "": false, "-a": false, "a-": false, "A": false,
		"a.b": false, "../a": false, "a/b": false, "a_b": false,
	} {
		if err := localmachine.ValidName(name); (err == nil) != valid {
			t.Errorf("%q: %v", name, err)
		}
	}
}

// spec is a machine that shares neither name nor network with another test's.
func spec(cluster, name string) localmachine.Spec {
	return localmachine.Spec{
		Name: name, Cluster: cluster, Subnet: netip.MustParsePrefix("10.99.0.0/24"), DiskGiB: 2,
		AuthorizedKey: "ssh-ed25519 AAAA test",
	}
}
