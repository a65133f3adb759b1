package waste

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"image/jpeg"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gofrs/uuid/v5"
	"golang.org/x/image/draw"

	"github.com/wastecoach/wastecoach/internal/job"
	"github.com/wastecoach/wastecoach/internal/objectstore"
	"github.com/wastecoach/wastecoach/internal/openaitest"
	"github.com/wastecoach/wastecoach/internal/pipeline"
	"github.com/wastecoach/wastecoach/internal/redisdb"
	"github.com/wastecoach/wastecoach/internal/testdb"
	"github.com/wastecoach/wastecoach/internal/testphoto"
	"github.com/wastecoach/wastecoach/internal/tests3"
)

func TestPhotoToAnswer(t *testing.T) {
	t.Parallel()
	s := setup(t)
	s.work()
	id := s.analyze(s.upload(jpegOf(1)).UploadID).want(http.StatusAccepted).job().ID
	r := s.succeeded(id)
	if r.Vision.Model != "test-model" || r.Cached || !r.Vision.Class.Valid() {
		t.Errorf("vision %+v", r.Vision)
	}
	if r.Advice.ItemName != "Item en" || len(r.Advice.Steps) == 0 {
		t.Errorf("advice %+v", r.Advice)
	}
	if len(r.CollectionPoints) != 1 || len(r.Warnings) != 0 {
		t.Errorf("points %+v, warnings %v", r.CollectionPoints, r.Warnings)
	}
	link := s.call("GET", "/analyses/"+id.String()+"/photo", nil).want(http.StatusFound)
	photo := s.fetch(link.Header.Get("Location"))
	if _, err := jpeg.Decode(bytes.NewReader(photo)); err != nil {
		t.Errorf("the photo: %v", err)
	}
	if calls := s.model.Calls(); len(calls) != 1 || calls[0].IdempotencyKey == "" {
		t.Errorf("%d calls %+v", len(calls), calls)
	}
	waitFor(t, "the original to go", s.originalsGone)
	path := "/analyses/" + id.String()
	s.call("GET", path+"/photo", nil, "Authorization", "").wantCode(401, "unauthorized")
	s.call("POST", path+"/cancel", nil).wantCode(409, "analysis_finished")
}

func (s *system) originalsGone() bool {
	return query[int](s, `SELECT count(*) FROM waste.uploads WHERE original_deleted_at IS NULL`) == 0
}

func (s *system) fetch(url string) []byte {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, url, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	return s.send(r).want(http.StatusOK).Body
}

func TestPlaceAndOrientationLeaveWithTheMetadata(t *testing.T) {
	t.Parallel()
	s := setup(t)
	s.work()
	const marker = "SECRET-PLACE"
	photo := withExif(jpegOf(2), 6, marker)
	if !bytes.Contains(photo, []byte(marker)) {
		t.Fatal("the test photo carries no metadata")
	}
	id := s.analyze(s.upload(photo).UploadID).want(http.StatusAccepted).job().ID
	s.succeeded(id)
	seen := s.model.Calls()[0].Image
	link := s.call("GET", "/analyses/"+id.String()+"/photo", nil).want(http.StatusFound)
	for name, kept := range map[string][]byte{
		"model": seen, "store": s.fetch(link.Header.Get("Location")),
	} {
		if bytes.Contains(kept, []byte(marker)) || bytes.Contains(kept, []byte("Exif")) {
			t.Errorf("the %s keeps metadata", name)
		}
		cfg, err := jpeg.DecodeConfig(bytes.NewReader(kept))
		if err != nil || cfg.Width != 240 || cfg.Height != 320 {
			t.Errorf("the %s has %dx%d (%v), want it upright at 240x320", name, cfg.Width, cfg.Height, err)
		}
	}
	waitFor(t, "the original to go", s.originalsGone)
	key := query[string](s, `SELECT object_key FROM waste.uploads`)
	if _, err := objectstore.New(s.cfg.S3).Head(t.Context(), key); err == nil {
		t.Error("the original is still in the store")
	}
}

// withExif adds an orientation, a description and a GPS latitude to a JPEG.
func withExif(photo []byte, orientation uint16, description string) []byte {
	var tiff bytes.Buffer
	put := func(values ...any) {
		for _, v := range values {
			if err := binary.Write(&tiff, binary.BigEndian, v); err != nil {
				panic(err)
			}
		}
	}
	text := []byte(description + "\x00")
	const firstIFD, entries = 8, 3
	textAt := uint32(firstIFD + 2 + entries*12 + 4)
	gpsAt := textAt + uint32(len(text))
	put([]byte("MM"), uint16(42), uint32(firstIFD), uint16(entries))
	put(uint16(0x010e), uint16(2), uint32(len(text)), textAt)
	put(uint16(0x0112), uint16(3), uint32(1), orientation, uint16(0))
	put(uint16(0x8825), uint16(4), uint32(1), gpsAt)
	put(uint32(0), text)
	put(uint16(1), uint16(1), uint16(2), uint32(2), []byte("N\x00\x00\x00"), uint32(0))
	segment := append([]byte("Exif\x00\x00"), tiff.Bytes()...)
	out := []byte{0xff, 0xd8, 0xff, 0xe1}
	out = binary.BigEndian.AppendUint16(out, uint16(len(segment)+2))
	return append(append(out, segment...), photo[2:]...)
}

func TestPhotosThatCannotBeUsed(t *testing.T) {
	t.Parallel()
	s := setup(t)
	s.work()
	whole := jpegOf(3)
	tests := map[string]struct {
		data []byte
		code string
	}{
		"truncated JPEG": {whole[:len(whole)/2], "photo_corrupt"},
		"GIF bomb":       {gifBomb(), "photo_type_unsupported"},
		"huge PNG":       {hugePNG(), "photo_too_many_pixels"},
		"text":           {[]byte(strings.Repeat("no photo ", 50)), "photo_type_unsupported"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			id := s.analyze(s.upload(tt.data).UploadID).want(http.StatusAccepted).job().ID
			j := s.finished(id)
			if j.Status != job.Failed || j.Error == nil || j.Error.Code != tt.code {
				t.Fatalf("ended as %s with %+v, want %s", j.Status, j.Error, tt.code)
			}
			if j.Error.Retryable || j.Error.Detail == "" {
				t.Errorf("error %+v", j.Error)
			}
			if j.Attempt != 1 {
				t.Errorf("%d attempts at a hopeless photo", j.Attempt)
			}
		})
	}
	if calls := s.model.Calls(); len(calls) != 0 {
		t.Errorf("%d calls were paid for", len(calls))
	}
}

// gifBomb asks for 4 GiB of memory in 34 bytes.
func gifBomb() []byte {
	b := []byte("GIF89a\xff\xff\xff\xff\x80\x00\x00\x00\x00\x00\xff\xff\xff\x2c\x00\x00\x00\x00")
	return append(b, 0xff, 0xff, 0xff, 0xff, 0, 2, 2, 0x4c, 1)
}

// hugePNG has a header of 20,000 x 20,000 pixels and nothing behind it.
func hugePNG() []byte {
	var b bytes.Buffer
	b.WriteString("\x89PNG\r\n\x1a\n")
	chunk := binary.BigEndian.AppendUint32([]byte("IHDR"), 20_000)
	chunk = binary.BigEndian.AppendUint32(chunk, 20_000)
	chunk = append(chunk, 8, 6, 0, 0, 0)
	_ = binary.Write(&b, binary.BigEndian, uint32(len(chunk)-4))
	b.Write(chunk)
	_ = binary.Write(&b, binary.BigEndian, checksum(chunk))
	return b.Bytes()
}

func TestUploadArrivesAfterTheAnalysisIsAsked(t *testing.T) {
	t.Parallel()
	s := setup(t)
	s.work()
	photo := jpegOf(4)
	ticket := s.announce(photo)
	j := s.analyze(ticket.UploadID).want(http.StatusAccepted).job()
	if j.Status != job.AwaitingUpload || j.Stage != job.StageUpload {
		t.Fatalf("job %+v", j)
	}
	s.put(ticket, photo).want(http.StatusOK)
	s.succeeded(j.ID)
}

func TestUploadNeverFinishedExpires(t *testing.T) {
	t.Parallel()
	s := setup(t, "WASTE_JOBS_UPLOAD_VALID=1s")
	s.work()
	ticket := s.announce(jpegOf(5))
	id := s.analyze(ticket.UploadID).want(http.StatusAccepted).job().ID
	waitFor(t, "the job to expire", func() bool { return s.get(id).Status == http.StatusGone })
	a := s.get(id).wantCode(410, "analysis_expired")
	if a.Header.Get("ETag") != "" {
		t.Error("an error has no ETag")
	}
	if query[bool](s, `SELECT lat IS NOT NULL FROM waste.analyses`) {
		t.Error("the place is still in the database")
	}
	path := "/analyses/" + id.String()
	s.call("POST", path+"/cancel", nil).wantCode(410, "analysis_expired")
	s.call("GET", path+"/photo", nil).wantCode(410, "analysis_expired")
	s.call("POST", path+"/feedback", Feedback{Class: "glass"}).wantCode(410, "analysis_expired")
	late := s.announce(jpegOf(6))
	waitFor(t, "the second upload to expire", func() bool {
		return query[bool](s, `SELECT bool_and(expires_at < now()) FROM waste.uploads`)
	})
	s.analyze(late.UploadID).wantCode(410, "upload_expired")
}

func TestRetentionErasesEverything(t *testing.T) {
	t.Parallel()
	s := setup(t, "WASTE_JOBS_RETENTION=3s")
	s.work()
	id := s.analyze(s.upload(jpegOf(7)).UploadID).want(http.StatusAccepted).job().ID
	s.succeeded(id)
	s.call("POST", "/analyses/"+id.String()+"/feedback", Feedback{Class: "lamp", Comment: "mine"}).
		want(http.StatusNoContent)
	key := query[string](s, `SELECT photo_key FROM waste.analyses`)
	waitFor(t, "the job to expire", func() bool { return s.get(id).Status == http.StatusGone })
	if _, err := objectstore.New(s.cfg.S3).Head(t.Context(), key); err == nil {
		t.Error("the photo is still in the store")
	}
	left := query[int](s, `SELECT count(*) FROM waste.analyses
		WHERE result IS NOT NULL OR verdict IS NOT NULL OR lat IS NOT NULL`)
	if left != 0 {
		t.Error("the answer is still in the database")
	}
	if n := query[int](s, `SELECT count(*) FROM waste.feedback`); n != 0 {
		t.Error("the feedback is still in the database")
	}
	_, err := s.db.Pool("waste").Exec(t.Context(),
		`UPDATE analyses SET updated_at = now() - make_interval(secs => $1)`,
		seconds(tombstones+time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the last trace to go", func() bool {
		return query[int](s, `SELECT (SELECT count(*) FROM waste.analyses) +
			(SELECT count(*) FROM waste.uploads)`) == 0
	})
	s.get(id).wantCode(404, "analysis_not_found")
}

func TestSamePhotoAgainIsAnsweredByTheCache(t *testing.T) {
	t.Parallel()
	s := setup(t)
	s.work()
	photo := jpegOf(8)
	s.succeeded(s.analyze(s.upload(photo).UploadID).want(http.StatusAccepted).job().ID)

	t.Run("the same bytes", func(t *testing.T) {
		ticket := s.upload(photo)
		j := s.analyze(ticket.UploadID).want(http.StatusCreated).job() // created and done, without a worker
		if r := s.succeeded(j.ID); !r.Cached || len(r.CollectionPoints) != 1 {
			t.Errorf("result %+v", r)
		}
		waitFor(t, "the photo without metadata", func() bool {
			a := s.call("GET", "/analyses/"+j.ID.String()+"/photo", nil)
			return a.Status == http.StatusFound
		})
		waitFor(t, "the original to go", s.originalsGone)
	})
	t.Run("re-encoded and resized", func(t *testing.T) {
		small := image.NewRGBA(image.Rect(0, 0, 224, 168))
		whole := testphoto.Picture(8)
		draw.CatmullRom.Scale(small, small.Bounds(), whole, whole.Bounds(), draw.Src, nil)
		id := s.analyze(s.upload(testphoto.JPEG(small, 60)).UploadID).want(http.StatusAccepted).job().ID
		if r := s.succeeded(id); !r.Cached {
			t.Error("no hit")
		}
	})
	t.Run("in another language only the advice is new", func(t *testing.T) {
		before := s.advised.Load()
		a := s.call("POST", "/analyses", map[string]any{"upload_id": s.upload(photo).UploadID},
			"Idempotency-Key", "ko").want(http.StatusAccepted)
		if r := s.succeeded(a.job().ID); r.Advice.ItemName != "Item ko" || !r.Cached {
			t.Errorf("cached %t, advice %+v", r.Cached, r.Advice)
		}
		if s.advised.Load() != before+1 {
			t.Error("no advice was asked for")
		}
	})
	if calls := s.model.Calls(); len(calls) != 1 {
		t.Errorf("%d vision calls, want 1", len(calls))
	}
	t.Run("another photo is no hit", func(t *testing.T) {
		id := s.analyze(s.upload(jpegOf(9)).UploadID).want(http.StatusAccepted).job().ID
		if r := s.succeeded(id); r.Cached {
			t.Error("answered by the cache")
		}
	})
}

func TestFeedbackForgetsTheAnswer(t *testing.T) {
	t.Parallel()
	s := setup(t)
	s.work()
	photo := jpegOf(11)
	id := s.analyze(s.upload(photo).UploadID).want(http.StatusAccepted).job().ID
	was := s.succeeded(id).Vision.Class
	path := "/analyses/" + id.String() + "/feedback"

	s.call("POST", path, Feedback{Class: "nonsense"}).wantCode(422, "invalid")
	s.call("POST", path, Feedback{Class: "glass", Comment: strings.Repeat("가", 501)}).
		wantCode(422, "invalid")
	s.call("POST", path, "{").wantCode(400, "malformed")
	s.call("POST", path, "{}", "Content-Type", "text/plain").wantCode(415, "not_json")
	s.call("POST", path, "{}", "Authorization", "").wantCode(401, "unauthorized")
	unknown := "/analyses/" + uuid.Must(uuid.NewV7()).String() + "/feedback"
	s.call("POST", path, Feedback{Class: "glass", Comment: "a\x00b"}).wantCode(422, "invalid")
	s.call("POST", unknown, Feedback{Class: "glass"}).wantCode(404, "analysis_not_found")

	s.call("POST", path, Feedback{Class: was}).want(http.StatusNoContent)
	s.analyze(s.upload(photo).UploadID).want(http.StatusCreated)
	other := Feedback{Class: "lamp", Comment: "it is a lamp"}
	if was == other.Class {
		other.Class = "glass"
	}
	for range 2 { // the last word counts
		s.call("POST", path, other).want(http.StatusNoContent)
	}
	if got := query[string](s, `SELECT class FROM waste.feedback`); got != string(other.Class) {
		t.Errorf("kept %q", got)
	}
	s.analyze(s.upload(photo).UploadID).want(http.StatusAccepted)
}

func TestFeedbackForgetsTheAnswerOfTheOneLikeIt(t *testing.T) {
	t.Parallel()
	s := setup(t)
	s.work()
	first := testphoto.JPEG(testphoto.Picture(12), 95)
	again := testphoto.JPEG(testphoto.Picture(12), 70)
	third := testphoto.JPEG(testphoto.Picture(12), 60)
	was := s.succeeded(s.analyze(s.upload(first).UploadID).want(http.StatusAccepted).job().ID)
	id := s.analyze(s.upload(again).UploadID).want(http.StatusAccepted).job().ID
	if !s.succeeded(id).Cached {
		t.Fatal("the second photo was no hit")
	}
	other := Feedback{Class: "lamp"}
	if was.Vision.Class == other.Class {
		other.Class = "glass"
	}
	s.call("POST", "/analyses/"+id.String()+"/feedback", other).want(http.StatusNoContent)
	id = s.analyze(s.upload(third).UploadID).want(http.StatusAccepted).job().ID
	if s.succeeded(id).Cached {
		t.Error("the answer that was called wrong is given again")
	}
}

func TestModelFaults(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		script []openaitest.Behavior
		code   string // "" where the job succeeds in the end
	}{
		"rate limited, then well": {[]openaitest.Behavior{openaitest.RateLimited(time.Second)}, ""},
		"two faults, then well":   {[]openaitest.Behavior{openaitest.ServerError(), openaitest.Cut()}, ""},
		"refused":                 {[]openaitest.Behavior{openaitest.Refuse()}, "vision_refused"},
		"wrong key": {
			[]openaitest.Behavior{openaitest.Status(401, "invalid_api_key")}, "vision_unavailable",
		},
		"always garbage": {
			[]openaitest.Behavior{
				openaitest.Garbage(), openaitest.Garbage(), openaitest.Garbage(), openaitest.Garbage(),
				openaitest.Garbage(), openaitest.Garbage(), openaitest.Garbage(), openaitest.Garbage(),
			}, "vision_unavailable",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := setup(t, "WASTE_JOBS_MAX_TRIES=3")
			s.model.Script(tt.script...)
			s.work()
			id := s.analyze(s.upload(jpegOf(20)).UploadID).want(http.StatusAccepted).job().ID
			if tt.code == "" {
				s.succeeded(id)
				return
			}
			j := s.finished(id)
			if j.Status != job.Failed || j.Error.Code != tt.code {
				t.Errorf("ended as %s with %+v", j.Status, j.Error)
			}
		})
	}
}

func TestLocationsServiceDown(t *testing.T) {
	t.Parallel()
	s := setup(t)
	s.placesDown.Store(true)
	s.work()
	r := s.succeeded(s.analyze(s.upload(jpegOf(21)).UploadID).want(http.StatusAccepted).job().ID)
	if len(r.CollectionPoints) != 0 || fmt.Sprint(r.Warnings) != "["+warnNoPlaces+"]" {
		t.Errorf("points %v, warnings %v", r.CollectionPoints, r.Warnings)
	}
}

func TestPhotoStoreAway(t *testing.T) {
	t.Parallel()
	photos := tests3.Server(t)
	s := setupOn(t, testdb.New(t, "waste"), photos.Bucket)
	ticket, waiting := s.upload(jpegOf(22)), s.upload(jpegOf(23))
	id := s.analyze(ticket.UploadID).want(http.StatusAccepted).job().ID
	photos.Stop()
	a := s.analyze(waiting.UploadID).wantCode(503, "photo_store_unavailable")
	if a.Header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	s.work()
	s.await(id, func(j job.Job) bool { return j.Attempt > 1 })
	photos.Restart()
	s.succeeded(id)
	s.succeeded(s.analyze(waiting.UploadID).want(http.StatusAccepted).job().ID)
}

func TestPostgresRestartedInMidJob(t *testing.T) {
	t.Parallel()
	db := testdb.Server(t)
	s := setupOn(t, db.DB, tests3.New(t))
	s.model.Script(openaitest.Slow(2 * time.Second))
	s.work()
	id := s.analyze(s.upload(jpegOf(24)).UploadID).want(http.StatusAccepted).job().ID
	s.await(id, func(j job.Job) bool { return j.Progress == 40 })
	db.Kill()
	if a := s.get(id); a.Status != http.StatusOK {
		t.Errorf("a poll needs PostgreSQL: %d", a.Status)
	}
	s.call("POST", "/uploads", announcement(jpegOf(25))).wantCode(503, "unavailable")
	db.Restart()
	s.succeeded(id)
}

func TestRedisEmptiedWhileJobsWait(t *testing.T) {
	t.Parallel()
	s := setup(t)
	var ids []uuid.UUID
	for i := range 5 {
		ids = append(ids, s.analyze(s.upload(jpegOf(uint64(30+i))).UploadID).
			want(http.StatusAccepted).job().ID)
	}
	s.flushRedis()
	s.work()
	for _, id := range ids {
		s.succeeded(id)
	}
}

func TestRedisEmptiedInMidJob(t *testing.T) {
	t.Parallel()
	s := setup(t)
	s.model.Script(openaitest.Slow(2 * time.Second))
	s.work()
	id := s.analyze(s.upload(jpegOf(40)).UploadID).want(http.StatusAccepted).job().ID
	s.await(id, func(j job.Job) bool { return j.Progress == 40 })
	s.flushRedis()
	s.succeeded(id)
	if n := len(s.model.Calls()); n != 1 {
		t.Errorf("%d vision calls, want 1", n)
	}
}

func TestDeadWorkersJobGoesToAnother(t *testing.T) {
	t.Parallel()
	s := setup(t)
	id := s.analyze(s.upload(jpegOf(41)).UploadID).want(http.StatusAccepted).job().ID
	store := NewStore(s.db.Pool("waste"))
	dead, err := store.claim(t.Context(), pipeline.JobRef{JobID: id}, pipeline.Analyze, "dead",
		s.cfg.Jobs.Lease)
	if err != nil {
		t.Fatal(err)
	}
	s.work()
	s.succeeded(id)

	t.Run("and what it still writes changes nothing", func(t *testing.T) {
		before := s.get(id).Body
		if _, err := store.advance(t.Context(), &dead, step{Progress: 30, Stage: job.StageVision},
			s.cfg.Jobs.Lease); err == nil {
			t.Error("a fenced write went through")
		}
		if _, err := store.succeed(t.Context(), &dead, pipeline.Result{}); err == nil {
			t.Error("a fenced result went through")
		}
		if after := s.get(id).Body; !bytes.Equal(before, after) {
			t.Errorf("changed from %s to %s", before, after)
		}
	})
}

func TestAdviceForAJobThatWasSentAgain(t *testing.T) {
	t.Parallel()
	s := setup(t)
	id := s.analyze(s.upload(jpegOf(45)).UploadID).want(http.StatusAccepted).job().ID
	// As the reconciler leaves a job whose advice took too long.
	_, err := s.db.Pool("waste").Exec(t.Context(), `UPDATE analyses SET status = 'queued',
		next_task = 'recycling:advise', stage = 'advice', progress = 60, dispatch = 7`)
	if err != nil {
		t.Fatal(err)
	}
	store, lease := NewStore(s.db.Pool("waste")), s.cfg.Jobs.Lease
	a, err := store.claimAdvised(t.Context(), id, pipeline.Advice{ItemID: "box"}, "w", lease)
	if err != nil || a.Status != job.Processing || a.Progress != 80 {
		t.Fatalf("claimed as %s at %d: %v", a.Status, a.Progress, err)
	}
	if err := store.renew(t.Context(), &a, lease); err != nil {
		t.Errorf("the lease cannot be renewed: %v", err)
	}
	_, err = store.claimAdvised(t.Context(), id, pipeline.Advice{ItemID: "can"}, "w2", lease)
	if !errors.Is(err, errNotOurs) {
		t.Errorf("the advice was taken twice: %v", err)
	}
}

func TestSlowAdviceShowsNoStepBack(t *testing.T) {
	t.Parallel()
	s := setup(t)
	s.adviceTakes.Store(int64(adviceCheck + 2*time.Second))
	s.work()
	id := s.analyze(s.upload(jpegOf(46)).UploadID).want(http.StatusAccepted).job().ID
	j := s.await(id, func(j job.Job) bool {
		if j.Progress >= 60 && j.Status == job.Queued {
			t.Error("the job is shown as queued again")
		}
		return j.Status.Final()
	})
	if j.Status != job.Succeeded || j.Attempt != 1 {
		t.Errorf("ended as %s in attempt %d", j.Status, j.Attempt)
	}
	if s.advised.Load() < 2 {
		t.Error("the recycling worker was not reminded, so this test shows nothing")
	}
}

func TestJobThatKeepsLosingItsTasksEnds(t *testing.T) {
	t.Parallel()
	s := setup(t)
	id := s.analyze(s.upload(jpegOf(47)).UploadID).want(http.StatusAccepted).job().ID
	_, err := s.db.Pool("waste").Exec(t.Context(),
		`UPDATE analyses SET restarts = $1, check_at = now()`, maxRestarts+1)
	if err != nil {
		t.Fatal(err)
	}
	s.work()
	j := s.finished(id)
	if j.Status != job.Failed || j.Error.Code != "analysis_abandoned" || !j.Error.Retryable {
		t.Errorf("ended as %s with %+v", j.Status, j.Error)
	}
}

func TestLostWriteToRedisIsFoundOut(t *testing.T) {
	t.Parallel()
	s := setup(t)
	id := s.analyze(s.upload(jpegOf(48)).UploadID).want(http.StatusAccepted).job().ID
	redis, key := s.redis.Client(int(redisdb.Jobs)), "job:"+id.String()
	before := redis.HGetAll(t.Context(), key).Val()
	s.call("POST", "/analyses/"+id.String()+"/cancel", nil).want(http.StatusOK)
	before["checked"] = "0" // nobody has looked for a while
	if err := redis.HSet(t.Context(), key, before).Err(); err != nil {
		t.Fatal(err)
	}
	if j := s.get(id).want(http.StatusOK).job(); j.Status != job.Canceled {
		t.Errorf("shown as %s", j.Status)
	}
}

func TestFinishedStagesAreNotPaidTwice(t *testing.T) {
	t.Parallel()
	s := setup(t)
	id := s.analyze(s.upload(jpegOf(42)).UploadID).want(http.StatusAccepted).job().ID
	stop := s.work()
	s.succeeded(id)
	stop()
	// As if the worker had died right after the verdict was stored.
	_, err := s.db.Pool("waste").Exec(t.Context(), `UPDATE analyses SET status = 'processing',
		next_task = 'waste:analyze', worker = 'dead', check_at = now(), result = NULL, advice = NULL,
		finished_at = NULL, progress = 60, dispatch = dispatch + 1, version = version + 10`)
	if err != nil {
		t.Fatal(err)
	}
	s.flushRedis()
	s.work()
	s.succeeded(id)
	if n := len(s.model.Calls()); n != 1 {
		t.Errorf("%d vision calls, want 1", n)
	}
}

func TestStoppingWorkerHandsItsJobBack(t *testing.T) {
	t.Parallel()
	s := setup(t)
	s.model.Script(openaitest.Hang())
	stop := s.work()
	id := s.analyze(s.upload(jpegOf(43)).UploadID).want(http.StatusAccepted).job().ID
	s.await(id, func(j job.Job) bool { return j.Progress == 40 })
	stop()
	if got := query[string](s, `SELECT status || ' ' || tries FROM waste.analyses`); got != "queued 0" {
		t.Errorf("left as %q, want it queued with no try burnt", got)
	}
	s.work()
	s.succeeded(id)
}

func TestOrphanedTaskIsReplaced(t *testing.T) {
	t.Parallel()
	s := setup(t)
	id := s.analyze(s.upload(jpegOf(44)).UploadID).want(http.StatusAccepted).job().ID
	// An active task without a lease, which asynq itself never recovers (asynq #1051).
	redis := s.redis.Client(int(redisdb.Jobs))
	task := redis.LMove(t.Context(),
		"asynq:{waste}:pending", "asynq:{waste}:active", "RIGHT", "LEFT").Val()
	redis.HSet(t.Context(), "asynq:{waste}:t:"+task, "state", "active")
	s.work()
	s.succeeded(id)
}
