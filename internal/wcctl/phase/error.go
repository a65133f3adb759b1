package phase

import (
	"context"
	"errors"

	"github.com/wastecoach/wastecoach/internal/wcctl/remote"
	"github.com/wastecoach/wastecoach/internal/wcctl/terraform"
)

// temporary tells whether the same may work once a machine is back.
func temporary(err error) bool {
	var t interface{ Temporary() bool }
	return errors.As(err, &t) && t.Temporary()
}

func hostOf(err error) string {
	var own *Error
	var login *remote.Error
	switch {
	case errors.As(err, &own):
		return own.Host
	case errors.As(err, &login):
		return login.Host
	}
	return ""
}

// explain makes any failure of a phase an Error with what is known of it.
func (r *Runner) explain(ctx context.Context, p Phase, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		// What children say when they are told to stop helps nobody.
		err = cause
	}
	e := &Error{Cause: err}
	var own *Error
	var login *remote.Error
	var tf *terraform.Error
	switch {
	case errors.As(err, &own):
		*e = *own
	case errors.As(err, &login):
		e.Host, e.Cause, e.Hint = login.Host, login.Cause, login.Hint
	case errors.As(err, &tf):
		e.Hint = tf.Hint
	}
	if p != nil && e.Phase == "" {
		e.Phase = p.Name()
	}
	if r.Explain != nil && e.Hint == "" {
		e.Hint = r.Explain(err)
	}
	if e.Hint == "" && ctx.Err() == nil && r.Run.fleet != nil {
		e.Hint = "wcctl doctor"
	}
	e.Log = r.Log
	return e
}
