package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/wastecoach/wastecoach/internal/wcctl/ansible"
	"github.com/wastecoach/wastecoach/internal/wcctl/doctor"
	"github.com/wastecoach/wastecoach/internal/wcctl/phase"
)

// playWork is where the inventory and open SSH connections are kept.
const playWork = "play"

// player plays a phase; the SSH connections to the machines stay open until the session ends.
func (s *session) player(key, knownHosts string, parallel int, log io.Writer) phase.Play {
	var runner *ansible.Runner
	return func(ctx context.Context, p phase.Playing) (map[string]phase.Played, error) {
		if runner == nil {
			var err error
			runner, err = ansible.New(ansible.Options{
				Dir: s.folder.Ansible(), Work: filepath.Join(string(s.folder), playWork),
				KnownHosts: knownHosts, KeyFile: key, Bastion: s.cluster.Spec.SSH.Bastion,
				KeyOnly: key == s.folder.KeyFile(), Forks: parallel, Sink: s.sink, Log: log,
			})
			if err != nil {
				return nil, playError(err)
			}
			s.closers = append(s.closers, runner)
		}
		result, err := runner.Play(ctx, ansible.Play{
			Phase: p.Phase, Fleet: p.Fleet, Hosts: p.Hosts, Vars: p.Vars,
		})
		played := make(map[string]phase.Played, len(result))
		for name, h := range result {
			played[name] = phase.Played{OK: h.Complete, Changed: h.Changed, Files: h.Files}
		}
		return played, playError(err)
	}
}

// awayError is a machine that went away during a play.
type awayError struct{ error }

// Temporary tells that the play may be taken up when the machine is back.
func (awayError) Temporary() bool { return true }

// playError says where a play failed, and what is known of such a failure.
func playError(err error) error {
	var program *ansible.ProgramError
	var task *ansible.TaskError
	switch {
	case errors.As(err, &program):
		return &phase.Error{Cause: err, Hint: program.Hint()}
	case !errors.As(err, &task):
		return err
	}
	cause := errors.New(task.Message)
	if len(task.Others) > 0 {
		cause = fmt.Errorf("%w (and on %s)", cause, strings.Join(task.Others, ", "))
	}
	if task.Unreachable {
		cause = awayError{cause}
	}
	failed := &phase.Error{Phase: task.Phase, Host: task.Host, Task: task.Task, Cause: cause}
	if fault, known := doctor.Explain(task.Message + "\n" + strings.Join(task.Output, "\n")); known {
		failed.Cause = fmt.Errorf("%w: %s", cause, fault.Title)
		failed.Hint = fault.Hint
	}
	return failed
}
