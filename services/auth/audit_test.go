package auth

import (
	"bytes"
	"encoding/json"
	"net/http"
	"slices"
	"sync"
	"testing"

	"github.com/wastecoach/wastecoach/internal/audit"
)

// logBuffer keeps what a server logs.
type logBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *logBuffer) Write(line []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(line)
}

// events returns the audit lines since the last call, each as one text.
func (w *world) events() []string {
	w.t.Helper()
	w.log.mu.Lock()
	defer w.log.mu.Unlock()
	var all []string
	for line := range bytes.Lines(w.log.text.Bytes()) {
		var e struct{ Msg, Event, Outcome, Actor, Subject, Reason string }
		if err := json.Unmarshal(line, &e); err != nil {
			w.t.Fatalf("log line %q: %v", line, err)
		}
		if e.Msg == "audit" {
			all = append(all, e.Event+" "+e.Outcome+" "+e.Actor+" "+e.Subject+e.Reason)
		}
	}
	w.log.text.Reset()
	return all
}

func (w *world) wantEvents(want ...string) {
	w.t.Helper()
	if got := w.events(); !slices.Equal(got, want) {
		w.t.Errorf("audit events\n%q, want\n%q", got, want)
	}
}

func TestAuditEvents(t *testing.T) {
	t.Parallel()
	w := setup(t)
	first := w.logIn(newLogin())
	user, session := audit.User(first.UserID), subject(first.SessionID)
	w.wantEvents("login done " + user + " " + session)

	w.finish(newLogin(), "code").want(t, http.StatusUnauthorized, "state_unknown")
	w.wantEvents("login refused nobody state_unknown")
	w.native("development", "no token").want(t, http.StatusUnauthorized, "login_refused")
	w.wantEvents("login refused nobody login_refused")

	w.tokens(w.refresh(first.RefreshToken))
	w.clock.advance(w.cfg.Session.ReplayWindow)
	w.wantEvents()
	w.refresh(first.RefreshToken).want(t, http.StatusUnauthorized, "refresh_refused")
	w.wantEvents("refresh_replayed done nobody " + session)

	stays, goes := w.logIn(newLogin()), w.logIn(newLogin())
	w.events()
	w.send(http.MethodDelete, "/sessions/"+goes.SessionID.String(), stays.AccessToken, nil)
	w.wantEvents("session_ended done " + user + " " + subject(goes.SessionID))
	w.send(http.MethodPost, "/logout", "", refreshRequest{stays.RefreshToken})
	w.wantEvents("logout done " + user + " " + subject(stays.SessionID))
	w.send(http.MethodPost, "/logout", "", refreshRequest{stays.RefreshToken})
	w.wantEvents()
}
