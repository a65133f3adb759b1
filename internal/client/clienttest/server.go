// Package clienttest is a server that behaves as the REST API's documents say.
package clienttest

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"time"

	"github.com/wastecoach/wastecoach/internal/job"
	"github.com/wastecoach/wastecoach/internal/problem"
)

// What a photo's bytes hold decides what becomes of it.
const (
	MarkFail   = "please-fail"   // the job fails
	MarkHang   = "please-hang"   // the job never ends by itself
	MarkCached = "please-cached" // the cache answers at once
)

// Server is one server. Its fields may be set before the first request.
type Server struct {
	*httptest.Server
	// Interactive makes the provider show a page instead of redirecting.
	Interactive bool
	// AccessLife is how long an access token is valid.
	AccessLife time.Duration
	// Fault may answer a request in the server's place.
	Fault func(w http.ResponseWriter, r *http.Request) bool
	// PollAfterMs is what every job answer asks for.
	PollAfterMs string

	mu       sync.Mutex
	requests []Request
	logins   map[string]string // code: challenge
	access   map[string]time.Time
	refresh  string
	serial   int
	uploads  map[string]*upload
	jobs     map[string]*analysis
	byKey    map[string]string
}

// Request is one that arrived.
type Request struct {
	Method, Path string
	Header       http.Header
}

type upload struct {
	sum  string
	size int
	data []byte
}

type analysis struct {
	job    job.Job
	states []job.Job
	hang   bool
	locale string
}

// New starts a server; the caller closes it.
func New() *Server {
	s := &Server{
		AccessLife: 15 * time.Minute, PollAfterMs: "20",
		logins: map[string]string{}, access: map[string]time.Time{},
		uploads: map[string]*upload{}, jobs: map[string]*analysis{}, byKey: map[string]string{},
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/v1/auth/providers", s.providers)
	mux.HandleFunc("GET /api/v1/auth/dev/authorize", s.authorize)
	mux.HandleFunc("GET /idp", s.idp)
	mux.HandleFunc("POST /api/v1/auth/dev/token", s.token)
	mux.HandleFunc("POST /api/v1/auth/refresh", s.refreshToken)
	mux.HandleFunc("POST /api/v1/auth/logout", s.logout)
	mux.HandleFunc("PUT /bucket/{id}", s.put)
	mux.HandleFunc("POST /api/v1/waste/uploads", s.user(s.createUpload))
	mux.HandleFunc("POST /api/v1/waste/analyses", s.user(s.create))
	mux.HandleFunc("GET /api/v1/waste/analyses/{id}", s.user(s.get))
	mux.HandleFunc("POST /api/v1/waste/analyses/{id}/cancel", s.user(s.cancel))
	mux.HandleFunc("GET /api/v1/waste/analyses", s.user(s.list))
	mux.HandleFunc("POST /api/v1/waste/analyses/{id}/feedback", s.user(s.feedback))
	mux.HandleFunc("GET /api/v1/locations/nearby", s.nearby)
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.requests = append(s.requests, Request{r.Method, r.URL.Path, r.Header.Clone()})
		s.mu.Unlock()
		if s.Fault == nil || !s.Fault(w, r) {
			mux.ServeHTTP(w, r)
		}
	}))
	return s
}

// Requests are those that arrived so far with that method and a path that ends so.
func (s *Server) Requests(method, suffix string) []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	var found []Request
	for _, r := range s.requests {
		if r.Method == method && strings.HasSuffix(r.Path, suffix) {
			found = append(found, r)
		}
	}
	return found
}

// Statuses are the jobs' statuses by their id.
func (s *Server) Statuses() map[string]job.Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	found := map[string]job.Status{}
	for id, a := range s.jobs {
		found[id] = a.job.Status
	}
	return found
}

// Refuse answers with a problem document.
func Refuse(w http.ResponseWriter, e *problem.Error) {
	w.Header().Set("Content-Type", problem.ContentType)
	w.Header().Set("X-Request-Id", "request-1")
	w.WriteHeader(int(e.Kind))
	_ = json.NewEncoder(w).Encode(e.Document()) // the test sees what is missing
}

func reply(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // the test sees what is missing
}

func read(w http.ResponseWriter, r *http.Request, into any) bool {
	decoder := json.NewDecoder(r.Body)
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		Refuse(w, problem.New(problem.Malformed, "malformed", err.Error()))
		return false
	}
	return true
}
