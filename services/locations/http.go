package locations

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/gin-gonic/gin"
	"github.com/gofrs/uuid/v5"

	"github.com/wastecoach/wastecoach/internal/httpserver"
	"github.com/wastecoach/wastecoach/internal/problem"
	"github.com/wastecoach/wastecoach/internal/wasteclass"
)

const (
	defaultRadius = 3000
	maxRadius     = 50_000
	defaultNearby = 5
	defaultSearch = 20
	maxPoints     = 50
	defaultWithin = 100
	maxWithin     = 500
	maxQuery      = 100
	// maxSide and maxShape bound a rectangle in meters, and how much longer than wide it may be: a thin
	// one is slow to search.
	maxSide  = 100_000
	maxShape = 10

	cacheAny  = "public, max-age=600"
	cacheOpen = "public, max-age=60" // what is open now may soon be closed
)

type api struct{ service *service }

func (a *api) routes(g *gin.RouterGroup) {
	g.GET("/nearby", httpserver.Handle(a.nearby))
	g.GET("/within", httpserver.Handle(a.within))
	g.GET("/search", httpserver.Handle(a.search))
	g.GET("/:id", httpserver.Handle(a.get))
}

func (a *api) nearby(c *gin.Context) error {
	p := parameters{c: c}
	format := p.format()
	q := nearbyQuery{
		Lat: p.degrees("lat", 90), Lng: p.degrees("lng", 180),
		RadiusM: float64(p.whole("radius_m", defaultRadius, maxRadius)),
		Accepts: p.classes("accepts"), Open: a.service.openNow(p.flag("open_now")),
		Limit: p.whole("limit", defaultNearby, maxPoints),
	}
	if err := p.err(); err != nil {
		return err
	}
	points, err := a.service.nearby(c, q)
	if err != nil {
		return err
	}
	c.Header("Cache-Control", caching(q.Open))
	list(c, format, points, gin.H{})
	return nil
}

func (a *api) within(c *gin.Context) error {
	p := parameters{c: c}
	format := p.format()
	q := withinQuery{
		Bounds: p.rectangle("bbox"), Accepts: p.classes("accepts"),
		Open: a.service.openNow(p.flag("open_now")), Limit: p.whole("limit", defaultWithin, maxWithin),
	}
	if err := p.err(); err != nil {
		return err
	}
	points, more, err := a.service.within(c, q)
	if err != nil {
		return err
	}
	c.Header("Cache-Control", caching(q.Open))
	list(c, format, points, gin.H{"truncated": more})
	return nil
}

func (a *api) search(c *gin.Context) error {
	p := parameters{c: c}
	format, query, limit := p.format(), p.text("q"), p.whole("limit", defaultSearch, maxPoints)
	if err := p.err(); err != nil {
		return err
	}
	points, err := a.service.search(c, query, limit)
	if err != nil {
		return err
	}
	c.Header("Cache-Control", cacheAny)
	list(c, format, points, gin.H{})
	return nil
}

func (a *api) get(c *gin.Context) error {
	id, err := uuid.FromString(c.Param("id"))
	if err != nil {
		return errPointNotFound
	}
	point, err := a.service.point(c, id)
	if err != nil {
		return err
	}
	c.Header("Cache-Control", cacheAny)
	c.JSON(http.StatusOK, point)
	return nil
}

func caching(open *moment) string {
	if open != nil {
		return cacheOpen
	}
	return cacheAny
}

// list answers with points and what else there is to say about them.
func list[P located](c *gin.Context, format string, points []P, body gin.H) {
	body["points"] = points
	if format == formatGeoJSON {
		delete(body, "points")
		collect(points, body)
		c.Header("Content-Type", geoJSONType)
	}
	c.JSON(http.StatusOK, body)
}

// parameters reads the query and gathers its faults.
type parameters struct {
	c      *gin.Context
	faults []problem.Field
}

func (p *parameters) fault(name, code, format string, args ...any) {
	p.faults = append(p.faults,
		problem.Field{Pointer: name, Code: code, Detail: fmt.Sprintf(format, args...)})
}

func (p *parameters) err() error {
	if len(p.faults) == 0 {
		return nil
	}
	return errInvalid.WithFields(p.faults...)
}

func (p *parameters) degrees(name string, limit float64) float64 {
	text := p.c.Query(name)
	if text == "" {
		p.fault(name, "required", "is missing")
		return 0
	}
	value, err := strconv.ParseFloat(text, 64)
	// Written so that NaN, which ParseFloat reads, is refused.
	if err != nil || !(value >= -limit && value <= limit) {
		p.fault(name, "out_of_range", "must be a number from %g to %g", -limit, limit)
	}
	return value
}

func (p *parameters) whole(name string, fallback, limit int) int {
	text := p.c.Query(name)
	if text == "" {
		return fallback
	}
	value, err := strconv.Atoi(text)
	if err != nil || value < 1 || value > limit {
		p.fault(name, "out_of_range", "must be a whole number from 1 to %d", limit)
	}
	return value
}

// flag is false where the parameter is missing.
func (p *parameters) flag(name string) bool {
	switch p.c.Query(name) {
	case "", "false":
		return false
	case "true":
		return true
	}
	p.fault(name, "unknown", "must be true or false")
	return false
}

func (p *parameters) format() string {
	switch format := p.c.Query("format"); format {
	case "", formatJSON:
		return formatJSON
	case formatGeoJSON:
		return format
	}
	p.fault("format", "unknown", "must be %s or %s", formatJSON, formatGeoJSON)
	return ""
}

// rectangle reads west,south,east,north, as GeoJSON writes it.
func (p *parameters) rectangle(name string) rectangle {
	text := p.c.Query(name)
	if text == "" {
		p.fault(name, "required", "is missing")
		return rectangle{}
	}
	numbers := make([]float64, 0, 4)
	for part := range strings.SplitSeq(text, ",") {
		limit := []float64{180, 90}[len(numbers)%2]
		value, err := strconv.ParseFloat(part, 64)
		if err != nil || !(value >= -limit && value <= limit) || len(numbers) == 4 {
			numbers = nil
			break
		}
		numbers = append(numbers, value)
	}
	if len(numbers) != 4 || numbers[0] >= numbers[2] || numbers[1] >= numbers[3] {
		p.fault(name, "out_of_range", "must be west,south,east,north in degrees")
		return rectangle{}
	}
	r := rectangle{West: numbers[0], South: numbers[1], East: numbers[2], North: numbers[3]}
	if high, wide := r.sides(); max(high, wide) > maxSide || max(high, wide) > maxShape*min(high, wide) {
		p.fault(name, "out_of_range", "must have sides of at most %d km, one at most %d times the other",
			maxSide/1000, maxShape)
	}
	return r
}

func (p *parameters) classes(name string) []wasteclass.Class {
	text := p.c.Query(name)
	if text == "" {
		return nil
	}
	var classes []wasteclass.Class
	for word := range strings.SplitSeq(text, ",") {
		class := wasteclass.Class(word)
		if !class.Valid() {
			p.fault(name, "unknown", "must be classes of waste with commas between them")
			return nil
		}
		classes = append(classes, class)
	}
	return classes
}

func (p *parameters) text(name string) string {
	text := strings.TrimSpace(p.c.Query(name))
	switch {
	case text == "":
		p.fault(name, "required", "is missing")
	case utf8.RuneCountInString(text) > maxQuery:
		p.fault(name, "too_long", "must have at most %d characters", maxQuery)
	case !utf8.ValidString(text) || strings.ContainsRune(text, 0):
		p.fault(name, "not_text", "must be text in UTF-8")
	}
	return text
}
