package locations

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/redis/go-redis/v9"

	apidoc "github.com/wastecoach/wastecoach/api"
	"github.com/wastecoach/wastecoach/internal/apitest"
	"github.com/wastecoach/wastecoach/internal/testdb"
	"github.com/wastecoach/wastecoach/internal/testredis"
	"github.com/wastecoach/wastecoach/internal/wasteclass"
)

var contract = apitest.Must(apidoc.Document("locations"))

func TestMain(m *testing.M) { os.Exit(testdb.Main(m)) }

const testDeadline = 20 * time.Second

func discard() *slog.Logger { return slog.New(slog.DiscardHandler) }

// scattered fills the table with n points around Seoul, the same ones each time.
func scattered(t *testing.T, s *store, n int) []Point {
	t.Helper()
	random := rand.New(rand.NewPCG(7, 7))
	points := make([]Point, 0, n)
	for i := range n {
		accepts := []wasteclass.Class{wasteclass.All()[i%17]}
		if i%3 == 0 {
			accepts = append(accepts, wasteclass.All()[(i+5)%17])
		}
		points = append(points, Point{
			Source: "test", SourceID: fmt.Sprint(i), Name: fmt.Sprintf("point %d", i), Address: "서울",
			Lat: 37.4 + 0.3*random.Float64(), Lng: 126.8 + 0.4*random.Float64(), Accepts: accepts,
		})
	}
	i := 0
	_, err := s.upsert(t.Context(), func() (Point, bool, error) {
		if i == len(points) {
			return Point{}, false, nil
		}
		i++
		return points[i-1], true, nil
	}, false)
	if err != nil {
		t.Fatal(err)
	}
	return points
}

// haversine is the distance in meters on earthdistance's sphere, by another formula than its own.
func haversine(lat1, lng1, lat2, lng2 float64) float64 {
	const radius, rad = 6378168, math.Pi / 180
	a := math.Pow(math.Sin((lat2-lat1)*rad/2), 2) +
		math.Cos(lat1*rad)*math.Cos(lat2*rad)*math.Pow(math.Sin((lng2-lng1)*rad/2), 2)
	return 2 * radius * math.Asin(math.Sqrt(a))
}

func TestNearbyEqualsBruteForce(t *testing.T) {
	t.Parallel()
	s := newTestStore(t)
	points := scattered(t, s, 3000)
	random := rand.New(rand.NewPCG(1, 2))
	for i := range 60 {
		q := nearbyQuery{
			Lat: 37.35 + 0.4*random.Float64(), Lng: 126.75 + 0.5*random.Float64(),
			RadiusM: 200 + random.IntN(20_000), Limit: 1 + random.IntN(50),
		}
		if i%2 == 0 {
			q.Accepts = []wasteclass.Class{wasteclass.All()[i%17], wasteclass.All()[(i+3)%17]}
		}
		var want []NearbyPoint
		for _, p := range points {
			d := haversine(q.Lat, q.Lng, p.Lat, p.Lng)
			takes := len(q.Accepts) == 0 || slices.ContainsFunc(p.Accepts, func(c wasteclass.Class) bool {
				return slices.Contains(q.Accepts, c)
			})
			if d <= float64(q.RadiusM) && takes {
				want = append(want, NearbyPoint{Point: p, DistanceM: int(math.Round(d))})
			}
		}
		slices.SortFunc(want, func(a, b NearbyPoint) int {
			return cmp.Compare(haversine(q.Lat, q.Lng, a.Lat, a.Lng), haversine(q.Lat, q.Lng, b.Lat, b.Lng))
		})
		want = want[:min(q.Limit, len(want))]
		got, err := s.nearby(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		if len(got) != len(want) {
			t.Fatalf("%+v: %d points, want %d", q, len(got), len(want))
		}
		for k := range got {
			if got[k].Name != want[k].Name || got[k].DistanceM != want[k].DistanceM {
				t.Errorf("%+v, place %d: %s at %d m, want %s at %d m", q, k,
					got[k].Name, got[k].DistanceM, want[k].Name, want[k].DistanceM)
			}
		}
	}
}

func TestNearbyUsesTheIndex(t *testing.T) {
	t.Parallel()
	s := newTestStore(t)
	scattered(t, s, 20_000)
	if _, err := s.pool.Exec(t.Context(), "ANALYZE points"); err != nil {
		t.Fatal(err)
	}
	for _, q := range []nearbyQuery{
		{Lat: 37.55, Lng: 127, RadiusM: 3000, Limit: 5},
		{Lat: 37.55, Lng: 127, RadiusM: maxRadius, Limit: maxPoints, Accepts: []wasteclass.Class{"glass", "paper"}},
	} {
		text := planOf(t, s, q)
		byIndex := strings.Contains(text, "Index Scan using points_place") &&
			strings.Contains(text, "Order By: (place <->")
		if !byIndex || strings.Contains(text, "Seq Scan") || strings.Contains(text, "Sort") {
			t.Errorf("%+v is planned as\n%s", q, text)
		}
	}
}

func planOf(t *testing.T, s *store, q nearbyQuery) string {
	t.Helper()
	var plan []string
	err := pgx.BeginFunc(t.Context(), s.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(t.Context(), keepOrder); err != nil {
			return err
		}
		rows, err := tx.Query(t.Context(), "EXPLAIN "+nearbySQL, q.args()...)
		if err != nil {
			return err
		}
		plan, err = pgx.CollectRows(rows, pgx.RowTo[string])
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(plan, "\n")
}

func newTestAPI(t *testing.T, s *store, common *redis.Client) (*httptest.Server, *geoCache) {
	t.Helper()
	registry := prometheus.NewRegistry()
	cache := newGeoCache(common, registry)
	server, err := newServer(&service{store: s, cache: cache, logger: discard()}, registry, nil)
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
	if got := answer.Header.Get("Cache-Control"); want == http.StatusOK && got != "public, max-age=600" {
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
		for _, path := range []string{"/nearby?" + cityHall, "/search?q=x", "/0192f0c1-7e3a-7bbb-8c3d-0123456789ab"} {
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
