package objectstore_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/wastecoach/wastecoach/internal/env"
	"github.com/wastecoach/wastecoach/internal/objectstore"
	"github.com/wastecoach/wastecoach/internal/tests3"
)

func TestMain(m *testing.M) { os.Exit(tests3.Main(m)) }

func config(b tests3.Bucket) objectstore.Config {
	return objectstore.Config{
		Endpoint: b.Endpoint, Region: b.Region, Bucket: b.Name,
		AccessKey: b.AccessKey, SecretKey: env.Secret(b.SecretKey),
	}
}

func setup(t *testing.T) *objectstore.Store {
	t.Helper()
	return objectstore.New(config(tests3.New(t)))
}

func upload(t *testing.T, s *objectstore.Store, key string, body []byte) objectstore.Signed {
	t.Helper()
	sum := sha256.Sum256(body)
	signed, err := s.PresignPut(t.Context(), objectstore.Upload{
		Key: key, Size: int64(len(body)), ContentType: "image/jpeg", SHA256: sum[:],
	}, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

// send does what an app does: the method, URL and headers as they were handed out.
func send(t *testing.T, signed objectstore.Signed, body []byte) int {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), signed.Method, signed.URL, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range signed.Headers {
		r.Header.Set(name, value)
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	return response.StatusCode
}

func TestUpload(t *testing.T) {
	t.Parallel()
	photo := []byte("a photo")
	tests := map[string]struct {
		change func(*objectstore.Signed)
		body   []byte
		status int
	}{
		"as signed":   {nil, photo, 200},
		"other bytes": {nil, []byte("b photo"), 400},
		"other type":  {func(s *objectstore.Signed) { s.Headers["Content-Type"] = "text/html" }, photo, 403},
		"overwriting": {func(s *objectstore.Signed) { delete(s.Headers, "If-None-Match") }, photo, 403},
		"longer":      {nil, []byte("a photo and more"), 403},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := setup(t)
			signed := upload(t, s, "photos/1", photo)
			if tt.change != nil {
				tt.change(&signed)
			}
			if status := send(t, signed, tt.body); status != tt.status {
				t.Fatalf("answered %d, want %d", status, tt.status)
			}
			size, err := s.Head(t.Context(), "photos/1")
			if tt.status != 200 {
				if !errors.Is(err, objectstore.ErrNotFound) {
					t.Errorf("a refused upload left something: %v", err)
				}
				return
			}
			if err != nil || size != int64(len(photo)) {
				t.Errorf("size %d, %v", size, err)
			}
			if status := send(t, signed, photo); status != http.StatusPreconditionFailed {
				t.Errorf("the second upload is answered %d", status)
			}
		})
	}
}

func TestGet(t *testing.T) {
	t.Parallel()
	s := setup(t)
	if err := s.Put(t.Context(), "empty", "image/jpeg", nil); err != nil {
		t.Fatal(err)
	}
	for _, data := range []string{"old", "0123456789"} {
		if err := s.Put(t.Context(), "ten", "image/jpeg", []byte(data)); err != nil {
			t.Fatal(err)
		}
	}
	tests := map[string]struct {
		key   string
		limit int64
		want  string
		err   error
	}{
		"exactly the limit": {"ten", 10, "0123456789", nil},
		"over the limit":    {"ten", 9, "", objectstore.ErrTooLarge},
		"empty":             {"empty", 0, "", nil},
		"missing":           {"none", 10, "", objectstore.ErrNotFound},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := s.Get(t.Context(), tt.key, tt.limit)
			if string(got) != tt.want || !errors.Is(err, tt.err) {
				t.Errorf("got %q, %v", got, err)
			}
		})
	}
}

func TestDelete(t *testing.T) {
	t.Parallel()
	s := setup(t)
	if err := s.Put(t.Context(), "photo", "image/jpeg", []byte("x")); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := s.Delete(t.Context(), "photo"); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Head(t.Context(), "photo"); !errors.Is(err, objectstore.ErrNotFound) {
		t.Errorf("after deleting: %v", err)
	}
}

func TestPresignGet(t *testing.T) {
	t.Parallel()
	s := setup(t)
	if err := s.Put(t.Context(), "photo", "image/jpeg", []byte("shown")); err != nil {
		t.Fatal(err)
	}
	link, err := s.PresignGet(t.Context(), "photo", time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.Get(link)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != 200 || string(body) != "shown" ||
		response.Header.Get("Content-Type") != "image/jpeg" {
		t.Errorf("%s %q %v", response.Status, body, err)
	}
}

func TestPublicEndpointIsInTheLinks(t *testing.T) {
	t.Parallel()
	cfg := config(tests3.New(t))
	cfg.PublicEndpoint, cfg.Endpoint = cfg.Endpoint, "http://127.0.0.1:1"
	s := objectstore.New(cfg)
	if status := send(t, upload(t, s, "photo", []byte("x")), []byte("x")); status != 200 {
		t.Errorf("answered %d", status)
	}
}

func TestMissingBucketIsNoMissingObject(t *testing.T) {
	t.Parallel()
	cfg := config(tests3.New(t))
	if err := objectstore.New(cfg).Ready(t.Context()); err != nil {
		t.Errorf("the bucket is there: %v", err)
	}
	cfg.Bucket = "no-such-bucket"
	s := objectstore.New(cfg)
	if err := s.Ready(t.Context()); err == nil {
		t.Error("ready without a bucket")
	}
	if _, err := s.Get(t.Context(), "photo", 10); err == nil || errors.Is(err, objectstore.ErrNotFound) {
		t.Errorf("reading: %v", err)
	}
	if err := s.Delete(t.Context(), "photo"); err == nil {
		t.Error("deleting works")
	}
}
