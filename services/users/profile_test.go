package users

import (
	"net/http"
	"reflect"
	"strings"
	"sync"
	"testing"

	"github.com/gofrs/uuid/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

func TestProfileComesIntoBeingAtFirstSight(t *testing.T) {
	t.Parallel()
	w := setup(t)
	got := make(chan Profile, 8)
	var group sync.WaitGroup
	for range cap(got) {
		group.Go(func() { got <- w.profile(w.send(http.MethodGet, "/me", w.token(w.user, " 김민지 "), "")) })
	}
	group.Wait()
	close(got)
	first := <-got
	if first.ID != w.user || first.DisplayName != "김민지" || first.Locale != "ko" || first.HomeRegion != nil {
		t.Errorf("profile %+v", first)
	}
	for other := range got {
		if !reflect.DeepEqual(other, first) {
			t.Errorf("two first sights: %+v and %+v", first, other)
		}
	}
	again := w.profile(w.send(http.MethodGet, "/me", w.token(w.user, "Another Name"), ""))
	if !reflect.DeepEqual(again, first) {
		t.Errorf("a later token changed %+v to %+v", first, again)
	}
}

func TestTokenNameThatDoesNotFitIsLeftOut(t *testing.T) {
	t.Parallel()
	w := setup(t)
	for _, name := range []string{"", "a\x00b", strings.Repeat("가", 101)} {
		p := w.profile(w.send(http.MethodGet, "/me", w.token(uuid.Must(uuid.NewV7()), name), ""))
		if p.DisplayName != "" {
			t.Errorf("%q became %q", name, p.DisplayName)
		}
	}
}

func TestPatch(t *testing.T) {
	t.Parallel()
	w := setup(t)
	bearer := w.token(w.user, "Minji")
	region := "서울특별시 마포구"
	for i, tt := range []struct {
		body string
		want Profile
	}{
		{`{"locale": "en"}`, Profile{DisplayName: "Minji", Locale: "en"}},
		{`{"home_region": " 서울특별시 마포구 "}`, Profile{DisplayName: "Minji", Locale: "en", HomeRegion: &region}},
		{`{}`, Profile{DisplayName: "Minji", Locale: "en", HomeRegion: &region}},
		{`{"display_name": "민지", "locale": "ko"}`, Profile{DisplayName: "민지", Locale: "ko", HomeRegion: &region}},
		{`{"home_region": null}`, Profile{DisplayName: "민지", Locale: "ko"}},
	} {
		got := w.profile(w.send(http.MethodPatch, "/me", bearer, tt.body))
		tt.want.ID, tt.want.CreatedAt, tt.want.UpdatedAt = w.user, got.CreatedAt, got.UpdatedAt
		if !reflect.DeepEqual(got, tt.want) {
			t.Errorf("patch %d: got %+v, want %+v", i, got, tt.want)
		}
		if read := w.profile(w.send(http.MethodGet, "/me", bearer, "")); !reflect.DeepEqual(read, got) {
			t.Errorf("patch %d: then read %+v, want %+v", i, read, got)
		}
	}
}

func TestPatchMovesUpdatedAtOnlyByAChange(t *testing.T) {
	t.Parallel()
	w := setup(t)
	bearer := w.token(w.user, "Minji")
	before := w.profile(w.send(http.MethodPatch, "/me", bearer, `{"home_region": "마포구"}`))
	same := w.profile(w.send(http.MethodPatch, "/me", bearer, `{"home_region": "마포구", "locale": "ko"}`))
	if !same.UpdatedAt.Equal(before.UpdatedAt) {
		t.Error("an idle patch moved updated_at")
	}
	after := w.profile(w.send(http.MethodPatch, "/me", bearer, `{"home_region": null}`))
	if !after.UpdatedAt.After(before.UpdatedAt) || !after.CreatedAt.Equal(before.CreatedAt) {
		t.Errorf("before %+v, after %+v", before, after)
	}
}

func TestPatchRefusals(t *testing.T) {
	t.Parallel()
	w := setup(t)
	bearer := w.token(w.user, "Minji")
	for name, tt := range map[string]struct {
		body    string
		status  int
		code    string
		pointer string
	}{
		"unknown field":   {`{"id": "x"}`, 400, "malformed", "/id"},
		"wrong type":      {`{"locale": 1}`, 400, "malformed", "/locale"},
		"not an object":   {`[]`, 400, "malformed", ""},
		"two values":      {`{} {}`, 400, "malformed", ""},
		"no body":         {``, 415, "not_json", ""},
		"too large":       {`{"display_name": "` + strings.Repeat("x", 70_000) + `"}`, 413, "body_too_large", ""},
		"null name":       {`{"display_name": null}`, 422, "invalid", "/display_name"},
		"empty name":      {`{"display_name": "  "}`, 422, "invalid", "/display_name"},
		"long name":       {`{"display_name": "` + strings.Repeat("가", 101) + `"}`, 422, "invalid", "/display_name"},
		"control in name": {`{"display_name": "a\u0000b"}`, 422, "invalid", "/display_name"},
		"null locale":     {`{"locale": null}`, 422, "invalid", "/locale"},
		"unknown locale":  {`{"locale": "fr"}`, 422, "invalid", "/locale"},
		"empty region":    {`{"home_region": ""}`, 422, "invalid", "/home_region"},
	} {
		t.Run(name, func(t *testing.T) {
			got := w.send(http.MethodPatch, "/me", bearer, tt.body)
			got.want(t, tt.status, tt.code)
			if tt.pointer != "" && (len(got.problem.Errors) != 1 || got.problem.Errors[0].Pointer != tt.pointer) {
				t.Errorf("faults %+v, want one at %s", got.problem.Errors, tt.pointer)
			}
		})
	}
	if p := w.profile(w.send(http.MethodGet, "/me", bearer, "")); p.DisplayName != "Minji" || p.Locale != "ko" {
		t.Errorf("refused patches made %+v", p)
	}
}

func TestEveryRouteWantsAToken(t *testing.T) {
	t.Parallel()
	w := setup(t)
	other := setup(t)
	for _, bearer := range []string{"", "no-token", other.token(w.user, "Eve")} {
		w.send(http.MethodGet, "/me", bearer, "").want(t, http.StatusUnauthorized, "unauthorized")
		w.send(http.MethodPatch, "/me", bearer, `{}`).want(t, http.StatusUnauthorized, "unauthorized")
		w.send(http.MethodDelete, "/me", bearer, "").want(t, http.StatusUnauthorized, "unauthorized")
		w.send(http.MethodPost, "/me/export", bearer, "").want(t, http.StatusUnauthorized, "unauthorized")
		for _, target := range []string{"/history", "/stats", "/export", "/export/download"} {
			w.send(http.MethodGet, "/me"+target, bearer, "").want(t, http.StatusUnauthorized, "unauthorized")
		}
	}
}

func TestProfilesAreApart(t *testing.T) {
	t.Parallel()
	w := setup(t)
	other := uuid.Must(uuid.NewV7())
	w.profile(w.send(http.MethodGet, "/me", w.token(other, "Jun"), ""))
	w.profile(w.send(http.MethodPatch, "/me", w.token(w.user, "Minji"), `{"display_name": "Changed"}`))
	if p := w.profile(w.send(http.MethodGet, "/me", w.token(other, ""), "")); p.DisplayName != "Jun" {
		t.Errorf("another's patch made %+v", p)
	}
}

func TestProfilesWithoutPostgreSQL(t *testing.T) {
	t.Parallel()
	w := setup(t)
	pool, err := pgxpool.New(t.Context(), "postgres://users@"+closedAddr(t)+"/none")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	w.pool = pool
	w.start(w.waste.url)
	for _, got := range []answer{
		w.send(http.MethodGet, "/me", w.token(w.user, ""), ""),
		w.send(http.MethodPatch, "/me", w.token(w.user, ""), `{"locale": "en"}`),
		w.send(http.MethodDelete, "/me", w.token(w.user, ""), ""),
		w.send(http.MethodPost, "/me/export", w.token(w.user, ""), ""),
		w.send(http.MethodGet, "/me/export", w.token(w.user, ""), ""),
		w.send(http.MethodGet, "/me/export/download", w.token(w.user, ""), ""),
		w.send(http.MethodGet, "/me/stats", w.token(w.user, ""), ""),
		w.send(http.MethodGet, "/deletions/"+uuid.Must(uuid.NewV4()).String(), "", ""),
	} {
		got.want(t, http.StatusServiceUnavailable, "users_unavailable")
	}
}
