package users

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gofrs/uuid/v5"

	"github.com/wastecoach/wastecoach/internal/job"
	"github.com/wastecoach/wastecoach/internal/objectstore"
)

func (w *world) beginExport() job.Job {
	w.t.Helper()
	got := w.send(http.MethodPost, "/me/export", w.token(w.user, ""), "")
	j := got.job(w.t, http.StatusAccepted)
	if got.header.Get("Location") != "/api/v1/users/me/export" || got.header.Get("Poll-After-Ms") == "" {
		w.t.Errorf("headers %v", got.header)
	}
	return j
}

func (w *world) awaitExport(ok func(job.Job) bool) job.Job {
	w.t.Helper()
	return w.awaitJob("/me/export", w.token(w.user, ""), ok)
}

// havePhotos puts n photos into the bucket and lists them, and one that is not there.
func (w *world) havePhotos(n int) map[string]string {
	w.t.Helper()
	store := objectstore.New(w.cfg.S3)
	want := map[string]string{}
	list := []photo{{AnalysisID: uuid.Must(uuid.NewV7()), Key: "photos/none.jpg"}}
	for i := range n {
		p := photo{AnalysisID: uuid.Must(uuid.NewV7())}
		p.Key = "photos/" + p.AnalysisID.String()
		body := fmt.Sprintf("photo %d", i)
		if err := store.Put(w.t.Context(), p.Key, "image/jpeg", []byte(body)); err != nil {
			w.t.Fatal(err)
		}
		want["photos/"+p.AnalysisID.String()+".jpg"] = body
		list = append(list, p)
	}
	body, err := json.Marshal(map[string]any{"photos": list})
	if err != nil {
		w.t.Fatal(err)
	}
	w.peers["waste"].set(func(p *peer) { p.photos = string(body) })
	return want
}

// download follows the link as an app does.
func (w *world) download() map[string]string {
	w.t.Helper()
	got := w.send(http.MethodGet, "/me/export/download", w.token(w.user, ""), "")
	if got.status != http.StatusFound {
		w.t.Fatalf("download: %d %s", got.status, got.body)
	}
	req, err := http.NewRequestWithContext(w.t.Context(), http.MethodGet, got.header.Get("Location"), http.NoBody)
	if err != nil {
		w.t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	archive, err := zip.NewReader(bytes.NewReader(body), int64(len(body)))
	if err != nil {
		w.t.Fatalf("status %d: %v", resp.StatusCode, err)
	}
	files := map[string]string{}
	for _, f := range archive.File {
		r, err := f.Open()
		if err != nil {
			w.t.Fatal(err)
		}
		text, err := io.ReadAll(r) // checks the CRC
		if err != nil {
			w.t.Fatal(err)
		}
		files[f.Name] = string(text)
	}
	return files
}

func TestExportHoldsEverything(t *testing.T) {
	t.Parallel()
	w := setup(t)
	bearer := w.token(w.user, "Minji")
	w.profile(w.send(http.MethodGet, "/me", bearer, ""))
	w.send(http.MethodGet, "/me/export", bearer, "").want(t, http.StatusNotFound, "export_not_found")
	w.send(http.MethodGet, "/me/export/download", bearer, "").want(t, http.StatusNotFound, "export_not_found")
	want := w.havePhotos(30)
	begun := w.beginExport()
	if begun.Status != job.Queued || begun.Progress != 0 || begun.Message == "" {
		t.Errorf("it begins as %+v", begun)
	}
	if again := w.beginExport(); again.ID != begun.ID {
		t.Errorf("asking again began export %s beside %s", again.ID, begun.ID)
	}
	w.send(http.MethodGet, "/me/export/download", bearer, "").want(t, http.StatusConflict, "export_not_ready")
	w.lead()
	done := w.awaitExport(finished)
	var result exportResult
	decode(t, done.Result, &result)
	if done.Status != job.Succeeded || done.Progress != 100 || *result.Photos != 30 || *result.Size == 0 ||
		done.Links.Download != "/api/v1/users/me/export/download" {
		t.Errorf("it ended as %+v, %s", done, done.Result)
	}
	files := w.download()
	for name, text := range want {
		if files[name] != text {
			t.Errorf("%s is %q, want %q", name, files[name], text)
		}
		delete(files, name)
	}
	names := slices.Sorted(maps.Keys(files))
	if !slices.Equal(names, []string{"auth.json", "users.json", "waste.json"}) {
		t.Errorf("other files %q", names)
	}
	if files["auth.json"] != `{"held_by":"auth"}`+"\n" || files["waste.json"] != `{"held_by":"waste"}`+"\n" {
		t.Errorf("files %q", files)
	}
	if !strings.Contains(files["users.json"], `"display_name":"Minji"`) {
		t.Errorf("users.json is %s", files["users.json"])
	}
	w.expire(done)
}

// expire looks at what remains once the time of an export is over, and that a new one can be had.
func (w *world) expire(done job.Job) {
	w.t.Helper()
	if _, err := w.pool.Exec(w.t.Context(), `UPDATE exports SET check_at = now()`); err != nil {
		w.t.Fatal(err)
	}
	w.awaitExport(func(j job.Job) bool { return j.Status == job.Expired })
	w.send(http.MethodGet, "/me/export/download", w.token(w.user, ""), "").
		want(w.t, http.StatusGone, "export_expired")
	if n, err := objectstore.New(w.cfg.S3).CountPrefix(w.t.Context(), exportPrefix(w.user)); err != nil || n != 0 {
		w.t.Errorf("%d objects are left, %v", n, err)
	}
	if next := w.beginExport(); next.ID == done.ID {
		w.t.Error("asking again found the expired one")
	}
	w.awaitExport(finished)
	w.download()
}

func TestExportThatBreaksOffIsMadeAgain(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.havePhotos(1)
	w.peers["waste"].set(func(p *peer) { p.data = `{"analyses":[{"id":` }) // no line feed: cut off
	w.beginExport()
	w.lead()
	w.awaitExport(func(j job.Job) bool {
		return j.Attempt == 1 && j.Status == job.Queued && !j.UpdatedAt.Equal(j.CreatedAt)
	})
	w.peers["waste"].set(func(p *peer) { p.data = "{}\n" })
	if _, err := w.pool.Exec(t.Context(), `UPDATE exports SET check_at = now()`); err != nil {
		t.Fatal(err)
	}
	done := w.awaitExport(finished)
	if done.Status != job.Succeeded || done.Attempt != 2 || w.download()["waste.json"] != "{}\n" {
		t.Errorf("it ended as %+v", done)
	}
}

func TestExportFailsAfterItsTries(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.peers["auth"].set(func(p *peer) { p.data = "" })
	w.beginExport()
	if _, err := w.pool.Exec(t.Context(), `UPDATE exports SET attempt = $1`, exportTries-1); err != nil {
		t.Fatal(err)
	}
	w.lead()
	done := w.awaitExport(finished)
	if done.Status != job.Failed || done.Error == nil || done.Error.Code != "export_failed" {
		t.Errorf("it ended as %+v", done)
	}
	w.send(http.MethodGet, "/me/export/download", w.token(w.user, ""), "").
		want(t, http.StatusConflict, "export_not_ready")
}

// An export of a user who is erased meanwhile leaves nothing behind.
func TestExportGivesWayToErasure(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.havePhotos(3)
	w.beginExport()
	store := &Store{w.pool}
	e, err := store.claimExport(t.Context(), time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	objects := objectstore.New(w.cfg.S3)
	if _, err := (&eraser{store, objects}).Erase(t.Context(), erasureOf(w.user)); err != nil {
		t.Fatal(err)
	}
	if err := w.parts.exporter().work(t.Context(), &e); err != nil {
		t.Fatal(err)
	}
	if n, err := objects.CountPrefix(t.Context(), "exports/"); err != nil || n != 0 {
		t.Errorf("%d objects are left, %v", n, err)
	}
}
