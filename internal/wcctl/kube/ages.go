package kube

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/wastecoach/wastecoach/internal/wcctl/workspace"
)

// Ages remembers in a file since when conditions are in their states, where no object tells.
type Ages struct{ Path string }

type age struct {
	State State     `json:"state"`
	Since time.Time `json:"since"`
}

// Fill sets what Since leaves open, and remembers it for the next look.
func (a Ages) Fill(conditions []Condition, now time.Time) error {
	known, err := a.read()
	changed := err != nil
	next := map[string]age{}
	for i := range conditions {
		c := &conditions[i]
		before, found := known[c.Name]
		if !found || before.State != c.State {
			before = age{State: c.State, Since: now}
			changed = true
		}
		next[c.Name] = before
		if c.Since.IsZero() {
			c.Since = before.Since
		}
	}
	if !changed {
		return nil
	}
	return a.write(next)
}

func (a Ages) read() (map[string]age, error) {
	text, err := os.ReadFile(a.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the conditions' ages: %w", err)
	}
	var known map[string]age
	if err := json.Unmarshal(text, &known); err != nil {
		return nil, fmt.Errorf("reading the conditions' ages in %s: %w", a.Path, err)
	}
	return known, nil
}

func (a Ages) write(ages map[string]age) error {
	text, err := json.Marshal(ages)
	if err != nil {
		return fmt.Errorf("keeping the conditions' ages: %w", err)
	}
	return workspace.WriteFile(a.Path, text)
}
