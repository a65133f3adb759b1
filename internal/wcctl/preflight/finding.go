package preflight

// Severity says whether a finding stops `wcctl up`.
type Severity string

// The severities.
const (
	Error   Severity = "error"
	Warning Severity = "warning"
)

// ID names a check; docs/cluster/preflight.md describes each.
type ID string

// The checks.
const (
	OSKind        ID = "os"
	OSOld         ID = "os-old"
	Distribution  ID = "distribution"
	Systemd       ID = "systemd"
	Python        ID = "python"
	Architecture  ID = "architecture"
	CPU           ID = "cpu"
	Memory        ID = "memory"
	DiskSmall     ID = "disk-small"
	DiskFull      ID = "disk-full"
	PortUsed      ID = "port-used"
	ClockSkew     ID = "clock-skew"
	Swap          ID = "swap"
	Cgroup        ID = "cgroup"
	Kernel        ID = "kernel"
	Module        ID = "module"
	Inotify       ID = "inotify"
	DNSLoop       ID = "dns-loop"
	Firewall      ID = "firewall"
	Address       ID = "address"
	SameMachine   ID = "same-machine"
	SameHostname  ID = "same-hostname"
	SameMachineID ID = "same-machine-id"
	SameUUID      ID = "same-product-uuid"
	SameAddress   ID = "same-address"
	Runtime       ID = "container-runtime"
	OtherCluster  ID = "other-cluster"
	Leftovers     ID = "leftovers"
)

// IDs are all checks in the order in which they are reported.
func IDs() []ID {
	return []ID{
		OSKind, OSOld, Distribution, Systemd, Python, Architecture, CPU, Memory, DiskSmall, DiskFull,
		PortUsed, ClockSkew, Swap, Cgroup, Kernel, Module, Inotify, DNSLoop, Firewall, Address,
		SameMachine, SameHostname, SameMachineID, SameUUID, SameAddress, Runtime, OtherCluster, Leftovers,
	}
}

// Finding is something in the way of a cluster.
type Finding struct {
	Host     string   `json:"host"`
	ID       ID       `json:"id"`
	Severity Severity `json:"severity"`
	Text     string   `json:"text"`
	// Hint is a command to paste, or a short list of them, one per line; it may be empty.
	Hint string `json:"hint,omitempty"`
}

// String is the finding on one line.
func (f Finding) String() string {
	return f.Host + ": " + f.Text + " [" + string(f.ID) + "]"
}
