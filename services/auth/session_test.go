package auth

import (
	"encoding/base64"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gofrs/uuid/v5"
)

func TestLoginRefreshReplayFamilyRevoked(t *testing.T) {
	t.Parallel()
	w := setup(t)
	first := w.logIn(newLogin())
	w.clock.advance(20 * time.Minute)
	second := w.tokens(w.refresh(first.RefreshToken))
	if second.RefreshToken == first.RefreshToken || second.SessionID != first.SessionID ||
		second.UserID != first.UserID {
		t.Errorf("first %+v, second %+v", first, second)
	}
	if p := w.principal(second.AccessToken); p.UserID != first.UserID || p.Name != "김민지" {
		t.Errorf("principal %+v", p)
	}

	w.clock.advance(w.cfg.Session.ReplayWindow)
	w.refresh(first.RefreshToken).want(t, http.StatusUnauthorized, "refresh_refused")
	w.refresh(second.RefreshToken).want(t, http.StatusUnauthorized, "refresh_refused")
	w.send(http.MethodGet, "/sessions", second.AccessToken, nil).want(t, http.StatusUnauthorized, "unauthorized")
}

func TestLostAnswerGetsTheSameSuccessor(t *testing.T) {
	t.Parallel()
	w := setup(t)
	first := w.logIn(newLogin())
	lost := w.tokens(w.refresh(first.RefreshToken))
	w.clock.advance(w.cfg.Session.ReplayWindow - time.Second)
	second := w.tokens(w.refresh(first.RefreshToken))
	if second.RefreshToken != lost.RefreshToken {
		t.Fatal("the replay got another successor")
	}
	third := w.tokens(w.refresh(second.RefreshToken))
	if third.RefreshToken == second.RefreshToken {
		t.Error("the successor was not replaced")
	}
}

func TestRefreshesAtOnceGetOneSuccessor(t *testing.T) {
	t.Parallel()
	w := setup(t)
	first := w.logIn(newLogin())
	got := make(chan string, 16)
	var group sync.WaitGroup
	for range cap(got) {
		group.Go(func() { got <- w.tokens(w.refresh(first.RefreshToken)).RefreshToken })
	}
	group.Wait()
	close(got)
	successor := <-got
	for other := range got {
		if other != successor {
			t.Fatal("two successors of one refresh token")
		}
	}
}

func TestForgedRefreshTokenEndsNothing(t *testing.T) {
	t.Parallel()
	w := setup(t)
	tokens := w.logIn(newLogin())
	raw, err := base64.RawURLEncoding.DecodeString(tokens.RefreshToken)
	if err != nil {
		t.Fatal(err)
	}
	raw[uuid.Size] ^= 1 // the session's id stays, the secret does not
	for name, forged := range map[string]string{
		"changed": base64.RawURLEncoding.EncodeToString(raw),
		"cut":     tokens.RefreshToken[:40],
		"text":    "not a token at all",
		"foreign": newRefreshToken(tokens.SessionID, []byte("another key")),
	} {
		w.refresh(forged).want(t, http.StatusUnauthorized, "refresh_refused")
		if got := w.send(http.MethodPost, "/logout", "", refreshRequest{forged}); got.status != http.StatusNoContent {
			t.Errorf("%s: logout %d", name, got.status)
		}
	}
	w.tokens(w.refresh(tokens.RefreshToken))
}

func TestSessionEndsWhenIdleAndInAnyCase(t *testing.T) {
	t.Parallel()
	w := setup(t)
	idle, busy := w.logIn(newLogin()), w.logIn(newLogin())
	began := w.clock.now()
	for w.clock.now().Before(began.Add(78 * day)) {
		w.clock.advance(13 * day)
		busy = w.tokens(w.refresh(busy.RefreshToken))
	}
	w.refresh(idle.RefreshToken).want(t, http.StatusUnauthorized, "refresh_refused")
	if limit := int((12 * day).Seconds()); busy.RefreshExpiresIn > limit {
		t.Errorf("after 78 of 90 days the session lasts for %d s", busy.RefreshExpiresIn)
	}
	w.clock.advance(12 * day)
	w.refresh(busy.RefreshToken).want(t, http.StatusUnauthorized, "refresh_refused")
}

func TestRedisForgetsSessionsByItself(t *testing.T) {
	t.Parallel()
	w := setup(t)
	tokens := w.logIn(newLogin())
	w.tokens(w.refresh(tokens.RefreshToken))
	keys, err := w.redis.Keys(t.Context(), "*").Result()
	if err != nil || len(keys) != 3 {
		t.Fatalf("keys %v, %v: want a session, an index and a used token", keys, err)
	}
	for _, key := range keys {
		if ttl := w.redis.TTL(t.Context(), key).Val(); ttl <= 0 {
			t.Errorf("%s has no lifetime", key)
		}
		for _, secret := range []string{tokens.RefreshToken, tokens.AccessToken} {
			if dump := w.redis.Dump(t.Context(), key).Val(); strings.Contains(dump, secret) {
				t.Errorf("%s shows a token", key)
			}
		}
	}
}

func TestAnyReplicaRefreshes(t *testing.T) {
	t.Parallel()
	w := setup(t)
	tokens := w.logIn(newLogin())
	here := w.tokens(w.refresh(tokens.RefreshToken))
	_, _, w.url = w.replica(w.cfg)
	if there := w.tokens(w.refresh(tokens.RefreshToken)); there.RefreshToken != here.RefreshToken {
		t.Error("two replicas gave two successors")
	}
}

func TestLogout(t *testing.T) {
	t.Parallel()
	w := setup(t)
	stays, goes := w.logIn(newLogin()), w.logIn(newLogin())
	for range 2 { // a second one finds nothing to do
		if got := w.send(http.MethodPost, "/logout", "", refreshRequest{goes.RefreshToken}); got.status != 204 {
			t.Fatalf("logout: %d %s", got.status, got.body)
		}
	}
	w.refresh(goes.RefreshToken).want(t, http.StatusUnauthorized, "refresh_refused")
	if got := w.list(stays); len(got) != 1 || got[0].ID != stays.SessionID {
		t.Errorf("sessions %+v", got)
	}
}

func (w *world) list(tokens Tokens) []sessionView {
	w.t.Helper()
	got := w.send(http.MethodGet, "/sessions", tokens.AccessToken, nil)
	if got.status != http.StatusOK {
		w.t.Fatalf("sessions: %d %s", got.status, got.body)
	}
	var list struct{ Sessions []sessionView }
	got.decode(w.t, &list)
	return list.Sessions
}

func TestSessions(t *testing.T) {
	t.Parallel()
	w := setup(t)
	phone := w.logIn(newLogin())
	w.clock.advance(time.Minute)
	tablet := w.logIn(newLogin())
	stranger := newLogin()
	stranger.hint = "u-2"
	foreign := w.logIn(stranger)

	got := w.list(phone)
	if len(got) != 2 || got[0].ID != tablet.SessionID || got[1].ID != phone.SessionID {
		t.Fatalf("sessions %+v", got)
	}
	if got[0].Current || !got[1].Current || got[1].Device != "phone/1.0" || got[1].Provider != "development" {
		t.Errorf("sessions %+v", got)
	}

	end := func(tokens Tokens, id string) answer {
		return w.send(http.MethodDelete, "/sessions/"+id, tokens.AccessToken, nil)
	}
	end(phone, foreign.SessionID.String()).want(t, http.StatusNotFound, "session_not_found")
	end(phone, uuid.Must(uuid.NewV7()).String()).want(t, http.StatusNotFound, "session_not_found")
	end(phone, "no-id").want(t, http.StatusNotFound, "session_not_found")
	if got := end(phone, tablet.SessionID.String()); got.status != http.StatusNoContent {
		t.Fatalf("ending the tablet's session: %d %s", got.status, got.body)
	}
	w.refresh(tablet.RefreshToken).want(t, http.StatusUnauthorized, "refresh_refused")
	end(tablet, phone.SessionID.String()).want(t, http.StatusUnauthorized, "unauthorized")
	if got := w.list(phone); len(got) != 1 {
		t.Errorf("sessions %+v", got)
	}
	w.tokens(w.refresh(foreign.RefreshToken))
}

func TestEndedSessionsLeaveTheIndex(t *testing.T) {
	t.Parallel()
	w := setup(t)
	tokens := w.logIn(newLogin())
	w.logIn(newLogin())
	w.clock.advance(10 * day)
	tokens = w.tokens(w.refresh(tokens.RefreshToken))
	w.clock.advance(10 * day)
	tokens = w.tokens(w.refresh(tokens.RefreshToken))
	if got := w.list(tokens); len(got) != 1 {
		t.Errorf("sessions %+v", got)
	}
	members := w.redis.ZCard(t.Context(), indexKey(tokens.UserID)).Val()
	if members != 1 {
		t.Errorf("%d members in the index", members)
	}
}
