package locations

import (
	"context"
	"math/rand/v2"
	"testing"

	"github.com/wastecoach/wastecoach/internal/testdb"
	"github.com/wastecoach/wastecoach/internal/wasteclass"
)

// benchPoints is the size of the table that is searched.
const benchPoints = 200_000

// BenchmarkNearby asks the store for the nearest points of one class.
func BenchmarkNearby(b *testing.B) {
	s := &store{pool: testdb.New(b, "locations").Pool("locations")}
	generate(b, s, benchPoints)
	for _, radius := range []int{3000, maxRadius} {
		b.Run(map[int]string{3000: "3km", maxRadius: "50km"}[radius], func(b *testing.B) {
			random := rand.New(rand.NewPCG(1, 1))
			for b.Loop() {
				q := nearbyQuery{
					Lat: 37.4 + 0.3*random.Float64(), Lng: 126.8 + 0.4*random.Float64(),
					RadiusM: radius, Limit: 5, Accepts: []wasteclass.Class{wasteclass.Glass},
				}
				if _, err := s.nearby(b.Context(), q); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// generate fills the table inside the database; every 17th point takes glass.
func generate(b *testing.B, s *store, n int) {
	b.Helper()
	ctx := context.WithoutCancel(b.Context())
	_, err := s.pool.Exec(ctx, `
		INSERT INTO points (id, source, source_id, name, address, lat, lng, place, accepts, created_at, updated_at)
		SELECT gen_random_uuid(), 'bench', i::text, 'point ' || i, '', lat, lng, ll_to_earth(lat, lng),
			ARRAY[CASE i % 17 WHEN 0 THEN 'glass' ELSE 'paper' END], now(), now()
		FROM (SELECT i, 37.4 + 0.3 * random() AS lat, 126.8 + 0.4 * random() AS lng
			FROM generate_series(1, $1::int) AS i) AS generated`, n)
	if err != nil {
		b.Fatal(err)
	}
	if _, err := s.pool.Exec(ctx, "ANALYZE points"); err != nil {
		b.Fatal(err)
	}
}
