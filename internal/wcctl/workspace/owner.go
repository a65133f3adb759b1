package workspace

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"
)

// Owner is the cluster that a state folder is about: settings that tell it from any other cluster, by
// their path in the configuration.
type Owner map[string]string

// OtherClusterError is a configuration of another cluster than the folder's: with it, Terraform would
// delete the machines of the one to make those of the other.
type OtherClusterError struct {
	Folder Folder
	// Is and Was are what the configuration says and what the folder's cluster was made with.
	Is, Was Owner
}

// Error implements error.
func (e *OtherClusterError) Error() string {
	var differ []string
	for _, path := range slices.Sorted(maps.Keys(e.Was)) {
		if e.Was[path] != e.Is[path] {
			differ = append(differ, fmt.Sprintf("%s is %q there and %q here", path, e.Was[path], e.Is[path]))
		}
	}
	return fmt.Sprintf("%s holds another cluster: %s", e.Folder, strings.Join(differ, ", "))
}

func (f Folder) owner() string { return f.path("cluster.json") }

// BelongsTo returns an *OtherClusterError where the folder is about another cluster; one without a
// cluster is anybody's.
func (f Folder) BelongsTo(o Owner) error {
	data, err := readIfAny(f.owner())
	if err != nil {
		return fmt.Errorf("reading whose the state folder is: %w", err)
	}
	if data == nil {
		return nil
	}
	var was Owner
	if err := json.Unmarshal(data, &was); err != nil {
		return fmt.Errorf("reading %s: %w", f.owner(), err)
	}
	if !maps.Equal(was, o) {
		return &OtherClusterError{Folder: f, Is: o, Was: was}
	}
	return nil
}

// GiveTo makes the folder a cluster's, before anything of it is made.
func (f Folder) GiveTo(o Owner) error {
	data, err := json.Marshal(o)
	if err != nil {
		return fmt.Errorf("noting whose the state folder is: %w", err)
	}
	return WriteFile(f.owner(), append(data, '\n'))
}

// GiveBack makes the folder nobody's: its cluster is gone.
func (f Folder) GiveBack() error {
	if err := os.Remove(f.owner()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("forgetting whose the state folder was: %w", err)
	}
	return nil
}
