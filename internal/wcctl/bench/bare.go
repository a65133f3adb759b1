package bench

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/gofrs/uuid/v5"

	"github.com/wastecoach/wastecoach/internal/progress"
	"github.com/wastecoach/wastecoach/internal/redisdb"
)

// BarePath is the bare handler's route without the id.
const BarePath = "/jobs/"

// ServeBare serves the least that could answer a poll: net/http and the same Redis read, without
// routing, tokens, metrics and logs. It returns the base URL; stop ends it.
func ServeBare(
	ctx context.Context, cfg redisdb.Config,
) (address string, stop func() error, err error) {
	jobs := cfg.Open(redisdb.Jobs)
	if err := redisdb.Ready(jobs)(ctx); err != nil {
		return "", nil, errors.Join(err, jobs.Close())
	}
	var lc net.ListenConfig
	listener, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, errors.Join(fmt.Errorf("serving the bare handler: %w", err), jobs.Close())
	}
	srv := &http.Server{Handler: bare(progress.NewStore(jobs)), ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = srv.Serve(listener) }() // ends with Close
	return "http://" + listener.Addr().String(), func() error {
		return errors.Join(srv.Close(), jobs.Close())
	}, nil
}

func bare(store *progress.Store) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id, err := uuid.FromString(r.URL.Path[min(len(BarePath), len(r.URL.Path)):])
		if err != nil {
			http.Error(w, "no id", http.StatusNotFound)
			return
		}
		snap, found, err := store.Get(r.Context(), id)
		switch {
		case err != nil:
			http.Error(w, "redis", http.StatusServiceUnavailable)
		case !found:
			http.Error(w, "unknown", http.StatusNotFound)
		default:
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write(snap.Body) // a client that went away needs no answer
		}
	})
}
