package auth

import (
	"fmt"
	"time"

	"github.com/wastecoach/wastecoach/internal/outage"
	"github.com/wastecoach/wastecoach/internal/problem"
)

// ErrUnavailable says that PostgreSQL or Redis cannot be reached; nothing was lost or ended.
var ErrUnavailable = problem.New(
	problem.Unavailable, "auth_unavailable", "Logins cannot be checked now.",
)

const outagePause = time.Second

// fault wraps err with the act. Where a store could not be reached it is ErrUnavailable: an app
// that took a restart for a refusal would throw its tokens away.
func fault(act string, err error) error {
	err = fmt.Errorf("%s: %w", act, err)
	if outage.Is(err) {
		return ErrUnavailable.Because(err).After(outagePause)
	}
	return err
}

func wrapFault(act string, err error) error {
	if err == nil {
		return nil
	}
	return fault(act, err)
}
