package locations

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/redis/go-redis/v9"

	apidoc "github.com/wastecoach/wastecoach/api"
	"github.com/wastecoach/wastecoach/internal/apitest"
	"github.com/wastecoach/wastecoach/internal/testdb"
	"github.com/wastecoach/wastecoach/internal/testredis"
)

var contract = apitest.Must(apidoc.Document("locations"))

func TestMain(m *testing.M) { os.Exit(testdb.Main(m)) }

const testDeadline = 20 * time.Second

func discard() *slog.Logger { return slog.New(slog.DiscardHandler) }

// mondayAtTen is what the clock of a test's service shows.
var mondayAtTen = time.Date(2026, time.November, 23, 10, 0, 0, 0, seoul)

func newTestAPI(t *testing.T, s *store, common *redis.Client) (*httptest.Server, *geoCache) {
	t.Helper()
	registry := prometheus.NewRegistry()
	cache := newGeoCache(common, registry, time.Now)
	server, err := newServer(&service{
		store: s, cache: cache, logger: discard(), now: func() time.Time { return mondayAtTen },
	}, registry, nil)
	if err != nil {
		t.Fatal(err)
	}
	contract.Routes(t, server.Routes())
	web := httptest.NewServer(contract.Wrap(t, server.Handler()))
	t.Cleanup(web.Close)
	return web, cache
}

func get(t *testing.T, web *httptest.Server, path string, want int) map[string]any {
	t.Helper()
	answer, err := http.Get(web.URL + "/api/v1/locations" + path)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	if answer.StatusCode != want {
		t.Fatalf("GET %s: %d %s, want %d", path, answer.StatusCode, body, want)
	}
	fresh := cacheAny
	if strings.Contains(path, "open_now=true") {
		fresh = cacheOpen
	}
	if got := answer.Header.Get("Cache-Control"); want == http.StatusOK && got != fresh {
		t.Errorf("GET %s: Cache-Control %q", path, got)
	}
	var decoded map[string]any
	if err := json.Unmarshal(body, &decoded); err != nil {
		t.Fatal(err)
	}
	return decoded
}

func pointsOf(t *testing.T, body map[string]any) []map[string]any {
	t.Helper()
	list, ok := body["points"].([]any)
	if !ok {
		t.Fatalf("no points in %v", body)
	}
	var points []map[string]any
	for _, entry := range list {
		point, _ := entry.(map[string]any)
		points = append(points, point)
	}
	return points
}

// TestAPI is one test, so that it can ask at its end whether every documented answer was seen.
func TestAPI(t *testing.T) {
	t.Parallel()
	s := newTestStore(t)
	if err := trySeed(t.Context(), s, discard()); err != nil {
		t.Fatal(err)
	}
	server := testredis.Server(t)
	web, cache := newTestAPI(t, s, server.Client(3))
	const cityHall = "lat=37.5663&lng=126.9779"

	t.Run("nearby", func(t *testing.T) {
		points := pointsOf(t, get(t, web, "/nearby?"+cityHall+"&accepts=battery,lamp", http.StatusOK))
		if len(points) == 0 || len(points) > defaultNearby {
			t.Fatalf("%d points", len(points))
		}
		last := -1.0
		for _, point := range points {
			distance, _ := point["distance_m"].(float64)
			if distance < last || distance > defaultRadius {
				t.Errorf("%v at %v m after %v m", point["name"], distance, last)
			}
			last = distance
		}
		if name, _ := points[0]["name"].(string); !strings.HasPrefix(name, "종로구청") {
			t.Errorf("nearest to the city hall is %s", name)
		}
		one := get(t, web, fmt.Sprintf("/%s", points[0]["id"]), http.StatusOK)
		if one["name"] != points[0]["name"] || one["source"] != SeedSource {
			t.Errorf("point by id: %v", one)
		}
		none := pointsOf(t, get(t, web, "/nearby?lat=33.1&lng=124.5", http.StatusOK))
		if len(none) != 0 {
			t.Errorf("%d points in the open sea", len(none))
		}
	})
	t.Run("cache", func(t *testing.T) {
		hits := func() float64 { return counted(t, cache.lookups.WithLabelValues("hit")) }
		before := hits()
		first := get(t, web, "/nearby?lat=37.51&lng=127.05&accepts=paper,glass", http.StatusOK)
		again := get(t, web, "/nearby?lat=37.510001&lng=127.050001&accepts=glass,paper", http.StatusOK)
		if hits() != before+1 || fmt.Sprint(first) != fmt.Sprint(again) {
			t.Errorf("%v hits, want 1: %v and %v", hits()-before, first, again)
		}
		keys := server.Client(3).Keys(t.Context(), "geo:*").Val()
		for _, key := range keys {
			if ttl := server.Client(3).TTL(t.Context(), key).Val(); ttl <= 0 || ttl > geoTTL {
				t.Errorf("%s lives for %s", key, ttl)
			}
		}
		server.Flush()
		fresh := get(t, web, "/nearby?lat=37.51&lng=127.05&accepts=paper,glass", http.StatusOK)
		if fmt.Sprint(fresh) != fmt.Sprint(first) {
			t.Errorf("after Redis was emptied: %v, want %v", fresh, first)
		}
	})
	t.Run("bounded cache", func(t *testing.T) {
		cache.limit = 3
		for i := range 10 {
			get(t, web, fmt.Sprintf("/nearby?lat=37.5%d&lng=127.01", i), http.StatusOK)
		}
		keys := server.Client(3).Keys(t.Context(), "geo:nearby:*").Val()
		if seen := server.Client(3).ZCard(t.Context(), seenKey).Val(); len(keys) != 3 || seen != 3 {
			t.Errorf("%d answers are kept, %d are in the list: %v", len(keys), seen, keys)
		}
		cache.limit = maxAnswers
	})
	t.Run("hours and links", func(t *testing.T) {
		const path = "/nearby?" + cityHall + "&open_now=true"
		point := pointsOf(t, get(t, web, path, http.StatusOK))[0]
		if got := fmt.Sprint(point["hours"]); got != "[map[closes:18:00 first_day:mon last_day:fri opens:09:00]]" {
			t.Errorf("hours %s", got)
		}
		if cached := pointsOf(t, get(t, web, path, http.StatusOK))[0]; fmt.Sprint(point) != fmt.Sprint(cached) {
			t.Errorf("the cache tells another story: %v and %v", point, cached)
		}
		links, _ := point["links"].(map[string]any)
		if got := fmt.Sprint(links["naver"]); !strings.HasPrefix(got, "https://map.naver.com/?lat=37.57") {
			t.Errorf("link %s", got)
		}
	})
	t.Run("within", func(t *testing.T) {
		body := get(t, web, "/within?bbox=126.9,37.5,127.1,37.6&limit=4", http.StatusOK)
		if points := pointsOf(t, body); len(points) != 4 || body["truncated"] != true {
			t.Errorf("%d points, truncated %v", len(points), body["truncated"])
		}
		body = get(t, web, "/within?bbox=126.9,37.5,127.1,37.6&accepts=lamp&open_now=true&limit=500", http.StatusOK)
		points := pointsOf(t, body)
		if len(points) < 4 || body["truncated"] != false {
			t.Errorf("%d points with lamps, truncated %v", len(points), body["truncated"])
		}
		for _, p := range points {
			lat, lng := p["lat"].(float64), p["lng"].(float64)
			if lat < 37.5 || lat > 37.6 || lng < 126.9 || lng > 127.1 {
				t.Errorf("%v is at %v, %v", p["name"], lat, lng)
			}
		}
	})
	t.Run("geojson", func(t *testing.T) {
		for _, path := range []string{
			"/nearby?" + cityHall + "&format=geojson", "/search?q=강남구청&format=geojson",
			"/within?bbox=126.9,37.5,127.1,37.6&format=geojson",
		} {
			body := get(t, web, path, http.StatusOK)
			features, _ := body["features"].([]any)
			if body["type"] != "FeatureCollection" || len(features) == 0 {
				t.Fatalf("GET %s: %v", path, body)
			}
			first, _ := features[0].(map[string]any)
			place := fmt.Sprint(first["geometry"])
			if !strings.HasPrefix(place, "map[coordinates:[12") || !strings.Contains(place, " 37.") {
				t.Errorf("GET %s: geometry %s", path, place)
			}
			_, measured := first["properties"].(map[string]any)["distance_m"]
			if measured != strings.HasPrefix(path, "/nearby") {
				t.Errorf("GET %s: properties %v", path, first["properties"])
			}
		}
	})
	t.Run("search", func(t *testing.T) {
		points := pointsOf(t, get(t, web, "/search?q=강남구청", http.StatusOK))
		if len(points) < 3 || !strings.HasPrefix(points[0]["name"].(string), "강남구청") {
			t.Errorf("search found %v", points)
		}
		if points := pointsOf(t, get(t, web, "/search?q=%25&limit=3", http.StatusOK)); len(points) != 0 {
			t.Errorf("a percent sign found %v", points)
		}
	})
	t.Run("not found", func(t *testing.T) {
		get(t, web, "/0192f0c1-7e3a-7bbb-8c3d-0123456789ab", http.StatusNotFound)
		get(t, web, "/nothing", http.StatusNotFound)
	})
	t.Run("refused", func(t *testing.T) {
		for query, pointer := range map[string]string{
			"/nearby?lng=127":                       "lat",
			"/nearby?lat=37":                        "lng",
			"/nearby?lat=91&lng=127":                "lat",
			"/nearby?lat=NaN&lng=127":               "lat",
			"/nearby?lat=37&lng=-Inf":               "lng",
			"/nearby?" + cityHall + "&radius_m=0":   "radius_m",
			"/nearby?" + cityHall + "&radius_m=1e3": "radius_m",
			"/nearby?" + cityHall + "&limit=51":     "limit",
			"/nearby?" + cityHall + "&accepts=gold": "accepts",
			"/nearby?" + cityHall + "&accepts=a,,b": "accepts",
			"/nearby?" + cityHall + "&open_now=1":   "open_now",
			"/nearby?" + cityHall + "&format=xml":   "format",
			"/within":                               "bbox",
			"/within?bbox=126,37,127":               "bbox",
			"/within?bbox=126,37,127,38,39":         "bbox",
			"/within?bbox=126,37,x,38":              "bbox",
			"/within?bbox=127,37,126,38":            "bbox",
			"/within?bbox=126,38,127,37":            "bbox",
			"/within?bbox=126,37,NaN,38":            "bbox",
			"/within?bbox=126,36,128,38":            "bbox", // too large
			"/within?bbox=126,37,127,37.01":         "bbox", // too thin

			"/within?bbox=126,37,126.1,37.1&limit=501": "limit",
			"/search":                               "q",
			"/search?q=%20":                         "q",
			"/search?q=%00":                         "q",
			"/search?q=%ff":                         "q",
			"/search?q=" + strings.Repeat("a", 101): "q",
			"/search?q=x&limit=-1":                  "limit",
		} {
			doc := get(t, web, query, http.StatusUnprocessableEntity)
			faults, _ := doc["errors"].([]any)
			if len(faults) != 1 || faults[0].(map[string]any)["pointer"] != pointer {
				t.Errorf("GET %s: faults %v, want one of %s", query, faults, pointer)
			}
		}
	})
	t.Run("without Redis", func(t *testing.T) {
		server.Kill()
		if points := pointsOf(t, get(t, web, "/nearby?"+cityHall, http.StatusOK)); len(points) == 0 {
			t.Error("no points without Redis")
		}
		if got := counted(t, cache.lookups.WithLabelValues("error")); got == 0 {
			t.Error("the missing cache is not counted")
		}
	})
	t.Run("without PostgreSQL", func(t *testing.T) {
		s.pool.Close()
		for _, path := range []string{
			"/nearby?" + cityHall, "/within?bbox=126,37,126.1,37.1", "/search?q=x",
			"/0192f0c1-7e3a-7bbb-8c3d-0123456789ab",
		} {
			get(t, web, path, http.StatusInternalServerError)
		}
	})
	contract.Covered(t)
}

func counted(t *testing.T, counter prometheus.Counter) float64 {
	t.Helper()
	var metric dto.Metric
	if err := counter.Write(&metric); err != nil {
		t.Fatal(err)
	}
	return metric.GetCounter().GetValue()
}

func TestSeedFillsAnEmptyTableOnly(t *testing.T) {
	t.Parallel()
	s := newTestStore(t)
	for range 2 {
		if err := trySeed(t.Context(), s, discard()); err != nil {
			t.Fatal(err)
		}
	}
	points := allPoints(t, s)
	if len(points) < 60 {
		t.Errorf("%d points", len(points))
	}
	for _, p := range points {
		if p.Source != SeedSource || !strings.Contains(p.Name, "(예시)") {
			t.Errorf("%s of source %s does not say that it is an example", p.Name, p.Source)
		}
	}
	other := newTestStore(t)
	load(t, other, goodRows, Options{Source: "test"})
	if err := trySeed(t.Context(), other, discard()); err != nil {
		t.Fatal(err)
	}
	if points := allPoints(t, other); len(points) != 2 {
		t.Errorf("the seed came to %d points of real data", len(points))
	}
}

func TestServe(t *testing.T) {
	t.Parallel()
	server := testredis.New(t)
	cfg, err := LoadConfig([]string{
		"LOCATIONS_POSTGRES_DSN=" + testdb.New(t, "locations").DSN("locations"),
		"LOCATIONS_REDIS_ADDR=" + server.Addr(), fmt.Sprintf("LOCATIONS_REDIS_FIRST_DB=%d", server.FirstDB()),
		"LOCATIONS_HTTP_ADDR=127.0.0.1:0",
	})
	if err != nil {
		t.Fatal(err)
	}
	var log lockedBuffer
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- Serve(ctx, cfg, slog.New(slog.NewTextHandler(&log, nil))) }()
	deadline := time.After(testDeadline)
	for !strings.Contains(log.String(), "seed loaded") || !strings.Contains(log.String(), "listening") {
		select {
		case err := <-done:
			t.Fatalf("Serve = %v", err)
		case <-deadline:
			t.Fatalf("never seeded: %s", log.String())
		case <-time.After(10 * time.Millisecond):
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Errorf("Serve = %v", err)
	}
}

// lockedBuffer is a log that a test reads while it is written.
type lockedBuffer struct {
	mu   sync.Mutex
	text strings.Builder
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}
