package locations

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/gofrs/uuid/v5"

	"github.com/wastecoach/wastecoach/internal/problem"
	"github.com/wastecoach/wastecoach/internal/wasteclass"
)

var (
	errPointNotFound = problem.New(problem.NotFound, "point_not_found", "There is no such collection point.")
	errInvalid       = problem.New(problem.Invalid, "invalid_parameters", "Some parameters are not valid.")
)

// Point is a place that takes waste of some classes. Source and SourceID are the publisher's. Hours
// are what OpeningHours, the publisher's words, say for a week; none where that is not understood.
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
	Hours        []Span             `json:"hours"`
	Links        Links              `json:"links"`
	UpdatedAt    time.Time          `json:"updated_at"`
}

// NearbyPoint is a Point and its distance along the great circle in meters.
type NearbyPoint struct {
	Point
	DistanceM int `json:"distance_m"`
}

// Links open a point in a map's app or site.
type Links struct {
	Kakao string `json:"kakao"`
	Naver string `json:"naver"`
}

// linksOf writes the links as the maps take them from anybody, without a key.
func linksOf(p *Point) Links {
	lat, lng := strconv.FormatFloat(p.Lat, 'f', -1, 64), strconv.FormatFloat(p.Lng, 'f', -1, 64)
	// Kakao takes what stands between commas; a slash would end the name, written as %2F too.
	name := strings.Join(strings.FieldsFunc(p.Name, func(r rune) bool { return r == ',' || r == '/' }), " ")
	return Links{
		Kakao: fmt.Sprintf("https://map.kakao.com/link/map/%s,%s,%s", url.PathEscape(name), lat, lng),
		Naver: "https://map.naver.com/?" + url.Values{"lat": {lat}, "lng": {lng}, "title": {p.Name}}.Encode(),
	}
}
