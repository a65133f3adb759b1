package localmachine

import (
	"net/netip"
	"slices"
	"testing"
)

func TestParentIn(t *testing.T) {
	t.Parallel()
	for stat, want := range map[string]int{
		"12 (systemd) S 7 12 12 0":   7,
		"12 (a) b) (c) R 3 12 12":    3,
		"12 (systemd) Z 7 12 12 0":   0,
		"12 (systemd":                0,
		"":                           0,
		"12 (systemd) S x 12":        0,
		"12 (tab\tin it) S 99 12 12": 99,
	} {
		if got := parentIn(stat); got != want {
			t.Errorf("%q: got %d, want %d", stat, got, want)
		}
	}
}

func TestSpecIsRefused(t *testing.T) {
	t.Parallel()
	good := Spec{
		Name: "a", Cluster: "lab", Subnet: netip.MustParsePrefix("10.0.0.0/24"), DiskGiB: 20,
		Address: netip.MustParseAddr("10.0.0.11"), AuthorizedKey: "ssh-ed25519 AAAA me\n",
	}
	if err := good.validate(); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*Spec){
		"name":         func(s *Spec) { s.Name = "A" },
		"cluster":      func(s *Spec) { s.Cluster = "a/b" },
		"no subnet":    func(s *Spec) { s.Subnet = netip.Prefix{} },
		"IPv6":         func(s *Spec) { s.Subnet = netip.MustParsePrefix("fd00::/64") },
		"host bits":    func(s *Spec) { s.Subnet = netip.MustParsePrefix("10.0.0.1/24") },
		"small subnet": func(s *Spec) { s.Subnet = netip.MustParsePrefix("10.0.0.0/29") },
		"gateway":      func(s *Spec) { s.Address = netip.MustParseAddr("10.0.0.1") },
		"outside":      func(s *Spec) { s.Address = netip.MustParseAddr("10.0.1.11") },
		"disk":         func(s *Spec) { s.DiskGiB = 1 },
		"no key":       func(s *Spec) { s.AuthorizedKey = "" },
		"two keys":     func(s *Spec) { s.AuthorizedKey = "ssh-ed25519 A\nssh-ed25519 B" },
	} {
		s := good
		change(&s)
		if err := s.validate(); err == nil {
			t.Errorf("%s: not refused", name)
		}
	}
}

func TestSpecDiffers(t *testing.T) {
	t.Parallel()
	s := Spec{
		Name: "a", Cluster: "lab", ID: "1", Subnet: netip.MustParsePrefix("10.0.0.0/24"), DiskGiB: 20,
		Address: netip.MustParseAddr("10.0.0.11"), AuthorizedKey: "ssh-ed25519 AAAA me", SSHPort: 1,
	}
	if got := s.differs(Spec{Name: "a"}); got != nil {
		t.Errorf("what was left open differs: %v", got)
	}
	if got := s.differs(s); got != nil {
		t.Errorf("a machine differs from itself: %v", got)
	}
	got := s.differs(Spec{
		Name: "a", ID: "2", DiskGiB: 10, AuthorizedKey: "ssh-ed25519 BBBB me", ControlPlane: true,
	})
	if want := []string{"id", "role", "disk", "authorized key"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestNamesFitTheKernel(t *testing.T) {
	t.Parallel()
	const longest = 15 // IFNAMSIZ without its end
	s := Spec{
		Name:    "a-machine-with-a-name-that-is-nearly-as-long-as-a-host-name-can-be",
		Address: netip.MustParseAddr("255.255.255.254"),
	}
	if got := s.port(); len(got) > longest {
		t.Errorf("interface name %q is too long", got)
	}
}
