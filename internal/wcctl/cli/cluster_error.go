package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/wastecoach/wastecoach/internal/wcctl/doctor"
	"github.com/wastecoach/wastecoach/internal/wcctl/phase"
	"github.com/wastecoach/wastecoach/internal/wcctl/remote"
	"github.com/wastecoach/wastecoach/internal/wcctl/terraform"
	"github.com/wastecoach/wastecoach/internal/wcctl/workspace"
)

// clusterError gives an error of a run its hint, its log and its exit code.
func clusterError(ctx context.Context, flags *clusterFlags, command, log string, err error) error {
	var own *Error
	var failed *phase.Error
	var locked *workspace.LockedError
	var login *remote.Error
	var tf *terraform.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &own):
		if own.Log == "" {
			own.Log = log
		}
		own.Hint = flags.paste(own.Hint)
		return err
	case errors.Is(context.Cause(ctx), context.Canceled):
		return interrupted(flags, command, log, err)
	case ctx.Err() != nil: // the time is up, or the lock is lost
		return &Error{Cause: err, Hint: flags.again(command), Log: log}
	case errors.Is(err, workspace.ErrTornLock):
		return &Error{Cause: err, Hint: flags.again("unlock --force")}
	case errors.As(err, &locked):
		return &Error{Cause: err, Hint: flags.again("unlock")}
	case errors.As(err, &failed):
		return &Error{Cause: err, Hint: flags.paste(failed.Hint), Log: log}
	case errors.As(err, &login):
		return &Error{Cause: err, Hint: flags.paste(login.Hint), Log: log}
	case errors.As(err, &tf):
		return &Error{Cause: err, Hint: flags.paste(tf.Hint), Log: log}
	}
	return &Error{Cause: err, Log: log}
}

// interrupted says where a run was ended and how it goes on.
func interrupted(flags *clusterFlags, command, log string, err error) error {
	cause := errors.New("interrupted")
	var failed *phase.Error
	if errors.As(err, &failed) {
		cause = fmt.Errorf("interrupted in phase %s; what is done is kept", failed.Phase)
	}
	return &Error{Cause: cause, Hint: flags.again(command), Log: log, ExitCode: exitInterrupted}
}

// explain finds the known fault that an error shows.
func explain(err error) string {
	fault, known := doctor.Explain(err.Error())
	if !known {
		return ""
	}
	return fault.Hint
}
