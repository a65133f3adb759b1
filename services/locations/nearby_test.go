package locations

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/wastecoach/wastecoach/internal/wasteclass"
)

// hourTexts are those of scattered points.
var hourTexts = []string{
	"", "24시간", "평일 09:00~18:00", "평일 09:00~18:00, 토 09:00~13:00", "매일 18:00~06:00",
	"평일 09:00~18:00 (점심시간 12:00~13:00)", "일출~일몰",
}

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
		hours := hourTexts[random.IntN(len(hourTexts))]
		points = append(points, Point{
			Source: "test", SourceID: fmt.Sprint(i), Name: fmt.Sprintf("point %d", i), Address: "서울",
			Lat: 37.4 + 0.3*random.Float64(), Lng: 126.8 + 0.4*random.Float64(), Accepts: accepts,
			OpeningHours: hours, Hours: parseHours(hours),
		})
	}
	i := 0
	_, err := s.upsert(t.Context(), func() (Point, bool, error) {
		if i == len(points) {
			return Point{}, false, nil
		}
		i++
		return points[i-1], true, nil
	}, false, func() {})
	if err != nil {
		t.Fatal(err)
	}
	return points
}

// matches tells by another way than SQL's whether a point is among those that are asked for.
func matches(q nearbyQuery, p *Point) bool {
	takes := len(q.Accepts) == 0 || slices.ContainsFunc(p.Accepts, func(c wasteclass.Class) bool {
		return slices.Contains(q.Accepts, c)
	})
	open := q.Open == nil || slices.ContainsFunc(p.Hours, func(s Span) bool {
		return s.FirstDay <= q.Open.day && q.Open.day <= s.LastDay &&
			s.Opens <= q.Open.minute && q.Open.minute < s.Closes
	})
	inside := q.Bounds == nil || p.Lat >= q.Bounds.South && p.Lat <= q.Bounds.North &&
		p.Lng >= q.Bounds.West && p.Lng <= q.Bounds.East
	return takes && open && inside && haversine(q.Lat, q.Lng, p.Lat, p.Lng) <= q.RadiusM
}

// anyQuery makes questions with each filter and without.
func anyQuery(random *rand.Rand) nearbyQuery {
	q := nearbyQuery{
		Lat: 37.35 + 0.4*random.Float64(), Lng: 126.75 + 0.5*random.Float64(),
		RadiusM: 200 + 20_000*random.Float64(), Limit: 1 + random.IntN(50),
	}
	for range random.IntN(3) {
		q.Accepts = append(q.Accepts, wasteclass.All()[random.IntN(17)])
	}
	if random.IntN(2) == 0 {
		q.Open = &moment{day: random.IntN(7), minute: 30 * random.IntN(48)} // when many open and close
	}
	if random.IntN(3) == 0 {
		q.Bounds = &rectangle{q.Lat - 0.03, q.Lng - 0.04, q.Lat + 0.05, q.Lng + 0.02}
	}
	return q
}

func TestNearbyEqualsBruteForce(t *testing.T) {
	t.Parallel()
	s := newTestStore(t)
	points := scattered(t, s, 3000)
	random := rand.New(rand.NewPCG(1, 2))
	found := 0
	for range 150 {
		q := anyQuery(random)
		var want []NearbyPoint
		for i := range points {
			if p := &points[i]; matches(q, p) {
				want = append(want, NearbyPoint{*p, int(math.Round(haversine(q.Lat, q.Lng, p.Lat, p.Lng)))})
			}
		}
		slices.SortFunc(want, func(a, b NearbyPoint) int {
			return cmp.Compare(haversine(q.Lat, q.Lng, a.Lat, a.Lng), haversine(q.Lat, q.Lng, b.Lat, b.Lng))
		})
		want = want[:min(q.Limit, len(want))]
		found += len(want)
		got, err := s.nearby(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		expectPoints(t, q, got, want)
		if got, err = s.inOrder(t.Context(), q.slotsSQL(), q.slotsArgs()); err != nil {
			t.Fatal(err)
		}
		expectPoints(t, q, got, want)
	}
	if found < 1000 {
		t.Errorf("only %d points were found", found)
	}
}

func expectPoints(t *testing.T, q nearbyQuery, got, want []NearbyPoint) {
	t.Helper()
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

// TestSlotsFollowTheirPoint holds the triggers to it.
func TestSlotsFollowTheirPoint(t *testing.T) {
	t.Parallel()
	s := newTestStore(t)
	load(t, s, goodRows, Options{Source: "test"})
	found := func(class wasteclass.Class, at *moment) string {
		points, err := s.nearby(t.Context(), nearbyQuery{
			Lat: 37.56, Lng: 126.97, RadiusM: 5000, Limit: 5, Accepts: []wasteclass.Class{class}, Open: at,
		})
		if err != nil {
			t.Fatal(err)
		}
		var ids []string
		for _, p := range points {
			ids = append(ids, p.SourceID)
		}
		slices.Sort(ids)
		return strings.Join(ids, " ")
	}
	expect := func(class wasteclass.Class, at *moment, want string) {
		t.Helper()
		if got := found(class, at); got != want {
			t.Errorf("%s at %+v: found %q, want %q", class, at, got, want)
		}
	}
	night, noon := &moment{day: 6, minute: 180}, &moment{day: 0, minute: 720}
	expect("battery", night, "A-1")
	expect("clothing", noon, "") // its hours are not known
	expect("clothing", nil, "A-2")
	load(t, s, strings.Replace(goodRows, "의류,", "폐건전지,평일 09:00~18:00", 1), Options{Source: "test"})
	expect("battery", night, "A-1")
	expect("battery", noon, "A-1 A-2")
	expect("clothing", nil, "")
	if _, err := s.pool.Exec(t.Context(), "DELETE FROM points WHERE source_id = 'A-1'"); err != nil {
		t.Fatal(err)
	}
	expect("battery", nil, "A-2")
}

// TestSlotClasses holds the migration's classes and the program's together.
func TestSlotClasses(t *testing.T) {
	t.Parallel()
	s := newTestStore(t)
	seen := map[float64]bool{}
	for _, class := range wasteclass.All() {
		var number *float64
		err := s.pool.QueryRow(t.Context(), "SELECT slot_class($1)", string(class)).Scan(&number)
		if err != nil || number == nil || seen[*number] {
			t.Fatalf("class %s has number %v, %v", class, number, err)
		}
		seen[*number] = true
	}
}

func TestNearbyUsesTheIndex(t *testing.T) {
	t.Parallel()
	s := newTestStore(t)
	scattered(t, s, 20_000)
	if _, err := s.pool.Exec(t.Context(), "ANALYZE"); err != nil {
		t.Fatal(err)
	}
	night := &moment{day: 6, minute: 180}
	for _, q := range []nearbyQuery{
		{Lat: 37.55, Lng: 127, RadiusM: 3000, Limit: 5},
		{Lat: 37.55, Lng: 127, RadiusM: maxRadius, Limit: maxPoints, Accepts: []wasteclass.Class{"glass", "paper"}},
		{Lat: 37.55, Lng: 127, RadiusM: maxRadius, Limit: 5, Open: night},
		{Lat: 37.55, Lng: 127, RadiusM: maxRadius, Limit: 5, Accepts: []wasteclass.Class{"lamp"}, Open: night},
		{Lat: 37.55, Lng: 127, RadiusM: 9000, Limit: 101, Bounds: &rectangle{37.5, 126.95, 37.6, 127.05}},
	} {
		// After some runs PostgreSQL keeps one plan for all places.
		for _, mode := range []string{"force_custom_plan", "force_generic_plan"} {
			setting := "SET LOCAL plan_cache_mode = " + mode
			for _, plan := range []string{
				planOf(t, s, "", walkSQL, q.walkArgs(), setting),
				planOf(t, s, "", q.slotsSQL(), q.slotsArgs(), setting),
			} {
				if !byIndexAlone(plan) {
					t.Errorf("%+v is planned (%s) as\n%s", q, mode, plan)
				}
			}
		}
	}
}

// byIndexAlone tells whether the neighbors come in order from the index, and nothing is read whole.
func byIndexAlone(plan string) bool {
	byPlace := strings.Contains(plan, "Index Scan using points_place") && strings.Contains(plan, "Order By: (place <->")
	bySlot := strings.Contains(plan, "Index Scan using slots_box") && strings.Contains(plan, "Order By: (box <->")
	return (byPlace || bySlot) && strings.Contains(plan, "Incremental Sort") &&
		!strings.Contains(plan, "Seq Scan") && !strings.Contains(plan, "Bitmap")
}

// planOf explains a question; options are EXPLAIN's, in brackets.
func planOf(tb testing.TB, s *store, options, sql string, args []any, settings ...string) string {
	tb.Helper()
	var plan []string
	err := pgx.BeginFunc(tb.Context(), s.pool, func(tx pgx.Tx) error {
		for _, setting := range append(keepOrder(), settings...) {
			if _, err := tx.Exec(tb.Context(), setting); err != nil {
				return err
			}
		}
		rows, err := tx.Query(tb.Context(), "EXPLAIN "+options+sql, args...)
		if err != nil {
			return err
		}
		plan, err = pgx.CollectRows(rows, pgx.RowTo[string])
		return err
	})
	if err != nil {
		tb.Fatal(err)
	}
	return strings.Join(plan, "\n")
}
