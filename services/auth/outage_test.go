package auth

import (
	"errors"
	"io"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/redis/go-redis/v9"
)

func TestOutage(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		err  error
		want bool
	}{
		"connection broke":    {io.ErrUnexpectedEOF, true},
		"PostgreSQL stops":    {&pgconn.PgError{Code: "57P01"}, true},
		"PostgreSQL is full":  {&pgconn.PgError{Code: "53300"}, true},
		"wrong SQL":           {&pgconn.PgError{Code: "42601"}, false},
		"constraint violated": {&pgconn.PgError{Code: "23505"}, false},
		"Redis says nil":      {redis.Nil, false},
	} {
		if got := errors.Is(fault("doing", tt.err), ErrUnavailable); got != tt.want {
			t.Errorf("%s: outage %t, want %t", name, got, tt.want)
		}
	}
}
