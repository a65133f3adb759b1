package attack_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/gofrs/uuid/v5"

	"github.com/wastecoach/wastecoach/internal/attack"
	"github.com/wastecoach/wastecoach/internal/problem"
)

const shopDocument = `{
	"openapi": "3.1.0", "servers": [{"url": "/api/v1/shop"}], "security": [{"bearer": []}],
	"paths": {
		"/things": {
			"get": {"parameters": [{"name": "q", "in": "query", "schema": {"type": "string"}}]},
			"post": {"requestBody": {"$ref": "#/components/requestBodies/Thing"}}
		},
		"/things/{id}": {
			"parameters": [{"name": "id", "in": "path", "required": true, "schema": {"type": "string"}}],
			"get": {},
			"patch": {"requestBody": {"$ref": "#/components/requestBodies/Thing"}}
		}
	},
	"components": {
		"requestBodies": {"Thing": {"content": {"application/json": {
			"schema": {"$ref": "#/components/schemas/Thing"}}}}},
		"schemas": {"Thing": {"type": "object", "properties": {
			"name": {"type": "string", "minLength": 1}, "like": {"type": "string", "format": "uuid"}}}}
	}
}`

// TestFindsWhatIsBroken shows that the suite can fail: one handler, each time with one fault.
func TestFindsWhatIsBroken(t *testing.T) {
	t.Parallel()
	for fault, want := range map[string]attack.Kind{
		"":                         "",
		"stumbles over NUL":        attack.ServerError,
		"shows another's thing":    attack.Foreign,
		"changes another's thing":  attack.Foreign,
		"takes another's id":       attack.Foreign,
		"lists everybody's things": attack.Foreign,
		"asks for no token":        attack.Foreign,
		"breaks off":               attack.NoAnswer,
		"refuses in plain text":    attack.NoProblem,
		"limits":                   attack.Limited,
	} {
		t.Run(fault, func(t *testing.T) {
			t.Parallel()
			report := attackShop(t, fault)
			if report.Operations != 4 || report.Requests < 500 || report.Deep < 3 {
				t.Errorf("too little was done: %s", report)
			}
			for _, f := range report.Faults {
				if f.Kind != want {
					t.Errorf("%s: %s: %s", f.Kind, f.Request, f.Detail)
				}
			}
			if want != "" && report.Count(want) == 0 {
				t.Errorf("not found: %s", report)
			}
		})
	}
}

func TestVictimWithoutThings(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(&shop{things: map[string]*thing{}})
	defer server.Close()
	_, err := attack.Run(t.Context(), target(server.URL))
	if err == nil || !strings.Contains(err.Error(), "nothing that could be stolen") {
		t.Errorf("got %v", err)
	}
}

func attackShop(t *testing.T, fault string) attack.Report {
	t.Helper()
	s := &shop{fault: fault, things: map[string]*thing{}}
	s.add("victim", "secret name of the victim")
	s.add("attacker", "known")
	server := httptest.NewServer(s)
	defer server.Close()
	report, err := attack.Run(t.Context(), target(server.URL))
	if err != nil {
		t.Fatal(err)
	}
	return report
}

func target(url string) attack.Target {
	return attack.Target{
		URL: url, Documents: [][]byte{[]byte(shopDocument)}, Victim: "victim",
		Canaries: []string{"secret name of the victim"},
		Attacker: func(context.Context) (string, error) { return "attacker", nil },
	}
}

// shop is a small service with the fault that its test names.
type shop struct {
	fault  string
	mu     sync.Mutex
	things map[string]*thing
}

type thing struct {
	ID    string `json:"id"`
	Name  string `json:"name"`
	owner string
}

func (s *shop) add(owner, name string) *thing {
	made := &thing{ID: uuid.Must(uuid.NewV7()).String(), Name: name, owner: owner}
	s.things[made.ID] = made
	return made
}

func (s *shop) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	who, known := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if known = known && (who == "victim" || who == "attacker"); !known && s.fault != "asks for no token" {
		s.refuse(w, http.StatusUnauthorized)
		return
	}
	id, one := strings.CutPrefix(r.URL.Path, "/api/v1/shop/things/")
	switch all := r.URL.Path == "/api/v1/shop/things"; {
	case all && r.Method == http.MethodGet:
		s.list(w, who)
	case all && r.Method == http.MethodPost:
		s.create(w, r, who)
	case one && (r.Method == http.MethodGet || r.Method == http.MethodPatch):
		s.one(w, r, who, s.things[id])
	default:
		s.refuse(w, http.StatusNotFound)
	}
}

func (s *shop) list(w http.ResponseWriter, who string) {
	mine := []*thing{}
	for _, t := range s.things {
		if t.owner == who || s.fault == "lists everybody's things" {
			mine = append(mine, t)
		}
	}
	reply(w, map[string]any{"things": mine})
}

func (s *shop) create(w http.ResponseWriter, r *http.Request, who string) {
	wanted, ok := s.read(w, r)
	switch {
	case !ok:
	case s.fault == "limits":
		s.refuse(w, http.StatusTooManyRequests)
	case s.fault == "breaks off" && wanted.Name == "$1":
		panic(http.ErrAbortHandler)
	case s.fault == "stumbles over NUL" && strings.Contains(wanted.Name, "\x00"):
		s.refuse(w, http.StatusInternalServerError)
	case wanted.Name == "" || !s.mayLike(who, wanted.Like):
		s.refuse(w, http.StatusUnprocessableEntity)
	default:
		reply(w, s.add(who, wanted.Name))
	}
}

func (s *shop) mayLike(who, id string) bool {
	like := s.things[id]
	return like == nil || like.owner == who || s.fault == "takes another's id"
}

type wish struct{ Name, Like string }

func (s *shop) read(w http.ResponseWriter, r *http.Request) (wish, bool) {
	var wanted wish
	err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 64<<10)).Decode(&wanted)
	if err != nil {
		s.refuse(w, http.StatusBadRequest)
	}
	return wanted, err == nil
}

func (s *shop) one(w http.ResponseWriter, r *http.Request, who string, t *thing) {
	foreign := t != nil && t.owner != who
	allowed := r.Method == http.MethodGet && s.fault == "shows another's thing" ||
		r.Method == http.MethodPatch && s.fault == "changes another's thing"
	if t == nil || foreign && !allowed {
		s.refuse(w, http.StatusNotFound)
		return
	}
	if r.Method == http.MethodPatch {
		wanted, ok := s.read(w, r)
		if !ok {
			return
		}
		if !s.mayLike(who, wanted.Like) {
			s.refuse(w, http.StatusUnprocessableEntity)
			return
		}
		t.Name = wanted.Name
	}
	reply(w, t)
}

func reply(w http.ResponseWriter, body any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(body)
}

func (s *shop) refuse(w http.ResponseWriter, status int) {
	w.Header().Set("Content-Type", problem.ContentType)
	if s.fault == "refuses in plain text" {
		w.Header().Set("Content-Type", "text/plain")
	}
	w.WriteHeader(status)
}
