package locations

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wastecoach/wastecoach/internal/testdb"
	"github.com/wastecoach/wastecoach/internal/wasteclass"
)

// benchPoints is the size of the table that is searched.
const benchPoints = 1_000_000

// The points stand in a rectangle of 33 by 35 km; the few that take bulky waste and are open at night
// in its corner, within 50 km of every place that is asked about.
const (
	benchLat, benchHeight = 37.4, 0.3
	benchLng, benchWidth  = 126.8, 0.4
	rare                  = 20
)

// BenchmarkMillion asks the store for points among a million around Seoul and reports how long the
// database took: p50 and p99. Each plan of nearby is checked to read by the index alone.
//
//	go test -vet=off -run '^$' -bench Million/nearby -benchtime 2000x ./services/locations
//	go test -vet=off -run '^$' -bench Million/search -benchtime 20x ./services/locations
func BenchmarkMillion(b *testing.B) {
	s := &store{pool: testdb.New(b, "locations").Pool("locations")}
	generate(b, s, benchPoints)
	b.Run("nearby", func(b *testing.B) { benchNearby(b, s) })
	for _, query := range []string{"서울", "123456번", "마포구 12번길 345", "마포구 12벙길", "길 4", "없는 곳"} {
		b.Run("search/"+query, func(b *testing.B) {
			percentiles(b, func() {
				if _, err := s.search(b.Context(), query, defaultSearch); err != nil {
					b.Fatal(err)
				}
			})
		})
	}
}

func benchNearby(b *testing.B, s *store) {
	workday, night := &moment{day: 0, minute: 600}, &moment{day: 6, minute: 180}
	for _, tc := range []struct {
		name string
		ask  nearbyQuery
		want int // points found at least, each time
	}{
		{"any/3km", nearbyQuery{RadiusM: 3000, Limit: 5}, 5},
		{"any/50km/limit50", nearbyQuery{RadiusM: maxRadius, Limit: maxPoints}, maxPoints},
		{"class/3km", nearbyQuery{RadiusM: 3000, Limit: 5, Accepts: classes("glass")}, 5},
		{"class/50km", nearbyQuery{RadiusM: maxRadius, Limit: 5, Accepts: classes("glass")}, 5},
		{"3classes/50km", nearbyQuery{RadiusM: maxRadius, Limit: 5, Accepts: classes("glass", "lamp", "food")}, 5},
		{"open/3km", nearbyQuery{RadiusM: 3000, Limit: 5, Open: workday}, 5},
		{"open+class/50km", nearbyQuery{RadiusM: maxRadius, Limit: 5, Open: workday, Accepts: classes("glass")}, 5},
		{"rareclass/3km", nearbyQuery{RadiusM: 3000, Limit: 5, Accepts: classes("bulky")}, 0},
		{"rareclass/50km", nearbyQuery{RadiusM: maxRadius, Limit: 5, Accepts: classes("bulky")}, 5},
		{"rareopen/50km", nearbyQuery{RadiusM: maxRadius, Limit: 5, Open: night}, 5},
		{"rareopen+class/50km", nearbyQuery{RadiusM: maxRadius, Limit: 5, Open: night, Accepts: classes("paper")}, 5},
		{"noneopen+class/50km", nearbyQuery{RadiusM: maxRadius, Limit: 5, Open: night, Accepts: classes("glass")}, 0},
	} {
		b.Run(tc.name, func(b *testing.B) { benchQuery(b, s, tc.ask, tc.want) })
	}
}

func classes(names ...wasteclass.Class) []wasteclass.Class { return names }

func benchQuery(b *testing.B, s *store, q nearbyQuery, want int) {
	random := rand.New(rand.NewPCG(1, 1))
	q.Lat, q.Lng = benchLat+benchHeight/2, benchLng+benchWidth/2
	plans := []string{planOf(b, s, "(ANALYZE, BUFFERS) ", walkSQL, q.walkArgs())}
	if q.filtered() {
		plans = append(plans, planOf(b, s, "(ANALYZE, BUFFERS) ", q.slotsSQL(), q.slotsArgs()))
	}
	for _, plan := range plans {
		if !byIndexAlone(plan) {
			b.Fatalf("%+v is planned as\n%s", q, plan)
		}
		b.Log("\n" + plan)
	}
	percentiles(b, func() {
		q.Lat, q.Lng = benchLat+benchHeight*random.Float64(), benchLng+benchWidth*random.Float64()
		if points, err := s.nearby(b.Context(), q); err != nil || len(points) < want {
			b.Fatalf("%+v: %d points, %v", q, len(points), err)
		}
	})
}

// percentiles reports the p50 and p99 of do in milliseconds.
func percentiles(b *testing.B, do func()) {
	b.Helper()
	var took []time.Duration
	for b.Loop() {
		began := time.Now()
		do()
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	b.ReportMetric(milliseconds(took[len(took)/2]), "p50-ms")
	b.ReportMetric(milliseconds(took[len(took)*99/100]), "p99-ms")
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// generate fills the table inside the database: a third of the points takes two classes, a tenth has no known
// hours, the others have one of 35 office hours, half of them on Saturday too. Only the rare ones take bulky
// waste and are open at night.
func generate(b *testing.B, s *store, n int) {
	b.Helper()
	ctx := context.WithoutCancel(b.Context())
	common := slices.DeleteFunc(wasteclass.All(), func(c wasteclass.Class) bool { return c == wasteclass.Bulky })
	fill(b, s, `CASE i % 3 WHEN 0 THEN ARRAY[common[i % 16 + 1], common[i % 15 + 2]] ELSE ARRAY[common[i % 16 + 1]] END,
		CASE WHEN i % 10 = 0 THEN '{}' WHEN i % 2 = 0 THEN ARRAY[0, 4, opens, closes, 5, 5, opens, opens + 240]
			ELSE ARRAY[0, 4, opens, closes] END::smallint[]`,
		words(common), n-rare, benchHeight, benchWidth)
	fill(b, s, `'{bulky,paper}'::text[], '{0,6,0,1440}'::smallint[]`, nil, rare, 0.005, 0.005)
	if _, err := s.pool.Exec(ctx, "VACUUM ANALYZE points, slots"); err != nil {
		b.Fatal(err)
	}
}

// fill inserts n points in a rectangle of some degrees; classes and hours are SQL.
func fill(b *testing.B, s *store, classesAndHours string, common []string, n int, height, width float64) {
	b.Helper()
	_, err := s.pool.Exec(b.Context(), `
		INSERT INTO points (id, source, source_id, name, address, lat, lng, place, accepts, spans,
			created_at, updated_at)
		SELECT gen_random_uuid(), 'bench', n::text || '/' || i, i || '번 수거함',
			'서울특별시 ' || (ARRAY['종로구', '강남구', '마포구'])[i % 3 + 1] || ' ' || i % 97 || '번길 ' || i % 499,
			lat, lng, ll_to_earth(lat, lng), `+classesAndHours+`, now(), now()
		FROM (SELECT i, $1::text[] AS common, $2::int AS n,
				$3 + $4::float8 * random() AS lat, $5 + $6::float8 * random() AS lng,
				480 + 30 * (i % 5) AS opens, 1020 + 30 * (i % 7) AS closes
			FROM generate_series(1, $2) AS i) AS generated`,
		common, n, benchLat, height, benchLng, width)
	if err != nil {
		b.Fatal(err)
	}
}

// BenchmarkImport reads a file of n rows into an empty table, and the same file again.
//
//	go test -vet=off -run '^$' -bench Import -benchtime 1x ./services/locations
func BenchmarkImport(b *testing.B) {
	for _, n := range []int{10_000, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			file := generatedFile(n)
			for b.Loop() {
				b.StopTimer()
				s := &store{pool: testdb.New(b, "locations").Pool("locations")}
				b.StartTimer()
				fresh := timedImport(b, s, strings.NewReader(file), Report{Rows: n, Inserted: n})
				again := timedImport(b, s, strings.NewReader(file), Report{Rows: n, Unchanged: n})
				b.ReportMetric(float64(n)/fresh.Seconds(), "rows/s")
				b.ReportMetric(float64(n)/again.Seconds(), "unchanged-rows/s")
			}
		})
	}
}

func timedImport(b *testing.B, s *store, file io.Reader, want Report) time.Duration {
	b.Helper()
	began := time.Now()
	report, err := Import(b.Context(), s.pool, file, CSV, Options{Source: "bench"})
	if err != nil || report.Inserted != want.Inserted || report.Unchanged != want.Unchanged {
		b.Fatalf("%+v, %v", report, err)
	}
	return time.Since(began)
}

// generatedFile is a file like those of districts, with n rows.
func generatedFile(n int) string {
	random := rand.New(rand.NewPCG(3, 3))
	var text strings.Builder
	text.WriteString("관리번호,수거함명,소재지도로명주소,위도,경도,수거품목,운영시간\n")
	items := []string{"폐건전지;폐형광등", "의류", "종이팩", "투명페트병;캔류;유리병"}
	hours := []string{"24시간", "평일 09:00~18:00", "평일 09:00~18:00, 토 09:00~13:00", ""}
	for i := range n {
		fmt.Fprintf(&text, "B-%d,%d번 수거함,서울특별시 중구 세종대로 %d,%.6f,%.6f,%s,\"%s\"\n", i, i, random.IntN(400),
			37.4+0.3*random.Float64(), 126.8+0.4*random.Float64(), items[i%len(items)], hours[i%len(hours)])
	}
	return text.String()
}
