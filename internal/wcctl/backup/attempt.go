package backup

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/gofrs/uuid/v5"

	"github.com/wastecoach/wastecoach/internal/wcctl/workspace"
)

// Attempt is a restore that was begun and has not ended: the same file goes on where it was. The
// control plane notes the ID of what was put in place there.
type Attempt struct {
	ID string `json:"id"`
	// SHA256 is the backup's.
	SHA256 string `json:"sha256"`
	path   string
}

const attemptName = "restore.json"

// Resume finds the attempt with that backup; nil where there is none, or one with another file.
func Resume(folder workspace.Folder, sum string) (*Attempt, error) {
	a := &Attempt{path: filepath.Join(string(folder), attemptName)}
	data, err := os.ReadFile(a.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil //nolint:nilnil // nothing was begun is no error
	}
	if err != nil {
		return nil, fmt.Errorf("reading how far a restore came: %w", err)
	}
	if err := json.Unmarshal(data, a); err != nil || a.SHA256 != sum {
		return nil, nil //nolint:nilerr,nilnil // what was begun with another file does not go on
	}
	return a, nil
}

// NewAttempt is one that nothing is written of before Begin.
func NewAttempt(folder workspace.Folder, sum string) (*Attempt, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return nil, fmt.Errorf("naming the restore: %w", err)
	}
	return &Attempt{ID: id.String(), SHA256: sum, path: filepath.Join(string(folder), attemptName)}, nil
}

// Begin notes the attempt.
func (a *Attempt) Begin() error {
	data, err := json.Marshal(a)
	if err != nil {
		return fmt.Errorf("noting the restore: %w", err)
	}
	return workspace.WriteFile(a.path, data)
}

// End forgets it.
func (a *Attempt) End() error {
	if err := os.Remove(a.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("forgetting the restore: %w", err)
	}
	return nil
}
