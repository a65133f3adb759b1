package auth

import (
	"net/http"
	"sync"
	"testing"

	"github.com/gofrs/uuid/v5"

	"github.com/wastecoach/wastecoach/internal/audit"
)

// newLoginOfJun is one of the provider's second user, u-2.
func newLoginOfJun() login {
	l := newLogin()
	l.hint = "u-2"
	return l
}

// linkJun goes through a login of Jun and links it to the account of tokens.
func (w *world) linkJun(tokens Tokens) answer {
	w.t.Helper()
	l := newLoginOfJun()
	r := l.tokenRequest(w.visit(l, w.begin(l)))
	return w.send(http.MethodPost, "/development/link", tokens.AccessToken, r)
}

func (w *world) identities(got answer) []LinkedIdentity {
	w.t.Helper()
	if got.status != http.StatusOK {
		w.t.Fatalf("identities: %d %s", got.status, got.body)
	}
	var list struct{ Identities []LinkedIdentity }
	got.decode(w.t, &list)
	return list.Identities
}

func (w *world) unlink(tokens Tokens, id string) answer {
	w.t.Helper()
	return w.send(http.MethodDelete, "/identities/"+id, tokens.AccessToken, nil)
}

func TestLinkedIdentitiesLogInToOneAccount(t *testing.T) {
	t.Parallel()
	w := setup(t)
	me := w.logIn(newLogin())
	w.events()
	all := w.identities(w.linkJun(me))
	if len(all) != 2 || all[0].Name != "김민지" || all[1].Name != "Jun" || all[1].Provider != "development" {
		t.Fatalf("identities %+v", all)
	}
	w.wantEvents("account_linked done " + audit.User(me.UserID) + " identity:" + all[1].ID.String())
	if got := w.logIn(newLoginOfJun()); got.UserID != me.UserID {
		t.Errorf("the linked login is of user %s, not %s", got.UserID, me.UserID)
	}
	if again := w.identities(w.linkJun(me)); len(again) != 2 || again[1].ID != all[1].ID {
		t.Errorf("after linking again %+v", again)
	}
	if listed := w.identities(w.send(http.MethodGet, "/identities", me.AccessToken, nil)); len(listed) != 2 {
		t.Errorf("listed %+v", listed)
	}
}

func TestLinkByNativeLogin(t *testing.T) {
	t.Parallel()
	w := setup(t)
	me := w.logIn(newLogin())
	raw := w.sdk(w.issuer(), "phone", w.nonce("development"), "u-2")
	got := w.send(http.MethodPost, "/development/link", me.AccessToken, TokenRequest{IDToken: raw})
	if all := w.identities(got); len(all) != 2 {
		t.Errorf("identities %+v", all)
	}
	w.native("development", raw).want(t, http.StatusUnauthorized, "login_refused")
}

func TestIdentityOfAnotherAccountIsNotLinked(t *testing.T) {
	t.Parallel()
	w := setup(t)
	me, other := w.logIn(newLogin()), w.logIn(newLoginOfJun())
	w.events()
	w.linkJun(me).want(t, http.StatusConflict, "identity_taken")
	w.wantEvents("account_linked refused " + audit.User(me.UserID) + " identity_taken")
	if got := w.logIn(newLoginOfJun()); got.UserID != other.UserID {
		t.Error("the identity went to another account")
	}
}

func TestOnlyWhoIsSignedInLinks(t *testing.T) {
	t.Parallel()
	w := setup(t)
	me := w.logIn(newLogin())
	w.linkJun(Tokens{}).want(t, http.StatusUnauthorized, "unauthorized")
	w.linkJun(Tokens{AccessToken: me.AccessToken + "x"}).want(t, http.StatusUnauthorized, "unauthorized")
	w.send(http.MethodPost, "/nobody/link", me.AccessToken, newLogin().tokenRequest("c")).
		want(t, http.StatusNotFound, "provider_not_found")
	w.send(http.MethodPost, "/development/link", me.AccessToken, newLogin().tokenRequest("c")).
		want(t, http.StatusUnauthorized, "state_unknown")

	w.send(http.MethodPost, "/logout", "", refreshRequest{me.RefreshToken})
	w.linkJun(me).want(t, http.StatusUnauthorized, "unauthorized") // the access token has not expired
	w.send(http.MethodGet, "/identities", me.AccessToken, nil).want(t, http.StatusUnauthorized, "unauthorized")
	w.unlink(me, uuid.Must(uuid.NewV7()).String()).want(t, http.StatusUnauthorized, "unauthorized")
}

// The session outlives its account for a moment when the account is deleted.
func TestDeletedAccountLinksNothing(t *testing.T) {
	t.Parallel()
	w := setup(t)
	me := w.logIn(newLogin())
	if _, err := w.pool.Exec(t.Context(), `DELETE FROM accounts WHERE id = $1`, me.UserID); err != nil {
		t.Fatal(err)
	}
	w.linkJun(me).want(t, http.StatusUnauthorized, "unauthorized")
}

func TestUnlinkEndsItsSessions(t *testing.T) {
	t.Parallel()
	w := setup(t)
	me := w.logIn(newLogin())
	jun := w.identities(w.linkJun(me))[1]
	asJun := w.logIn(newLoginOfJun())
	w.events()
	if got := w.unlink(me, jun.ID.String()); got.status != http.StatusNoContent {
		t.Fatalf("unlink: %d %s", got.status, got.body)
	}
	w.wantEvents("account_unlinked done " + audit.User(me.UserID) + " identity:" + jun.ID.String())
	w.refresh(asJun.RefreshToken).want(t, http.StatusUnauthorized, "refresh_refused")
	w.tokens(w.refresh(me.RefreshToken))
	if got := w.logIn(newLoginOfJun()); got.UserID == me.UserID {
		t.Error("the identity still logs in to the account")
	}
}

func TestUnlinkRefusals(t *testing.T) {
	t.Parallel()
	w := setup(t)
	me, other := w.logIn(newLogin()), w.logIn(newLoginOfJun())
	list := func(tokens Tokens) []LinkedIdentity {
		return w.identities(w.send(http.MethodGet, "/identities", tokens.AccessToken, nil))
	}
	w.unlink(me, list(me)[0].ID.String()).want(t, http.StatusConflict, "last_identity")
	w.unlink(me, list(other)[0].ID.String()).want(t, http.StatusNotFound, "identity_not_found")
	w.unlink(me, "no-id").want(t, http.StatusNotFound, "identity_not_found")
}

func TestUnlinksAtOnceKeepOne(t *testing.T) {
	t.Parallel()
	w := setup(t)
	me := w.logIn(newLogin())
	all := w.identities(w.linkJun(me))
	var group sync.WaitGroup
	for _, identity := range all {
		group.Go(func() { w.unlink(me, identity.ID.String()) })
	}
	group.Wait()
	var left int
	err := w.pool.QueryRow(t.Context(), `SELECT count(*) FROM identities`).Scan(&left)
	if err != nil || left != 1 {
		t.Errorf("%d identities are left, %v", left, err)
	}
}
