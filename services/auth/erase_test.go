package auth

import (
	"encoding/json"
	"net/http"
	"testing"

	"github.com/gofrs/uuid/v5"

	"github.com/wastecoach/wastecoach/internal/erasure"
)

// asUsers is how the users service sees this one.
func (w *world) asUsers() *erasure.Client {
	w.t.Helper()
	cfg := w.cfg
	cfg.InternalToken = "token-of-the-test"
	_, _, url := w.replica(cfg)
	return erasure.NewClient(erasure.Peer{URL: url, Token: cfg.InternalToken})
}

func TestEraseEndsAccountAndSessions(t *testing.T) {
	t.Parallel()
	w := setup(t)
	other := newLogin()
	other.hint = "u-2"
	phone, tablet, neighbor := w.logIn(newLogin()), w.logIn(newLogin()), w.logIn(other)
	if phone.UserID != tablet.UserID || phone.UserID == neighbor.UserID {
		t.Fatalf("users %s, %s, %s", phone.UserID, tablet.UserID, neighbor.UserID)
	}
	users, request := w.asUsers(), erasure.Request{UserID: phone.UserID}
	body, err := users.Open(t.Context(), phone.UserID, "/data")
	if err != nil {
		t.Fatal(err)
	}
	defer body.Close()
	var data struct {
		Account  struct{ Identities []struct{ Subject string } }
		Sessions []struct{ ID uuid.UUID }
	}
	if err := json.NewDecoder(body).Decode(&data); err != nil || len(data.Sessions) != 2 ||
		len(data.Account.Identities) != 1 || data.Account.Identities[0].Subject != "u-1" {
		t.Errorf("data %+v, %v", data, err)
	}
	want := erasure.Counts{accountRows: 1, identityRows: 1, sessionKeys: 3} // two sessions and their index
	expect := func(act string, report erasure.Report, err error) {
		t.Helper()
		for place, n := range want {
			if err != nil || report.Counts[place] != n {
				t.Errorf("%s: %s has %d, %v; want %d", act, place, report.Counts[place], err, n)
			}
		}
	}
	report, err := users.Left(t.Context(), request)
	expect("before", report, err)
	report, err = users.Erase(t.Context(), request)
	expect("erasing", report, err)
	w.refresh(phone.RefreshToken).want(t, http.StatusUnauthorized, "refresh_refused")
	w.send(http.MethodGet, "/sessions", tablet.AccessToken, nil).want(t, http.StatusUnauthorized, "unauthorized")

	// A login that had found the account before opens its session only now.
	late := Session{ID: uuid.Must(uuid.NewV7()), UserID: phone.UserID}
	if err := newSessionStore(w.redis, w.cfg.Session, w.clock.now).Add(t.Context(), &late, "late"); err != nil {
		t.Fatal(err)
	}
	want = erasure.Counts{accountRows: 0, identityRows: 0, sessionKeys: 2}
	report, err = users.Erase(t.Context(), request)
	expect("a late session", report, err)
	want = erasure.Counts{accountRows: 0, identityRows: 0, sessionKeys: 0}
	report, err = users.Left(t.Context(), request)
	expect("after", report, err)

	w.tokens(w.refresh(neighbor.RefreshToken))
	if reborn := w.logIn(newLogin()); reborn.UserID == phone.UserID {
		t.Error("who logs in again is the erased user")
	}
}
