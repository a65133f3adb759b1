package locations

import (
	"time"

	"github.com/gofrs/uuid/v5"

	"github.com/wastecoach/wastecoach/internal/problem"
	"github.com/wastecoach/wastecoach/internal/wasteclass"
)

var (
	errPointNotFound = problem.New(problem.NotFound, "point_not_found", "There is no such collection point.")
	errInvalid       = problem.New(problem.Invalid, "invalid_parameters", "Some parameters are not valid.")
)

// Point is a place that takes waste of some classes. Source and SourceID are the publisher's.
type Point struct {
	ID           uuid.UUID          `json:"id"`
	Source       string             `json:"source"`
	SourceID     string             `json:"-"`
	Name         string             `json:"name"`
	Address      string             `json:"address"`
	Lat          float64            `json:"lat"`
	Lng          float64            `json:"lng"`
	Accepts      []wasteclass.Class `json:"accepts"`
	OpeningHours string             `json:"opening_hours"`
	UpdatedAt    time.Time          `json:"updated_at"`
}

// NearbyPoint is a Point and its distance along the great circle in meters.
type NearbyPoint struct {
	Point
	DistanceM int `json:"distance_m"`
}

// nearbyQuery asks for the Limit nearest points within RadiusM that take one of Accepts, or
// anything when that is empty.
type nearbyQuery struct {
	Lat, Lng float64
	RadiusM  int
	Accepts  []wasteclass.Class
	Limit    int
}
