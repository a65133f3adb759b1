package waste

import (
	"bytes"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gofrs/uuid/v5"

	"github.com/wastecoach/wastecoach/internal/job"
)

func TestUploadIsSignedExactly(t *testing.T) {
	t.Parallel()
	s := setup(t)
	photo := jpegOf(1)
	other := slices.Clone(photo)
	other[len(other)-3] ^= 0xff

	ticket := s.announce(photo)
	if left := time.Until(ticket.ExpiresAt); left > 5*time.Minute {
		t.Errorf("the upload is valid for %s", left)
	}
	tests := map[string]func() answer{
		"other bytes":  func() answer { return s.put(ticket, other) },
		"more bytes":   func() answer { return s.put(ticket, append(slices.Clone(photo), 0)) },
		"fewer bytes":  func() answer { return s.put(ticket, photo[:100]) },
		"another type": func() answer { return s.put(withHeader(ticket, "Content-Type", "text/html"), photo) },
		"another checksum": func() answer {
			return s.put(withHeader(ticket, "X-Amz-Checksum-Sha256", "AAAA"), other)
		},
		"overwriting allowed": func() answer { return s.put(withHeader(ticket, "If-None-Match", ""), photo) },
	}
	for name, send := range tests {
		if a := send(); a.Status < 400 {
			t.Errorf("%s: accepted with %d", name, a.Status)
		}
	}
	s.put(ticket, photo).want(http.StatusOK)
	s.put(ticket, photo).want(http.StatusPreconditionFailed)
}

func withHeader(t UploadTicket, name, value string) UploadTicket {
	headers := map[string]string{}
	for n, v := range t.Headers {
		if !strings.EqualFold(n, name) {
			headers[n] = v
		}
	}
	if value != "" {
		headers[name] = value
	}
	t.Headers = headers
	return t
}

func TestAnnounceUploadRefuses(t *testing.T) {
	t.Parallel()
	s := setup(t)
	good := announcement([]byte("photo"))
	with := func(change func(*UploadRequest)) UploadRequest {
		r := good
		change(&r)
		return r
	}
	tests := map[string]struct {
		body   any
		status int
		code   string
	}{
		"gif":         {with(func(r *UploadRequest) { r.ContentType = "image/gif" }), 415, "photo_type_unsupported"},
		"heic":        {with(func(r *UploadRequest) { r.ContentType = "image/heic" }), 415, "photo_type_unsupported"},
		"too large":   {with(func(r *UploadRequest) { r.Size = 11 << 20 }), 413, "photo_too_large"},
		"empty":       {with(func(r *UploadRequest) { r.Size = 0 }), 422, "invalid"},
		"negative":    {with(func(r *UploadRequest) { r.Size = -5 }), 422, "invalid"},
		"bad sum":     {with(func(r *UploadRequest) { r.SHA256 = "xyz" }), 422, "invalid"},
		"no JSON":     {"{", 400, "malformed"},
		"two values":  {`{} {}`, 400, "malformed"},
		"unknown":     {`{"sha257": "x"}`, 400, "malformed"},
		"wrong type":  {`{"size": "5"}`, 400, "malformed"},
		"huge":        {`{"sha256": "` + strings.Repeat("a", 100_000) + `"}`, 413, "body_too_large"},
		"deep nested": {strings.Repeat("[", 20_000), 400, "malformed"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s.call("POST", "/uploads", tt.body).wantCode(tt.status, tt.code)
		})
	}
	s.call("POST", "/uploads", good, "Content-Type", "text/plain").wantCode(415, "not_json")
	s.call("POST", "/uploads", good, "Authorization", "").wantCode(401, "unauthorized")
}

func TestTokens(t *testing.T) {
	t.Parallel()
	s := setup(t)
	forged := s.token(s.user)
	forged = forged[:len(forged)-4] + "AAAA"
	for name, value := range map[string]string{
		"none": "", "basic": "Basic Zm9vOmJhcg==", "garbage": "Bearer x.y.z", "forged": "Bearer " + forged,
		"alg none": "Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4In0.",
	} {
		t.Run(name, func(t *testing.T) {
			a := s.call("GET", "/analyses", nil, "Authorization", value).wantCode(401, "unauthorized")
			if !strings.HasPrefix(a.Header.Get("WWW-Authenticate"), "Bearer") {
				t.Error("no WWW-Authenticate")
			}
		})
	}
}

func TestCreateAnalysis(t *testing.T) {
	t.Parallel()
	s := setup(t)
	photo := jpegOf(2)
	ticket := s.upload(photo)
	body := map[string]any{"upload_id": ticket.UploadID}

	t.Run("makes a job", func(t *testing.T) {
		a := s.call("POST", "/analyses", body, "Idempotency-Key", "k1").want(http.StatusAccepted)
		j := a.job()
		if a.Header.Get("Location") != selfLink(j.ID) || a.Header.Get("Poll-After-Ms") != "500" {
			t.Errorf("headers %v", a.Header)
		}
		if j.Status != job.Queued || j.Progress != 0 || j.Message == "" {
			t.Errorf("job %+v", j)
		}
	})
	t.Run("replays the same request", func(t *testing.T) {
		first := s.call("POST", "/analyses", body, "Idempotency-Key", "k1").want(http.StatusAccepted)
		if first.Header.Get("Idempotent-Replayed") != "true" {
			t.Error("not marked as a replay")
		}
		if n := query[int](s, `SELECT count(*) FROM waste.analyses`); n != 1 {
			t.Errorf("%d jobs", n)
		}
	})
	t.Run("refuses the same key with another body", func(t *testing.T) {
		other := map[string]any{"upload_id": ticket.UploadID, "locale": "en"}
		s.call("POST", "/analyses", other, "Idempotency-Key", "k1").
			wantCode(422, "idempotency_key_reused")
	})
	t.Run("refuses a second analysis of an upload", func(t *testing.T) {
		s.call("POST", "/analyses", body, "Idempotency-Key", "k2").wantCode(409, "upload_used")
	})
	t.Run("refuses without a usable key", func(t *testing.T) {
		s.call("POST", "/analyses", body).wantCode(400, "idempotency_key_missing")
		s.call("POST", "/analyses", body, "Idempotency-Key", strings.Repeat("k", 256)).
			wantCode(400, "idempotency_key_missing")
	})
	t.Run("refuses an unknown upload", func(t *testing.T) {
		unknown := map[string]any{"upload_id": uuid.Must(uuid.NewV7())}
		s.call("POST", "/analyses", unknown, "Idempotency-Key", "k3").
			wantCode(404, "upload_not_found")
	})
	t.Run("refuses another user's upload", func(t *testing.T) {
		stranger := "Bearer " + s.token(uuid.Must(uuid.NewV7()))
		s.call("POST", "/analyses", body, "Idempotency-Key", "k4", "Authorization", stranger).
			wantCode(404, "upload_not_found")
	})
	t.Run("refuses invalid fields, all at once", func(t *testing.T) {
		a := s.call("POST", "/analyses",
			`{"locale": "fr", "location": {"lat": 91, "lng": -181}}`, "Idempotency-Key", "k5").
			wantCode(422, "invalid")
		for _, pointer := range []string{"/upload_id", "/locale", "/location/lat", "/location/lng"} {
			if !strings.Contains(string(a.Body), `"`+pointer+`"`) {
				t.Errorf("%s is not named in %s", pointer, a.Body)
			}
		}
		s.call("POST", "/analyses", `{"upload_id": "nonsense"}`, "Idempotency-Key", "k6").
			wantCode(400, "malformed")
		s.call("POST", "/analyses", body, "Idempotency-Key", "k7", "Content-Type", "text/plain").
			wantCode(415, "not_json")
		s.call("POST", "/analyses", body, "Idempotency-Key", "k8", "Authorization", "").
			wantCode(401, "unauthorized")
	})
}

func TestSameRequestTwiceAtOnce(t *testing.T) {
	t.Parallel()
	s := setup(t)
	ticket := s.upload(jpegOf(3))
	const clients = 8
	ids := make(chan uuid.UUID, clients)
	for range clients {
		go func() {
			ids <- s.call("POST", "/analyses", map[string]any{"upload_id": ticket.UploadID},
				"Idempotency-Key", "same").want(http.StatusAccepted).job().ID
		}()
	}
	first := <-ids
	for range clients - 1 {
		if id := <-ids; id != first {
			t.Errorf("two jobs: %s and %s", first, id)
		}
	}
}

func TestPolling(t *testing.T) {
	t.Parallel()
	s := setup(t)
	id := s.analyze(s.upload(jpegOf(4)).UploadID).want(http.StatusAccepted).job().ID

	first := s.get(id).want(http.StatusOK)
	etag := first.Header.Get("ETag")
	if etag == "" || first.Header.Get("Poll-After-Ms") != "500" {
		t.Fatalf("headers %v", first.Header)
	}
	t.Run("304 while nothing changes", func(t *testing.T) {
		a := s.get(id, "If-None-Match", etag).want(http.StatusNotModified)
		if len(a.Body) != 0 {
			t.Errorf("body %q", a.Body)
		}
	})
	t.Run("the same from PostgreSQL when Redis is empty", func(t *testing.T) {
		s.flushRedis()
		a := s.get(id).want(http.StatusOK)
		if !bytes.Equal(a.Body, first.Body) || a.Header.Get("ETag") != etag {
			t.Errorf("got %s, want %s", a.Body, first.Body)
		}
	})
	t.Run("others see nothing", func(t *testing.T) {
		stranger := "Bearer " + s.token(uuid.Must(uuid.NewV7()))
		for range 2 { // from Redis, then from PostgreSQL
			s.get(id, "Authorization", stranger).wantCode(404, "analysis_not_found")
			s.call("POST", "/analyses/"+id.String()+"/cancel", nil, "Authorization", stranger).
				wantCode(404, "analysis_not_found")
			s.flushRedis()
		}
	})
	t.Run("no such job", func(t *testing.T) {
		s.get(uuid.Must(uuid.NewV7())).wantCode(404, "analysis_not_found")
		s.call("GET", "/analyses/%27%20OR%201=1", nil).wantCode(404, "analysis_not_found")
		s.get(id, "Authorization", "").wantCode(401, "unauthorized")
	})
	t.Run("wait ends at the first change", func(t *testing.T) {
		changed := make(chan answer, 1)
		go func() { changed <- s.get(id, "Prefer", "wait=20", "If-None-Match", etag) }()
		s.call("POST", "/analyses/"+id.String()+"/cancel", nil).want(http.StatusOK)
		a := (<-changed).want(http.StatusOK)
		if a.job().Status != job.Canceled || a.Header.Get("Preference-Applied") != "wait=20" {
			t.Errorf("got %s %v", a.Body, a.Header)
		}
		if a.Header.Get("Poll-After-Ms") != "" {
			t.Error("a job that has ended is not worth another poll")
		}
	})
}

func TestCancel(t *testing.T) {
	t.Parallel()
	s := setup(t)
	id := s.analyze(s.upload(jpegOf(5)).UploadID).want(http.StatusAccepted).job().ID
	path := "/analyses/" + id.String()
	for range 2 { // twice is once
		if j := s.call("POST", path+"/cancel", nil).want(http.StatusOK).job(); j.Status != job.Canceled {
			t.Fatalf("status %s", j.Status)
		}
	}
	s.call("POST", path+"/cancel", nil, "Authorization", "").wantCode(401, "unauthorized")
	s.call("POST", path+"/feedback", Feedback{Class: "glass"}).wantCode(409, "analysis_not_succeeded")
	s.call("GET", path+"/photo", nil).wantCode(404, "photo_not_found")
	s.work()
	waitFor(t, "the original to go", func() bool {
		return query[bool](s, `SELECT original_deleted_at IS NOT NULL FROM waste.uploads`)
	})
	if n := query[int](s, `SELECT attempt FROM waste.analyses`); n != 0 {
		t.Errorf("a canceled job was run %d times", n)
	}
}

func TestList(t *testing.T) {
	t.Parallel()
	s := setup(t)
	var want []uuid.UUID
	for i := range 5 {
		id := s.analyze(s.upload(jpegOf(uint64(10 + i))).UploadID).want(http.StatusAccepted).job().ID
		want = append([]uuid.UUID{id}, want...)
	}
	s.call("POST", "/analyses/"+want[0].String()+"/cancel", nil).want(http.StatusOK)

	var got []uuid.UUID
	pageToken := ""
	for pages := 0; ; pages++ {
		var page Page
		s.call("GET", "/analyses?page_size=2&page_token="+pageToken, nil).
			want(http.StatusOK).into(&page)
		for _, j := range page.Jobs {
			got = append(got, j.ID)
		}
		if pageToken = page.NextPageToken; pageToken == "" {
			if pages != 2 {
				t.Errorf("%d pages more, want 2", pages)
			}
			break
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	var canceled Page
	s.call("GET", "/analyses?status=canceled", nil).want(http.StatusOK).into(&canceled)
	if len(canceled.Jobs) != 1 || canceled.Jobs[0].ID != want[0] {
		t.Errorf("canceled: %+v", canceled.Jobs)
	}
	for _, q := range []string{"page_size=0", "page_size=x", "page_token=%21", "status=odd"} {
		s.call("GET", "/analyses?"+q, nil).wantCode(422, "invalid")
	}
	s.call("GET", "/analyses", nil, "Authorization", "").wantCode(401, "unauthorized")
}

// waitFor polls a condition; the deadline is far above what it takes.
func waitFor(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(testPatience)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("waited %s for %s", testPatience, what)
		}
		<-tick.C
	}
}
