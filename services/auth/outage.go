package auth

import (
	"github.com/wastecoach/wastecoach/internal/outage"
	"github.com/wastecoach/wastecoach/internal/problem"
)

// ErrUnavailable says that PostgreSQL or Redis cannot be reached; nothing was lost or ended.
var ErrUnavailable = problem.New(
	problem.Unavailable, "auth_unavailable", "Logins cannot be checked now.",
)

// fault wraps err with the act. Where a store could not be reached it is ErrUnavailable: an app
// that took a restart for a refusal would throw its tokens away.
func fault(act string, err error) error { return outage.Wrap(ErrUnavailable, act, err) }
