package clienttest

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/gofrs/uuid/v5"

	"github.com/wastecoach/wastecoach/internal/job"
	"github.com/wastecoach/wastecoach/internal/problem"
)

// MaxPhoto is the largest photo in bytes.
const MaxPhoto = 1 << 20

func (s *Server) createUpload(w http.ResponseWriter, r *http.Request) {
	var body struct {
		SHA256      string `json:"sha256"`
		Size        int    `json:"size"`
		ContentType string `json:"content_type"`
	}
	if !read(w, r, &body) {
		return
	}
	if body.Size > MaxPhoto {
		Refuse(w, problem.New(problem.TooLarge, "photo_too_large", "The photo is too large."))
		return
	}
	id := uuid.Must(uuid.NewV7()).String()
	s.mu.Lock()
	s.uploads[id] = &upload{sum: body.SHA256, size: body.Size}
	s.mu.Unlock()
	reply(w, http.StatusCreated, map[string]any{
		"upload_id": id, "method": "PUT", "url": s.URL + "/bucket/" + id + "?signature=secret",
		"headers": map[string]string{
			"Content-Type": body.ContentType, "If-None-Match": "*",
			"X-Amz-Checksum-Sha256": body.SHA256,
		},
		"expires_at": time.Now().Add(5 * time.Minute).UTC(),
	})
}

func (s *Server) put(w http.ResponseWriter, r *http.Request) {
	data, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	sum := sha256.Sum256(data)
	s.mu.Lock()
	defer s.mu.Unlock()
	up := s.uploads[r.PathValue("id")]
	switch {
	case up == nil || r.Header.Get("If-None-Match") != "*" ||
		r.Header.Get("X-Amz-Checksum-Sha256") != up.sum || r.ContentLength != int64(up.size):
		s3Error(w, http.StatusForbidden, "SignatureDoesNotMatch", "The signature does not match.")
	case hex.EncodeToString(sum[:]) != up.sum:
		s3Error(w, http.StatusBadRequest, "BadDigest", "The checksum did not match.")
	case up.data != nil:
		s3Error(w, http.StatusPreconditionFailed, "PreconditionFailed", "It exists.")
	default:
		up.data = data
	}
}

func s3Error(w http.ResponseWriter, status int, code, message string) {
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	_, _ = fmt.Fprintf(w, "<Error><Code>%s</Code><Message>%s</Message></Error>", code, message)
}

func (s *Server) create(w http.ResponseWriter, r *http.Request) {
	var body struct {
		UploadID string                      `json:"upload_id"`
		Location *struct{ Lat, Lng float64 } `json:"location"`
		Locale   string                      `json:"locale"`
	}
	if !read(w, r, &body) {
		return
	}
	key := r.Header.Get("Idempotency-Key")
	if key == "" {
		Refuse(w, problem.New(problem.Malformed, "idempotency_key_missing", "Send a key."))
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if id, again := s.byKey[key]; again {
		s.show(w, http.StatusAccepted, s.jobs[id])
		return
	}
	up := s.uploads[body.UploadID]
	if up == nil || up.data == nil {
		Refuse(w, problem.New(problem.NotFound, "upload_not_found", "There is no such upload."))
		return
	}
	a := newAnalysis(up.data, body.Locale, body.Location != nil)
	id := a.job.ID.String()
	s.jobs[id], s.byKey[key] = a, id
	status := http.StatusAccepted
	if a.job.Status.Final() {
		status = http.StatusCreated
	}
	s.show(w, status, a)
}

func newAnalysis(photo []byte, locale string, located bool) *analysis {
	now := time.Now().UTC()
	id := uuid.Must(uuid.NewV7())
	at := func(status job.Status, progress int, stage job.Stage) job.Job {
		return job.Job{
			ID: id, Status: status, Progress: progress, Stage: stage,
			Message: job.Message(stage, locale), CreatedAt: now, UpdatedAt: now,
			ExpiresAt: now.Add(time.Hour),
		}
	}
	done := at(job.Succeeded, 100, job.StageDone)
	cached := bytes.Contains(photo, []byte(MarkCached))
	done.Result = Result(locale, located, cached)
	if bytes.Contains(photo, []byte(MarkFail)) {
		done = at(job.Failed, 40, job.StageVision)
		doc := problem.New(problem.Invalid, "vision_refused",
			"The photo could not be recognized. Please take another one.").Document()
		done.Error = &doc
	}
	a := &analysis{job: at(job.Queued, 0, job.StageQueue), locale: locale}
	a.states = []job.Job{
		at(job.Processing, 10, job.StageFetch), at(job.Processing, 40, job.StageVision),
		at(job.Processing, 80, job.StageAdvice), done,
	}
	a.hang = bytes.Contains(photo, []byte(MarkHang))
	if cached {
		a.job, a.states = done, nil
	}
	return a
}

// get moves the job on at every second look, so that a 304 comes between.
func (s *Server) get(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.jobs[r.PathValue("id")]
	if a == nil {
		Refuse(w, problem.New(problem.NotFound, "analysis_not_found", "There is none."))
		return
	}
	if r.Header.Get("If-None-Match") != etag(a.job) {
		s.show(w, http.StatusOK, a)
		return
	}
	a.advance()
	w.Header().Set("ETag", etag(a.job))
	w.Header().Set("Poll-After-Ms", s.PollAfterMs)
	w.WriteHeader(http.StatusNotModified)
}

// Advance moves a job on by one state, as a worker would.
func (s *Server) Advance(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if a := s.jobs[id]; a != nil {
		a.advance()
	}
}

func (a *analysis) advance() {
	if len(a.states) > 0 && (!a.hang || a.job.Progress < 40) {
		a.job, a.states = a.states[0], a.states[1:]
	}
}

func (s *Server) cancel(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.jobs[r.PathValue("id")]
	if a == nil || a.job.Status.Final() {
		Refuse(w, problem.New(problem.Conflict, "analysis_finished", "It has ended already."))
		return
	}
	a.job.Status = job.Canceled
	a.states = nil
	s.show(w, http.StatusOK, a)
}

func (s *Server) list(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	jobs := []job.Job{}
	for _, a := range s.jobs {
		if want := r.URL.Query().Get("status"); want == "" || want == string(a.job.Status) {
			jobs = append(jobs, a.job)
		}
	}
	reply(w, http.StatusOK, map[string]any{"jobs": jobs, "next_page_token": ""})
}

func (s *Server) feedback(w http.ResponseWriter, r *http.Request) {
	var body struct {
		Class   string `json:"class"`
		Comment string `json:"comment"`
	}
	if read(w, r, &body) {
		w.WriteHeader(http.StatusNoContent)
	}
}

func (s *Server) nearby(w http.ResponseWriter, _ *http.Request) {
	reply(w, http.StatusOK, map[string]any{"points": points()})
}

func (s *Server) show(w http.ResponseWriter, status int, a *analysis) {
	w.Header().Set("ETag", etag(a.job))
	w.Header().Set("Poll-After-Ms", s.PollAfterMs)
	w.Header().Set("Location", "/api/v1/waste/analyses/"+a.job.ID.String())
	reply(w, status, a.job)
}

func etag(j job.Job) string { return fmt.Sprintf(`"%s-%s-%d"`, j.ID, j.Status, j.Progress) }

// Result is the answer to every photo: a glass bottle with a cap.
func Result(locale string, located, cached bool) json.RawMessage {
	near := []any{}
	if located {
		near = points()
	}
	advice := map[string]any{
		"item_id": "glass_bottle", "item_name": "유리병", "class": "glass", "model": "rule",
		"summary": "내용물을 비우고 헹군 뒤 유리병 수거함에 넣으세요.",
		"why":     "깨끗한 유리는 몇 번이고 다시 병이 되지만, 이물질이 섞이면 재활용 공정 전체를 망칠 수 있어요.",
		"steps": []map[string]string{
			{"id": "empty", "text": "내용물을 비워요."},
			{"id": "rinse", "text": "물로 헹구고 금속이나 플라스틱 뚜껑을 떼어 따로 버려요."},
		},
		"mistakes": []string{"도자기나 내열유리를 함께 넣어요."},
		"where":    "유리병 수거함", "source": "재활용가능자원의 분리수거 등에 관한 지침", "cached": cached,
	}
	if locale == "en" {
		advice["summary"] = "Empty it, rinse it and put it into the glass bin."
		advice["why"] = "Clean glass becomes a bottle again and again; dirt spoils the whole batch."
		advice["steps"] = []map[string]string{
			{"id": "empty", "text": "Empty the bottle."},
			{"id": "rinse", "text": "Rinse it with water, take metal or plastic caps off."},
		}
		advice["mistakes"] = []string{"Ceramics and heat-proof glass do not belong here."}
		advice["where"], advice["source"] = "glass bottle bin", "National guideline on recyclables"
	}
	body, err := json.Marshal(map[string]any{
		"vision": map[string]any{
			"class": "glass", "label": "glass_bottle", "material": "glass", "shape": "bottle",
			"parts":      []map[string]string{{"name": "뚜껑", "material": "steel", "class": "metal"}},
			"confidence": 0.93, "name_ko": "유리병", "name_en": "Glass bottle",
			"model": "simulator", "prompt_version": "1",
		},
		"advice": advice, "collection_points": near, "cached": cached,
		"photo": "/photo", "warnings": []string{},
	})
	if err != nil {
		panic(err) // plain values always encode
	}
	return body
}

func points() []any {
	return []any{
		map[string]any{
			"id": "1", "name": "중구청 재활용 정거장", "address": "서울특별시 중구 창경궁로 17",
			"lat": 37.5641, "lng": 126.9979, "distance_m": 85, "accepts": []string{"glass"},
		},
		map[string]any{
			"id": "2", "name": "Seoul Station recycling point", "address": "서울특별시 용산구 한강대로 405",
			"lat": 37.5547, "lng": 126.9707, "distance_m": 1260, "accepts": []string{"glass"},
		},
	}
}
