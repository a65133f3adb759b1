package terraform

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/wastecoach/wastecoach/internal/wcctl/event"
)

const (
	stateFile  = "terraform.tfstate"
	backupFile = stateFile + ".backup"
	tornFile   = stateFile + ".torn"
)

// backendRecord is where terraform notes which backend the folder is initialized for.
var backendRecord = filepath.Join(".terraform", stateFile)

// checkState refuses to go on where a state is not what terraform last knew: it would make the
// machines a second time.
func (c *Client) checkState(sink event.Sink) error {
	const act = "reading Terraform's state"
	if _, err := os.Stat(c.path(ErroredState)); err == nil {
		errored := c.shown(ErroredState)
		return &Error{
			Act: act, Cause: fmt.Errorf("the last run could not store it and left %s", errored),
			Hint: fmt.Sprintf("%s && mv %s %s.pushed",
				c.command("state push "+ErroredState), errored, errored),
		}
	}
	if err := c.dropTornRecord(); err != nil {
		return &Error{Act: act, Cause: err}
	}
	state, err := os.ReadFile(c.path(stateFile))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return &Error{Act: act, Cause: err}
	}
	// Terraform makes the file empty when it locks a new state.
	if _, err := os.Stat(c.path(backupFile)); err != nil && len(state) == 0 || json.Valid(state) {
		return nil
	}
	if !c.options.Repeatable {
		return c.tornState(act)
	}
	if err := c.restoreState(sink); err != nil {
		return &Error{Act: act, Cause: err}
	}
	return nil
}

// dropTornRecord lets terraform write its record of the backend anew; it cannot even initialize
// where a run was killed while it wrote it.
func (c *Client) dropTornRecord() error {
	record, err := os.ReadFile(c.path(backendRecord))
	if errors.Is(err, os.ErrNotExist) || err == nil && json.Valid(record) {
		return nil
	}
	if err != nil {
		return err
	}
	return os.Remove(c.path(backendRecord))
}

// hasBackup tells whether terraform's last state but one can be read.
func (c *Client) hasBackup() bool {
	backup, err := os.ReadFile(c.path(backupFile))
	return err == nil && json.Valid(backup)
}

// tornState leaves it to the user: what the lost state knew may exist and cost money.
func (c *Client) tornState(act string) error {
	fault := &Error{
		Act:   act,
		Cause: fmt.Errorf("%s is torn: a run was killed while it wrote it", c.shown(stateFile)),
		Hint:  fmt.Sprintf("mv %s %s", c.shown(stateFile), c.shown(tornFile)),
	}
	if c.hasBackup() {
		fault.Hint = fmt.Sprintf("cp %s %s", c.shown(backupFile), c.shown(stateFile))
	}
	return fault
}

// restoreState goes back to the backup, or to none. The torn state is kept beside it.
func (c *Client) restoreState(sink event.Sink) error {
	text := "a killed run has torn Terraform's state; what it knew is made once more"
	if err := os.Rename(c.path(stateFile), c.path(tornFile)); err != nil {
		return err
	}
	if c.hasBackup() {
		text = "a killed run has torn Terraform's state, and its backup was put back; " +
			"what was made since is made once more"
		backup, err := os.ReadFile(c.path(backupFile))
		if err != nil {
			return err
		}
		if err := replaceFile(c.path(stateFile), backup); err != nil {
			return err
		}
	}
	fmt.Fprintln(c.log, text)
	if sink != nil {
		sink.Emit(event.Event{
			Time: time.Now(), Kind: event.Warning, Phase: c.options.Phase, Text: text,
		})
	}
	return nil
}
