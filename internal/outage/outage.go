// Package outage tells an error of a part that cannot be reached now from any other error.
package outage

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/redis/go-redis/v9"

	"github.com/wastecoach/wastecoach/internal/problem"
)

// Is tells whether err comes from PostgreSQL, Redis or an HTTP server that gave no answer, or
// said that it starts, stops or is full: the same request may succeed in a moment.
func Is(err error) bool {
	var (
		pg       *pgconn.PgError
		answered redis.Error
		network  net.Error
	)
	switch {
	case err == nil, errors.Is(err, context.Canceled):
		return false
	case errors.As(err, &pg):
		return stopping(pg.Code)
	case errors.As(err, &answered):
		return redis.IsLoadingError(err) || redis.IsReadOnlyError(err)
	}
	var connect *pgconn.ConnectError
	return errors.As(err, &connect) || errors.As(err, &network) || pgconn.SafeToRetry(err) ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, context.DeadlineExceeded)
}

// Wrap wraps err with the act; where it is an outage, the client is told so by unavailable.
func Wrap(unavailable *problem.Error, act string, err error) error {
	if err == nil {
		return nil
	}
	err = fmt.Errorf("%s: %w", act, err)
	if Is(err) {
		return unavailable.Because(err).After(pause)
	}
	return err
}

// pause is when an outage is worth another look.
const pause = time.Second

// stopping knows the SQLSTATE classes of a server that shuts down, starts up, is full, or is gone.
func stopping(code string) bool {
	return len(code) == 5 && (code[:2] == "57" || code[:2] == "53" || code[:2] == "08")
}
