package users

import (
	"context"
	"errors"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gofrs/uuid/v5"

	"github.com/wastecoach/wastecoach/internal/erasure"
	"github.com/wastecoach/wastecoach/internal/job"
)

const patience = 30 * time.Second

// awaitJob polls until ok.
func (w *world) awaitJob(target, bearer string, ok func(job.Job) bool) job.Job {
	w.t.Helper()
	var last job.Job
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); <-time.After(5 * time.Millisecond) {
		j := w.send(http.MethodGet, target, bearer, "").job(w.t, http.StatusOK)
		if j.Progress < last.Progress && j.Attempt == last.Attempt {
			w.t.Fatalf("progress went back from %d to %d", last.Progress, j.Progress)
		}
		if last = j; ok(j) {
			return j
		}
	}
	w.t.Fatalf("the job never got there: %+v", last)
	return last
}

func finished(j job.Job) bool { return j.Status.Final() }

func (w *world) deleteMe() job.Job {
	w.t.Helper()
	got := w.send(http.MethodDelete, "/me", w.token(w.user, ""), "")
	j := got.job(w.t, http.StatusAccepted)
	if got.header.Get("Location") != j.Links.Self || got.header.Get("Poll-After-Ms") == "" {
		w.t.Errorf("headers %v", got.header)
	}
	return j
}

func (w *world) proof(j job.Job) proof {
	w.t.Helper()
	var p proof
	decode(w.t, j.Result, &p)
	return p
}

func receipt(j job.Job) string { return strings.TrimPrefix(j.Links.Self, "/api/v1/users") }

func TestDeletionErasesEverywhereAndProvesIt(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.profile(w.send(http.MethodPatch, "/me", w.token(w.user, "Minji"), `{"locale": "en"}`))
	jobs := newIDs(150)
	w.peers["auth"].holds = []int64{3}
	w.peers["waste"].set(func(p *peer) { p.holds, p.jobs = []int64{200}, jobs })
	w.peers["recycling"].holds = []int64{100, 50}
	begun := w.deleteMe()
	if begun.Status != job.Processing || begun.Progress != 0 || !strings.HasPrefix(begun.Message, "Erasing") {
		t.Errorf("it begins as %+v", begun)
	}
	w.lead()
	done := w.awaitJob(receipt(begun), "", finished)
	got := w.proof(done)
	wantErased := erasure.Counts{
		"auth.rows": 3, "waste.rows": 200, "recycling.rows": 150, "users.profiles": 1,
		"users.exports": 0, exportObjects: 0,
	}
	if done.Progress != 100 || got.Passes != 2 || !reflect.DeepEqual(got.Erased, wantErased) {
		t.Errorf("it ended as %+v with %+v", done, got)
	}
	wantLeft := erasure.Counts{
		"auth.rows": 0, "waste.rows": 0, "recycling.rows": 0, "users.profiles": 0, "users.exports": 0,
		exportObjects: 0,
	}
	if !reflect.DeepEqual(got.Remaining, wantLeft) {
		t.Errorf("remaining %v, want %v", got.Remaining, wantLeft)
	}
	pass := []string{"auth erase", "waste erase", "recycling erase", "recycling erase"}
	want := slices.Concat(pass, pass,
		[]string{"auth left", "waste left", "recycling left", "recycling left"},
		[]string{"auth close", "waste close", "recycling close", "recycling close"})
	if acts := w.asked.acts(); !slices.Equal(acts, want) {
		t.Errorf("asked %q, want %q", acts, want)
	}
	var known []uuid.UUID
	for _, r := range w.asked.of("recycling", "left") {
		known = append(known, r.Jobs...)
	}
	if !slices.Equal(known, jobs) {
		t.Errorf("recycling was asked for %d jobs, want %d", len(known), len(jobs))
	}
	var naming int
	err := w.pool.QueryRow(t.Context(), `SELECT count(*) FROM deletions d WHERE d::text LIKE '%' || $1 || '%'`,
		w.user.String()).Scan(&naming)
	if err != nil || naming != 0 {
		t.Errorf("%d rows of the journal still name the user, %v", naming, err)
	}
}

func TestErasedUserIsRefusedAndAskingAgainFindsTheSameDeletion(t *testing.T) {
	t.Parallel()
	w := setup(t)
	bearer := w.token(w.user, "Minji")
	w.profile(w.send(http.MethodGet, "/me", bearer, ""))
	w.peers["auth"].before = func(context.Context) error { return errors.New("away") }
	first := w.deleteMe()
	w.lead()
	if again := w.deleteMe(); again.ID != first.ID {
		t.Errorf("asking again began deletion %s beside %s", again.ID, first.ID)
	}
	w.send(http.MethodGet, "/me", bearer, "").want(t, http.StatusUnauthorized, "account_deleted")
	w.send(http.MethodPatch, "/me", bearer, `{"locale": "en"}`).want(t, http.StatusUnauthorized, "account_deleted")
	w.send(http.MethodPost, "/me/export", bearer, "").want(t, http.StatusUnauthorized, "account_deleted")
	for _, target := range []string{"/history", "/stats", "/export", "/export/download"} {
		w.send(http.MethodGet, "/me"+target, bearer, "").want(t, http.StatusUnauthorized, "account_deleted")
	}
	store := &Store{w.pool}
	if _, err := w.pool.Exec(t.Context(), `DELETE FROM profiles`); err != nil {
		t.Fatal(err)
	}
	if err := store.Add(t.Context(), Profile{ID: w.user, Locale: "ko"}); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Get(t.Context(), w.user); !isMissing(err) {
		t.Errorf("a request that was under way brought the profile back: %v", err)
	}
	stalled := w.awaitJob(receipt(first), "", func(j job.Job) bool { return j.Attempt > 1 })
	if !stalled.Stalled || stalled.Status != job.Processing {
		t.Errorf("with auth away it shows %+v", stalled)
	}
	for _, id := range []string{uuid.Must(uuid.NewV4()).String(), w.user.String(), "none"} {
		w.send(http.MethodGet, "/deletions/"+id, "", "").want(t, http.StatusNotFound, "deletion_not_found")
	}
}

// A leader is killed in each service in turn; the next one goes on until the end.
func TestKilledDeletionGoesOn(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"auth", "waste", "recycling"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := setup(t)
			w.profile(w.send(http.MethodGet, "/me", w.token(w.user, "Minji"), ""))
			w.peers["auth"].holds = []int64{1}
			w.peers["waste"].set(func(p *peer) { p.holds, p.jobs = []int64{9}, newIDs(3) })
			begun := w.deleteMe()
			reached := make(chan struct{}, 1)
			w.peers[name].set(func(p *peer) {
				p.before = func(ctx context.Context) error {
					reached <- struct{}{}
					<-ctx.Done()
					return ctx.Err()
				}
			})
			kill := w.lead()
			<-reached
			kill()
			if j := w.send(http.MethodGet, receipt(begun), "", "").job(t, http.StatusOK); j.Status != job.Processing {
				t.Fatalf("killed, it shows %+v", j)
			}
			w.peers[name].set(func(p *peer) { p.before = nil })
			w.lead()
			got := w.proof(w.awaitJob(receipt(begun), "", finished))
			if got.Remaining.Total() != 0 || got.Erased["auth.rows"] != 1 || got.Erased["waste.rows"] != 9 ||
				got.Erased["users.profiles"] != 1 {
				t.Errorf("proof %+v", got)
			}
		})
	}
}

func TestDeletionLooksAgainUntilAPassFindsNothing(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.peers["waste"].holds = []int64{5, 2, 1} // a late upload, then another one
	begun := w.deleteMe()
	w.lead()
	settling := w.awaitJob(receipt(begun), "", func(j job.Job) bool { return j.Stage == stageSettle })
	if settling.Progress != 90 || settling.Status != job.Processing {
		t.Errorf("settling, it shows %+v", settling)
	}
	got := w.proof(w.awaitJob(receipt(begun), "", finished))
	if got.Passes != 4 || got.Erased["waste.rows"] != 8 || got.ErasedAt == nil {
		t.Errorf("proof %+v", got)
	}
}

func TestDeletionOutlivesItsReceiptOnly(t *testing.T) {
	t.Parallel()
	w := setup(t)
	begun := w.deleteMe()
	kill := w.lead()
	w.awaitJob(receipt(begun), "", finished)
	kill()
	store := &Store{w.pool}
	if err := store.forgetDeletions(t.Context(), time.Hour); err != nil {
		t.Fatal(err)
	}
	w.send(http.MethodGet, receipt(begun), "", "").job(t, http.StatusOK)
	if err := store.forgetDeletions(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	w.send(http.MethodGet, receipt(begun), "", "").want(t, http.StatusNotFound, "deletion_not_found")
}

func TestEveryStageHasAMessage(t *testing.T) {
	t.Parallel()
	stages := map[string][]job.Stage{
		"deletion": {stageErase, stageSettle, job.StageDone},
		"export":   {job.StageQueue, stageCollect, stagePhotos, job.StageDone},
	}
	for kind, list := range stages {
		for _, stage := range list {
			for _, locale := range locales() {
				if message(kind, stage, locale) == "" {
					t.Errorf("no sentence for %s of the %s in %s", stage, kind, locale)
				}
			}
		}
	}
}
