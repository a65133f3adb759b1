// Package devstate is how a running `wcctl dev` tells other commands where it is.
package devstate

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/google/renameio/v2"
)

// State is one running stack.
type State struct {
	PID int `json:"pid"`
	// URL is the reverse proxy's, without a path, e.g. http://127.0.0.1:8080.
	URL string `json:"url"`
	// Replicas are the URLs of each service's replicas behind the proxy.
	Replicas map[string][]string `json:"replicas,omitempty"`
	// RedisAddr is host:port of the Redis that holds the jobs.
	RedisAddr string `json:"redis_addr,omitempty"`
	// RedisFirstDB is the number of the first of the four databases.
	RedisFirstDB int `json:"redis_first_db,omitempty"`
	// RedisPassword is empty for none; only the owner may read the file.
	RedisPassword string `json:"redis_password,omitempty"`
	// MetricsURLs are the /metrics pages by part, e.g. waste-worker-1.
	MetricsURLs map[string]string `json:"metrics_urls,omitempty"`
	// WasteToken opens the operator's routes of the waste service; only the owner may read the file.
	WasteToken string `json:"waste_token,omitempty"`
}

// Dir is where the stack keeps its data unless a flag says otherwise: WCCTL_DEV_DIR, else below
// /var/lib for root, else in the user's data directory.
func Dir(getenv func(string) string) string {
	if dir := getenv("WCCTL_DEV_DIR"); dir != "" {
		return dir
	}
	if os.Geteuid() == 0 {
		return "/var/lib/wastecoach/dev"
	}
	base := getenv("XDG_DATA_HOME")
	if !filepath.IsAbs(base) {
		base = filepath.Join(getenv("HOME"), ".local", "share")
	}
	return filepath.Join(base, "wastecoach", "dev")
}

// Path is the state file in the data directory dir.
func Path(dir string) string { return filepath.Join(dir, "run.json") }

// Read returns the state of the stack in dir; the error is fs.ErrNotExist where none runs. A stack
// that was killed leaves its file behind: whether it answers is for the caller to see.
func Read(dir string) (State, error) {
	data, err := os.ReadFile(Path(dir))
	if err != nil {
		return State{}, fmt.Errorf("reading the state of wcctl dev: %w", err)
	}
	var s State
	if err := json.Unmarshal(data, &s); err != nil {
		return State{}, fmt.Errorf("reading %s: %w", Path(dir), err)
	}
	return s, nil
}

// Write replaces the state in dir; a reader sees the old or the new one.
func Write(dir string, s State) error {
	data, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return fmt.Errorf("encoding the state of wcctl dev: %w", err)
	}
	if err := renameio.WriteFile(Path(dir), append(data, '\n'), 0o600); err != nil {
		return fmt.Errorf("writing the state of wcctl dev: %w", err)
	}
	return nil
}

// Remove forgets the state in dir.
func Remove(dir string) error {
	if err := os.Remove(Path(dir)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("removing the state of wcctl dev: %w", err)
	}
	return nil
}
