package localmachine

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/google/renameio/v2"
)

// State is what a machine does now.
type State string

// The states. A machine that reboots is Booting for a moment.
const (
	Off     State = "off"
	Booting State = "booting"
	Running State = "running"
)

// Machine is a machine and how it is.
type Machine struct {
	Spec
	State State `json:"state"`
	// PID is the machine's systemd as this computer counts processes, 0 when it is off.
	PID int `json:"pid,omitempty"`
	// Supervisor is the process that keeps it.
	Supervisor int `json:"supervisor,omitempty"`
	// Boots counts how often it was started since it was made.
	Boots int `json:"boots"`
	// Since is when it last booted.
	Since time.Time `json:"since,omitzero"`
	// Faults are the test controls in force, e.g. network-cut.
	Faults []string `json:"faults,omitempty"`
}

// Lab is the folder with the machines of one cluster. Its methods may run in several processes at once.
type Lab struct{ dir string }

// Open returns the lab of a state folder, which need not exist.
func Open(stateDir string) (*Lab, error) {
	abs, err := filepath.Abs(stateDir)
	if err != nil {
		return nil, fmt.Errorf("finding state folder %s: %w", stateDir, err)
	}
	return &Lab{dir: filepath.Join(abs, "machines")}, nil
}

func (l *Lab) path(parts ...string) string {
	return filepath.Join(append([]string{l.dir}, parts...)...)
}

// stateOf is the state folder of a lab's folder.
func stateOf(dir string) string { return filepath.Dir(dir) }

// ConsolePath is the file with what the machine printed since it was made.
func (l *Lab) ConsolePath(name string) string { return l.path(name, consoleName) }

// The files of a machine.
const (
	specName       = "machine.json"
	runName        = "run.json"
	diskName       = "disk.img"
	consoleName    = "console.log"
	supervisorName = "supervisor.lock"
	logName        = "supervisor.log"
	mountName      = "mnt"
	// cutName is there while the power is being cut.
	cutName      = "cut"
	reservedName = "reserved.json"
)

// names are the machines that were made, in order.
func (l *Lab) names() ([]string, error) {
	entries, err := os.ReadDir(l.dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("reading the machines' folder: %w", err)
	}
	var names []string
	for _, e := range entries {
		if _, err := os.Stat(l.path(e.Name(), specName)); e.IsDir() && err == nil {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

func (l *Lab) spec(name string) (Spec, error) {
	var s Spec
	if err := ValidName(name); err != nil {
		return s, err
	}
	err := readJSON(l.path(name, specName), &s)
	if errors.Is(err, fs.ErrNotExist) {
		return s, fmt.Errorf("%s: %w", name, ErrUnknown)
	}
	return s, err
}

func (l *Lab) specs() ([]Spec, error) {
	names, err := l.names()
	if err != nil {
		return nil, err
	}
	var specs []Spec
	for _, name := range names {
		s, err := l.spec(name)
		if errors.Is(err, ErrUnknown) {
			continue // it is being deleted
		}
		if err != nil {
			return nil, err
		}
		specs = append(specs, s)
	}
	slices.SortFunc(specs, func(a, b Spec) int { return a.Address.Compare(b.Address) })
	return specs, nil
}

// List returns all machines by address.
func (l *Lab) List() ([]Machine, error) {
	specs, err := l.specs()
	if err != nil {
		return nil, err
	}
	machines := make([]Machine, 0, len(specs))
	for _, s := range specs {
		m, err := l.look(s)
		if err != nil {
			return nil, err
		}
		machines = append(machines, m)
	}
	return machines, nil
}

// Find returns one machine, or ErrUnknown.
func (l *Lab) Find(name string) (Machine, error) {
	s, err := l.spec(name)
	if err != nil {
		return Machine{}, err
	}
	return l.look(s)
}

func readJSON(path string, into any) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("reading %s: %w", path, err)
	}
	if err := json.Unmarshal(data, into); err != nil {
		return fmt.Errorf("reading %s: %w", path, err)
	}
	return nil
}

// writeJSON replaces the file in one step.
func writeJSON(path string, v any) error {
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	if err := renameio.WriteFile(path, append(data, '\n'), 0o600); err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	return nil
}
