// Package openaitest is a server that speaks OpenAI's chat completions, well or badly as told.
package openaitest

import (
	"encoding/json"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

const maxRequest = 32 << 20

// Server is an http.Handler that records every call. Behaviors given to Script come first, in
// order; then those given to Mix by chance; then OK.
type Server struct {
	mu     sync.Mutex
	script []Behavior
	mix    []Chance
	random *rand.Rand
	calls  []*Call
	active int
	peak   int
	closed chan struct{}
	stop   sync.Once
}

// Chance is a behavior and the share of calls, 0 to 1, that it takes.
type Chance struct {
	Share    float64
	Behavior Behavior
}

// New returns a server that answers every call well.
func New() *Server {
	return &Server{closed: make(chan struct{})}
}

// Start serves a New server on loopback until the test ends, and returns its base URL.
func Start(t testing.TB) (*Server, string) {
	t.Helper()
	server := New()
	listener := httptest.NewServer(server)
	t.Cleanup(func() {
		server.Close()
		listener.Close()
	})
	return server, listener.URL + "/v1"
}

// Close releases the calls that never answer.
func (s *Server) Close() { s.stop.Do(func() { close(s.closed) }) }

// Script appends behaviors for the next calls, one each.
func (s *Server) Script(behaviors ...Behavior) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.script = append(s.script, behaviors...)
}

// Mix draws the behavior of unscripted calls by chance, repeatably for a seed; what the shares
// leave is OK.
func (s *Server) Mix(seed uint64, chances ...Chance) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mix = chances
	s.random = rand.New(rand.NewPCG(seed, 0)) //nolint:gosec // repeatable faults, no secret
}

// ServeHTTP answers POST …/chat/completions as the next behavior says.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost || !strings.HasSuffix(r.URL.Path, "/chat/completions") {
		writeError(w, http.StatusNotFound, "not_found")
		return
	}
	var asked request
	body := http.MaxBytesReader(w, r.Body, maxRequest)
	if err := json.NewDecoder(body).Decode(&asked); err != nil {
		writeError(w, http.StatusBadRequest, "invalid_json")
		return
	}
	call, err := newCall(r, asked)
	if err != nil {
		writeError(w, http.StatusBadRequest, "invalid_image")
		return
	}
	behave := s.begin(call)
	defer s.end(call)
	behave.run(&exchange{w: w, r: r, asked: asked, call: call, server: s})
}

func (s *Server) begin(call *Call) Behavior {
	s.mu.Lock()
	defer s.mu.Unlock()
	behave := s.next()
	call.Behavior = behave.Name
	call.Started = time.Now()
	s.calls = append(s.calls, call)
	s.active++
	s.peak = max(s.peak, s.active)
	return behave
}

func (s *Server) next() Behavior {
	if len(s.script) > 0 {
		behave := s.script[0]
		s.script = s.script[1:]
		return behave
	}
	if s.random == nil {
		return OK()
	}
	dice := s.random.Float64()
	for _, chance := range s.mix {
		if dice < chance.Share {
			return chance.Behavior
		}
		dice -= chance.Share
	}
	return OK()
}

func (s *Server) end(call *Call) {
	s.mu.Lock()
	defer s.mu.Unlock()
	call.Ended = time.Now()
	s.active--
}
