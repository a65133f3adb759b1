package users

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"

	"github.com/gin-gonic/gin"
	"github.com/gofrs/uuid/v5"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/wastecoach/wastecoach/internal/erasure"
	"github.com/wastecoach/wastecoach/internal/httpserver"
)

const peerToken = "a-token-of-the-test"

// askedLog is what several peers were asked, in order.
type askedLog struct {
	mu   sync.Mutex
	list []question
}

type question struct {
	peer, act string
	request   erasure.Request
}

func (l *askedLog) add(q question) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.list = append(l.list, q)
}

// acts are "auth erase", "waste left" and so on.
func (l *askedLog) acts() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	acts := make([]string, len(l.list))
	for i, q := range l.list {
		acts[i] = q.peer + " " + q.act
	}
	return acts
}

func (l *askedLog) of(peer, act string) []erasure.Request {
	l.mu.Lock()
	defer l.mu.Unlock()
	var found []erasure.Request
	for _, q := range l.list {
		if q.peer == peer && q.act == act {
			found = append(found, q.request)
		}
	}
	return found
}

// peer stands in for another service, at the wire.
type peer struct {
	name string
	log  *askedLog

	mu sync.Mutex
	// holds is what the next call of Erase finds, and the one after that, and so on.
	holds []int64
	jobs  []uuid.UUID
	// before is called by Erase before anything else.
	before func(ctx context.Context) error
	// data, photos and answers are the bodies of the routes of these names.
	data, photos, answers string
}

func (p *peer) set(change func(p *peer)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change(p)
}

// Erase implements erasure.Holder.
func (p *peer) Erase(ctx context.Context, r erasure.Request) (erasure.Report, error) {
	p.mu.Lock()
	before := p.before
	p.mu.Unlock()
	if before != nil {
		if err := before(ctx); err != nil {
			return erasure.Report{}, err
		}
	}
	act := "erase"
	if r.Last {
		act = "close"
	}
	p.log.add(question{p.name, act, r})
	p.mu.Lock()
	defer p.mu.Unlock()
	var found int64
	if len(p.holds) > 0 {
		found, p.holds = p.holds[0], p.holds[1:]
	}
	return erasure.Report{Counts: erasure.Counts{p.name + ".rows": found}, Jobs: p.jobs}, nil
}

// Left implements erasure.Holder.
func (p *peer) Left(_ context.Context, r erasure.Request) (erasure.Report, error) {
	p.log.add(question{p.name, "left", r})
	p.mu.Lock()
	defer p.mu.Unlock()
	return erasure.Report{Counts: erasure.Counts{p.name + ".rows": int64(len(p.holds))}}, nil
}

func (p *peer) handler() http.Handler {
	server := httpserver.New(httpserver.Options{
		Service: p.name, Logger: slog.New(slog.DiscardHandler), Registry: prometheus.NewRegistry(),
	})
	g := erasure.Mount(server.Internal(), peerToken, p)
	for route, body := range map[string]*string{"/data": &p.data, "/photos": &p.photos, "/answers": &p.answers} {
		g.GET(route, func(c *gin.Context) {
			p.mu.Lock()
			defer p.mu.Unlock()
			if *body == "" {
				c.Status(http.StatusServiceUnavailable)
				return
			}
			if route == "/answers" && c.Query("tz") == "GB" {
				c.Status(http.StatusUnprocessableEntity)
				return
			}
			c.String(http.StatusOK, *body)
		})
	}
	return server.Handler()
}

func (p *peer) serve(t *testing.T) erasure.Peer {
	t.Helper()
	server := httptest.NewServer(p.handler())
	t.Cleanup(server.Close)
	return erasure.Peer{URL: server.URL, Token: peerToken}
}

// lead starts a leader, as another process would be; the returned function kills it.
func (w *world) lead() func() {
	ctx, cancel := context.WithCancel(w.t.Context())
	ended := make(chan error, 1)
	go func() { ended <- w.parts.lead(ctx) }()
	stop := sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			w.t.Errorf("the leader ended with %v", err)
		}
	})
	w.t.Cleanup(stop)
	return stop
}

func newIDs(n int) []uuid.UUID {
	ids := make([]uuid.UUID, n)
	for i := range ids {
		ids[i] = uuid.Must(uuid.NewV7())
	}
	slices.SortFunc(ids, func(a, b uuid.UUID) int { return slices.Compare(a.Bytes(), b.Bytes()) })
	return ids
}
