package locations

import (
	"time"

	"github.com/gin-gonic/gin"
	"github.com/gofrs/uuid/v5"

	"github.com/wastecoach/wastecoach/internal/wasteclass"
)

// The formats of a list of points. It is a parameter and not an Accept header: map libraries take a
// URL, and caches on the way tell answers apart by it.
const (
	formatJSON    = "json"
	formatGeoJSON = "geojson"
	geoJSONType   = "application/geo+json"
)

// located is what a map can show.
type located interface{ feature() geoFeature }

// geoFeature is a point as RFC 7946 has it.
type geoFeature struct {
	Type       string        `json:"type"`
	ID         uuid.UUID     `json:"id"`
	Geometry   geoPosition   `json:"geometry"`
	Properties geoProperties `json:"properties"`
}

type geoPosition struct {
	Type        string     `json:"type"`
	Coordinates [2]float64 `json:"coordinates"` // longitude first
}

// geoProperties are a Point's fields, and a NearbyPoint's distance.
type geoProperties struct {
	Name         string             `json:"name"`
	Address      string             `json:"address"`
	Accepts      []wasteclass.Class `json:"accepts"`
	OpeningHours string             `json:"opening_hours"`
	Hours        []Span             `json:"hours"`
	Links        Links              `json:"links"`
	Source       string             `json:"source"`
	UpdatedAt    time.Time          `json:"updated_at"`
	DistanceM    *int               `json:"distance_m,omitempty"`
}

// collect makes body a FeatureCollection of the points.
func collect[P located](points []P, body gin.H) {
	features := make([]geoFeature, 0, len(points))
	for _, p := range points {
		features = append(features, p.feature())
	}
	body["type"], body["features"] = "FeatureCollection", features
}

func (p Point) feature() geoFeature {
	return geoFeature{
		Type: "Feature", ID: p.ID,
		Geometry: geoPosition{Type: "Point", Coordinates: [2]float64{p.Lng, p.Lat}},
		Properties: geoProperties{
			Name: p.Name, Address: p.Address, Accepts: p.Accepts, OpeningHours: p.OpeningHours,
			Hours: p.Hours, Links: p.Links, Source: p.Source, UpdatedAt: p.UpdatedAt,
		},
	}
}

func (p NearbyPoint) feature() geoFeature {
	f := p.Point.feature()
	f.Properties.DistanceM = &p.DistanceM
	return f
}
