package waste

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/gofrs/uuid/v5"

	"github.com/wastecoach/wastecoach/internal/erasure"
	"github.com/wastecoach/wastecoach/internal/job"
	"github.com/wastecoach/wastecoach/internal/pipeline"
	"github.com/wastecoach/wastecoach/internal/queue"
	"github.com/wastecoach/wastecoach/internal/testphoto"
)

const internalToken = "token-of-the-test"

// asUsers is how the users service sees this one.
func (s *system) asUsers() *erasure.Client {
	return erasure.NewClient(erasure.Peer{URL: s.bare.URL, Token: internalToken})
}

func (s *system) internal(route string, into any) {
	s.t.Helper()
	body, err := s.asUsers().Open(s.t.Context(), s.user, route)
	if err != nil {
		s.t.Fatal(err)
	}
	defer body.Close()
	text, err := io.ReadAll(body)
	if err != nil {
		s.t.Fatal(err)
	}
	if err := json.Unmarshal(text, into); err != nil {
		s.t.Fatalf("%s: %v in %s", route, err, text)
	}
}

func setupErasable(t *testing.T) *system {
	t.Helper()
	return setup(t, "WASTE_INTERNAL_TOKEN="+internalToken)
}

func (s *system) analyzed(photo []byte) uuid.UUID {
	s.t.Helper()
	id := s.analyze(s.upload(photo).UploadID).job().ID
	s.succeeded(id)
	return id
}

func TestEraseRemovesAllOfOneUser(t *testing.T) {
	t.Parallel()
	s := setupErasable(t)
	stop := s.work()
	mine, shared := jpegOf(1), jpegOf(2)
	ids := []uuid.UUID{s.analyzed(mine), s.analyzed(shared), s.analyzed(jpegOf(7))}
	s.call("POST", "/analyses/"+ids[2].String()+"/feedback", Feedback{Class: "bulky"}).want(http.StatusNoContent)
	victim, neighbor := s.user, uuid.Must(uuid.NewV7())
	s.user = neighbor
	kept := s.analyzed(shared)
	s.user = victim
	stop()
	// Without a worker: one job in the queue, one that waits for its photo, one upload for nothing.
	ids = append(ids,
		s.analyze(s.upload(jpegOf(3)).UploadID).job().ID, s.analyze(s.announce(jpegOf(4)).UploadID).job().ID)
	late := s.announce(jpegOf(5))

	users, request := s.asUsers(), erasure.Request{UserID: victim}
	before, err := users.Left(t.Context(), request)
	if err != nil {
		t.Fatal(err)
	}
	erased, err := users.Erase(t.Context(), request)
	if err != nil {
		t.Fatal(err)
	}
	for place, n := range before.Counts {
		if n == 0 || erased.Counts[place] < n && place != "redis:1:asynq" {
			t.Errorf("%s: %d were there, %d are erased", place, n, erased.Counts[place])
		}
	}
	sameJobs(t, erased.Jobs, ids)
	left, err := users.Left(t.Context(), request)
	if err != nil || left.Counts.Total() != 0 {
		t.Errorf("left %v, %v", left.Counts, err)
	}
	sameJobs(t, left.Jobs, ids)
	s.get(ids[0]).wantCode(http.StatusNotFound, "analysis_not_found")
	s.call("POST", "/uploads", announcement(jpegOf(6))).
		wantCode(http.StatusUnauthorized, "account_deleted")

	// The link was signed before: what comes by it now is found by the next call.
	s.put(late, jpegOf(5)).want(http.StatusOK)
	again, err := users.Erase(t.Context(), request)
	if err != nil || again.Counts["s3:uploads"] != 1 || again.Counts.Total() != 1 {
		t.Errorf("a late upload: erased %v, %v", again.Counts, err)
	}
	request.Last = true
	if last, err := users.Erase(t.Context(), request); err != nil || last.Counts.Total() != 0 {
		t.Errorf("the last call erased %v, %v", last.Counts, err)
	}
	if n := query[int](s, `SELECT count(*) FROM waste.erasures`); n != 0 {
		t.Errorf("%d users are still refused", n)
	}
	s.user = neighbor
	s.get(kept).want(http.StatusOK)
	if got := s.analyze(s.upload(shared).UploadID); got.Status != http.StatusCreated {
		t.Errorf("the neighbor's photo is not cached any more: %d %s", got.Status, got.Body)
	}
}

func sameJobs(t *testing.T, got, want []uuid.UUID) {
	t.Helper()
	byText := func(a, b uuid.UUID) int { return slices.Compare(a.Bytes(), b.Bytes()) }
	got, want = slices.Clone(got), slices.Clone(want)
	slices.SortFunc(got, byText)
	slices.SortFunc(want, byText)
	if !slices.Equal(got, want) {
		t.Errorf("jobs %v, want %v", got, want)
	}
}

// A worker that has the job while its user is erased ends without a trace that a second call
// would not find.
func TestEraseUnderAWorkersHands(t *testing.T) {
	t.Parallel()
	s := setupErasable(t)
	s.adviceTakes.Store(int64(300 * time.Millisecond))
	s.work()
	id := s.analyze(s.upload(jpegOf(1)).UploadID).job().ID
	s.await(id, func(j job.Job) bool { return j.Progress >= 40 })
	users, request := s.asUsers(), erasure.Request{UserID: s.user}
	if _, err := users.Erase(t.Context(), request); err != nil {
		t.Fatal(err)
	}
	tasks := s.redis.Client(1)
	for deadline := time.Now().Add(testPatience); ; <-time.After(20 * time.Millisecond) {
		keys, err := tasks.Keys(t.Context(), "asynq:{*}:t:*").Result()
		if err != nil {
			t.Fatal(err)
		}
		if len(keys) == 0 && s.advised.Load() > 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("tasks are left: %q", keys)
		}
	}
	if _, err := users.Erase(t.Context(), request); err != nil {
		t.Fatal(err)
	}
	if left, err := users.Left(t.Context(), request); err != nil || left.Counts.Total() != 0 {
		t.Errorf("left %v, %v", left.Counts, err)
	}
}

func TestForgetterSparesOtherJobs(t *testing.T) {
	t.Parallel()
	s := setup(t)
	mine := s.analyze(s.upload(jpegOf(1)).UploadID).job().ID
	s.analyze(s.upload(jpegOf(2)).UploadID)
	p, err := open(t.Context(), s.cfg, "test")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.close)
	tasks := queue.NewForgetter(p.jobs, p.looks)
	for _, want := range []int64{1, 0} {
		if n, err := tasks.Forget(t.Context(), []uuid.UUID{mine}); err != nil || n != want {
			t.Errorf("forgot %d tasks, %v; want %d", n, err, want)
		}
	}
	if n, err := p.jobs.LLen(t.Context(), "asynq:{waste}:pending").Result(); err != nil || n != 1 {
		t.Errorf("%d tasks are pending, %v; want the other job's", n, err)
	}
}

// The same photo again, and one that is nearly the same, count once.
func TestAnswersCountAPhotoOnce(t *testing.T) {
	t.Parallel()
	s := setupErasable(t)
	s.work()
	photo := jpegOf(1)
	first := s.analyzed(photo)
	s.analyzed(photo)
	s.analyzed(testphoto.JPEG(testphoto.Picture(1), 70))
	s.analyzed(testphoto.JPEG(testphoto.Picture(1), 65))
	s.analyzed(jpegOf(2))
	var got struct{ Days []dayAnswers }
	count := func() (photos, repeats int64) {
		got.Days = nil
		s.internal("/answers?tz=Asia/Seoul", &got)
		for _, d := range got.Days {
			photos += d.Count
			repeats += d.Repeats
		}
		return photos, repeats
	}
	if photos, repeats := count(); photos != 2 || repeats != 3 {
		t.Errorf("%d photos and %d repeats, want 2 and 3: %+v", photos, repeats, got)
	}
	// The numbers outlive the analyses, and follow the user's own word.
	s.call("POST", "/analyses/"+first.String()+"/feedback", Feedback{Class: "bulky"}).want(http.StatusNoContent)
	if gone := query[int](s, `WITH gone AS (DELETE FROM waste.analyses RETURNING 1)
		SELECT count(*) FROM gone`); gone != 5 {
		t.Fatalf("%d analyses", gone)
	}
	if photos, _ := count(); photos != 2 {
		t.Errorf("%d photos are counted after their analyses went", photos)
	}
	if !slices.ContainsFunc(got.Days, func(d dayAnswers) bool { return d.Class == "bulky" && d.Repeats == 3 }) {
		t.Errorf("the user's word does not count: %+v", got.Days)
	}
	s.user = uuid.Must(uuid.NewV7())
	s.analyzed(photo) // the cache knows it, this user did not
	if photos, repeats := count(); photos != 1 || repeats != 0 {
		t.Errorf("another user has %d photos and %d repeats, want 1 and 0", photos, repeats)
	}
}

func TestDataIsAllOfTheUser(t *testing.T) {
	t.Parallel()
	s := setupErasable(t)
	s.work()
	id := s.analyzed(jpegOf(1))
	s.call("POST", "/analyses/"+id.String()+"/feedback",
		Feedback{Class: "metal", Comment: "a \"can\"\nof two lines"}).want(http.StatusNoContent)
	type everything struct {
		Analyses []struct {
			ID              uuid.UUID
			Lat             float64
			Result          pipeline.Result
			FeedbackComment string `json:"feedback_comment"`
			PhotoFile       string `json:"photo_file"`
		}
		Uploads, Answers []map[string]any
	}
	var data, others everything
	s.internal("/data", &data)
	if len(data.Analyses) != 1 || len(data.Uploads) != 1 || len(data.Answers) != 1 {
		t.Fatalf("data %+v", data)
	}
	a := data.Analyses[0]
	if a.ID != id || a.Lat != 37.5 || a.Result.Advice.ItemID != "item" ||
		a.FeedbackComment != "a \"can\"\nof two lines" || a.PhotoFile != fmt.Sprintf("photos/%s.jpg", id) {
		t.Errorf("analysis %+v", a)
	}
	var photos struct{ Photos []photoOf }
	s.internal("/photos", &photos)
	if len(photos.Photos) != 1 || photos.Photos[0] != (photoOf{id, photoKey(s.user, id)}) {
		t.Errorf("photos %+v", photos)
	}
	s.user = uuid.Must(uuid.NewV7())
	s.internal("/data", &others)
	if len(others.Analyses)+len(others.Uploads)+len(others.Answers) != 0 {
		t.Errorf("another user sees %+v", others)
	}
}
