package redisserver

import (
	"context"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/alicebob/miniredis/v2"
)

// clockStep is how often miniredis is told that time has passed: it expires nothing by itself.
const clockStep = 100 * time.Millisecond

// standIn is miniredis in this process.
type standIn struct {
	cfg Config

	mu    sync.Mutex
	redis *miniredis.Miniredis
	ended chan struct{}
}

func newStandIn(cfg Config) *standIn { return &standIn{cfg: cfg} }

func (s *standIn) start(_ context.Context, port int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	// A new one each time: like the real server without a file, it has forgotten everything.
	s.redis = miniredis.NewMiniRedis()
	if s.cfg.Password != "" {
		s.redis.RequireAuth(s.cfg.Password)
	}
	if err := s.redis.StartAddr(fmt.Sprintf("127.0.0.1:%d", port)); err != nil {
		return err
	}
	s.ended = make(chan struct{})
	go passTime(s.redis, s.ended)
	return nil
}

func passTime(r *miniredis.Miniredis, ended <-chan struct{}) {
	tick := time.NewTicker(clockStep)
	defer tick.Stop()
	last := time.Now()
	for {
		select {
		case <-ended:
			return
		case now := <-tick.C:
			r.FastForward(now.Sub(last))
			last = now
		}
	}
}

func (s *standIn) stop(context.Context) error { return s.kill() }

func (s *standIn) kill() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-s.ended:
	default:
		s.redis.Close()
		close(s.ended)
	}
	return nil
}

func (s *standIn) done() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ended
}

func (s *standIn) err() error { return nil }
func (s *standIn) pid() int   { return os.Getpid() }
