// Package roster remembers which workers a cluster has, where wastecoach.yaml only says how many.
package roster

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/wastecoach/wastecoach/internal/wcctl/workspace"
)

// fileName is the roster's in the state folder.
const fileName = "nodes.json"

// Roster is what the state folder knows of the nodes.
type Roster struct {
	// Retired are the numbers of removed workers; they are not given to new ones.
	Retired []int `json:"retired,omitempty"`
	// Wanted is the number that wastecoach.yaml shall hold, while it is being written; else 0.
	Wanted int `json:"wanted,omitempty"`
	// Cordoned are the nodes that wcctl cordoned and has not opened again.
	Cordoned []string `json:"cordoned,omitempty"`
}

// Load reads the roster; without a file it is empty.
func Load(folder workspace.Folder) (Roster, error) {
	var r Roster
	text, err := os.ReadFile(path(folder))
	if errors.Is(err, fs.ErrNotExist) {
		return r, nil
	}
	if err != nil {
		return r, fmt.Errorf("reading which workers there are: %w", err)
	}
	if err := json.Unmarshal(text, &r); err != nil {
		return r, fmt.Errorf("reading %s: %w", path(folder), err)
	}
	return r, nil
}

// Save writes the roster.
func (r Roster) Save(folder workspace.Folder) error {
	text, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("keeping which workers there are: %w", err)
	}
	return workspace.WriteFile(path(folder), text)
}

// Remove forgets the roster: the next cluster begins with worker 1.
func Remove(folder workspace.Folder) error {
	if err := os.Remove(path(folder)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("forgetting which workers there were: %w", err)
	}
	return nil
}

func path(folder workspace.Folder) string { return filepath.Join(string(folder), fileName) }

// Retire takes a worker's number out of use.
func (r *Roster) Retire(number int) {
	if !slices.Contains(r.Retired, number) {
		r.Retired = append(r.Retired, number)
		slices.Sort(r.Retired)
	}
}

// Numbers are those of count workers: the lowest that are not retired.
func (r *Roster) Numbers(count int) []int {
	var numbers []int
	for n := 1; len(numbers) < count; n++ {
		if !slices.Contains(r.Retired, n) {
			numbers = append(numbers, n)
		}
	}
	return numbers
}

// Names are those of a cluster's machines, the control plane first.
func (r *Roster) Names(cluster string, workers int) []string {
	names := []string{cluster + "-control-plane"}
	for _, n := range r.Numbers(workers) {
		names = append(names, Worker(cluster, n))
	}
	return names
}

// Worker is the name of a worker.
func Worker(cluster string, number int) string {
	return cluster + "-worker-" + strconv.Itoa(number)
}

// Number is that of a worker's name.
func Number(cluster, name string) (number int, ok bool) {
	text, found := strings.CutPrefix(name, cluster+"-worker-")
	number, err := strconv.Atoi(text)
	return number, found && err == nil && number > 0 && Worker(cluster, number) == name
}
