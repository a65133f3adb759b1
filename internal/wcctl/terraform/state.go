package terraform

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
)

const (
	stateFile  = "terraform.tfstate"
	backupFile = stateFile + ".backup"
)

// checkState refuses to go on where a state is not what terraform last knew: it would make the
// machines a second time.
func (c *Client) checkState() error {
	const act = "reading Terraform's state"
	if _, err := os.Stat(c.path(ErroredState)); err == nil {
		return &Error{
			Act:   act,
			Cause: fmt.Errorf("the last run could not store it and left %s", c.path(ErroredState)),
			Hint: fmt.Sprintf("%s && mv %s %s.pushed", c.command("state push "+ErroredState),
				c.path(ErroredState), c.path(ErroredState)),
		}
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
	return &Error{
		Act:   act,
		Cause: fmt.Errorf("%s is torn: a run was killed while it wrote it", c.path(stateFile)),
		Hint:  fmt.Sprintf("cp %s %s", c.path(backupFile), c.path(stateFile)),
	}
}
