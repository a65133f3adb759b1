package waste

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/gofrs/uuid/v5"

	"github.com/wastecoach/wastecoach/internal/progress"
)

// BenchmarkPoll compares the polled route, over real HTTP and real Redis, with a bare handler that
// does the same Redis read: the floor that the frame stands on.
func BenchmarkPoll(b *testing.B) {
	s := setup(b)
	id := s.analyze(s.upload(jpegOf(1)).UploadID).want(http.StatusAccepted).job().ID
	bearer := "Bearer " + s.token(s.user)

	b.Run("service", func(b *testing.B) {
		pollAll(b, s.bare.URL+selfLink(id), bearer)
	})
	b.Run("bare", func(b *testing.B) {
		shown := progress.NewStore(s.redis.Client(1))
		bare := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			snap, _, err := shown.Get(r.Context(), uuid.Must(uuid.FromString(r.URL.Path[1:])))
			if err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
				return
			}
			_, _ = w.Write(snap.Body)
		}))
		defer bare.Close()
		pollAll(b, bare.URL+"/"+id.String(), bearer)
	})
}

func pollAll(b *testing.B, url, bearer string) {
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
	b.ReportAllocs()
	b.SetParallelism(16)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			r, err := http.NewRequestWithContext(b.Context(), http.MethodGet, url, nil)
			if err != nil {
				b.Error(err)
				return
			}
			r.Header.Set("Authorization", bearer)
			response, err := client.Do(r)
			if err != nil {
				b.Error(err)
				return
			}
			_, _ = io.Copy(io.Discard, response.Body)
			_ = response.Body.Close()
			if response.StatusCode != http.StatusOK {
				b.Errorf("status %d", response.StatusCode)
				return
			}
		}
	})
}
