package locations

import "math"

// earthRadius is earthdistance's, in meters.
const earthRadius = 6378168

const radians = math.Pi / 180

// haversine is the distance in meters along the great circle.
func haversine(lat1, lng1, lat2, lng2 float64) float64 {
	sinLat, sinLng := math.Sin((lat2-lat1)*radians/2), math.Sin((lng2-lng1)*radians/2)
	a := sinLat*sinLat + math.Cos(lat1*radians)*math.Cos(lat2*radians)*sinLng*sinLng
	return 2 * earthRadius * math.Asin(math.Sqrt(a))
}

// rectangle is bounded by two parallels and two meridians, in degrees.
type rectangle struct{ South, West, North, East float64 }

// reach is the radius in meters of a circle that holds all of r; a meter more, for rounding.
func (r rectangle) reach(lat, lng float64) float64 {
	return 1 + max(haversine(lat, lng, r.South, r.West), haversine(lat, lng, r.North, r.West))
}

// sides are the lengths in meters through the middle.
func (r rectangle) sides() (high, wide float64) {
	lat := (r.South + r.North) / 2
	return haversine(r.South, r.West, r.North, r.West), haversine(lat, r.West, lat, r.East)
}
