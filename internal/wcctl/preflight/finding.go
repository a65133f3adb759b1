package preflight

import (
	"errors"

	"github.com/wastecoach/wastecoach/internal/wcctl/remote"
)

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
	SSH           ID = "ssh"
	OSKind        ID = "os"
	OSOld         ID = "os-old"
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
	Address       ID = "address"
	SameMachine   ID = "same-machine"
	SameHostname  ID = "same-hostname"
	SameMachineID ID = "same-machine-id"
	SameUUID      ID = "same-product-uuid"
	SameAddress   ID = "same-address"
	OtherCluster  ID = "other-cluster"
	Leftovers     ID = "leftovers"
)

// IDs are all checks in the order in which they are reported.
func IDs() []ID {
	return []ID{
		SSH, OSKind, OSOld, Systemd, Python, Architecture, CPU, Memory, DiskSmall, DiskFull, PortUsed,
		ClockSkew, Swap, Cgroup, Kernel, Module, Inotify, DNSLoop, Address, SameMachine, SameHostname,
		SameMachineID, SameUUID, SameAddress, OtherCluster, Leftovers,
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

// Failed tells whether a finding stops the run.
func Failed(findings []Finding) bool {
	for _, f := range findings {
		if f.Severity == Error {
			return true
		}
	}
	return false
}

// Unreachable makes findings of the errors of remote.DialAll; others come back as they are.
func Unreachable(err error) ([]Finding, error) {
	if err == nil {
		return nil, nil
	}
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return one(err)
	}
	var findings []Finding
	var rest error
	for _, err := range joined.Unwrap() {
		found, other := one(err)
		findings = append(findings, found...)
		rest = errors.Join(rest, other)
	}
	return findings, rest
}

func one(err error) ([]Finding, error) {
	var e *remote.Error
	if !errors.As(err, &e) {
		return nil, err
	}
	return []Finding{{
		Host: e.Host, ID: SSH, Severity: Error, Text: e.Cause.Error(), Hint: e.Hint,
	}}, nil
}
