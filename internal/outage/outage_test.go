package outage_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/redis/go-redis/v9"

	"github.com/wastecoach/wastecoach/internal/outage"
)

func TestIs(t *testing.T) {
	t.Parallel()
	_, noPostgres := pgx.Connect(t.Context(), "postgres://127.0.0.1:1/x?connect_timeout=2")
	client := redis.NewClient(&redis.Options{Addr: "127.0.0.1:1", MaxRetries: -1})
	defer client.Close()
	tests := map[string]struct {
		err  error
		want bool
	}{
		"nothing":            {nil, false},
		"a fault of ours":    {errors.New("column does not exist"), false},
		"PostgreSQL is away": {noPostgres, true},
		"PostgreSQL stops":   {&pgconn.PgError{Code: "57P01"}, true},
		"PostgreSQL is full": {&pgconn.PgError{Code: "53300"}, true},
		"a duplicate key":    {&pgconn.PgError{Code: "23505"}, false},
		"no rows":            {pgx.ErrNoRows, false},
		"Redis is away":      {client.Ping(t.Context()).Err(), true},
		"no such key":        {redis.Nil, false},
		"connection cut":     {&net.OpError{Op: "read", Err: io.EOF}, true},
		"cut in the middle":  {io.ErrUnexpectedEOF, true},
		"too slow":           {context.DeadlineExceeded, true},
		"the client left":    {context.Canceled, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			wrapped := tt.err
			if wrapped != nil {
				wrapped = fmt.Errorf("doing: %w", tt.err)
			}
			if got := outage.Is(wrapped); got != tt.want {
				t.Errorf("%v: got %t, want %t", tt.err, got, tt.want)
			}
		})
	}
}
