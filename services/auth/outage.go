package auth

import (
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/redis/go-redis/v9"

	"github.com/wastecoach/wastecoach/internal/problem"
)

// ErrUnavailable says that PostgreSQL or Redis cannot be reached; nothing was lost or ended.
var ErrUnavailable = problem.New(
	problem.Unavailable, "auth_unavailable", "Logins cannot be checked now.",
)

const outagePause = time.Second

// outage wraps err with the act. Where a store could not be reached it is ErrUnavailable: an app
// that took a restart for a refusal would throw its tokens away.
func outage(act string, err error) error {
	err = fmt.Errorf("%s: %w", act, err)
	var (
		answered redis.Error
		pg       *pgconn.PgError
	)
	switch {
	case errors.As(err, &pg) && !stopping(pg.Code):
		return err
	case errors.As(err, &answered) && !redis.IsLoadingError(err) && !redis.IsReadOnlyError(err):
		return err
	}
	return ErrUnavailable.Because(err).After(outagePause)
}

func wrapOutage(act string, err error) error {
	if err == nil {
		return nil
	}
	return outage(act, err)
}

// stopping knows the SQLSTATE classes of a server that shuts down, starts up or is full.
func stopping(code string) bool {
	return len(code) == 5 && (code[:2] == "57" || code[:2] == "53" || code[:2] == "08")
}
