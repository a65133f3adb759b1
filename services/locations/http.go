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
	maxQuery      = 100
	cacheControl  = "public, max-age=600"
)

type api struct{ service *service }

func (a *api) routes(g *gin.RouterGroup) {
	g.GET("/nearby", httpserver.Handle(a.nearby))
	g.GET("/search", httpserver.Handle(a.search))
	g.GET("/:id", httpserver.Handle(a.get))
}

func (a *api) nearby(c *gin.Context) error {
	p := parameters{c: c}
	q := nearbyQuery{
		Lat: p.degrees("lat", 90), Lng: p.degrees("lng", 180),
		RadiusM: p.whole("radius_m", defaultRadius, maxRadius),
		Accepts: p.classes("accepts"),
		Limit:   p.whole("limit", defaultNearby, maxPoints),
	}
	if err := p.err(); err != nil {
		return err
	}
	points, err := a.service.nearby(c, q)
	if err != nil {
		return err
	}
	return answer(c, gin.H{"points": points})
}

func (a *api) search(c *gin.Context) error {
	p := parameters{c: c}
	query, limit := p.text("q"), p.whole("limit", defaultSearch, maxPoints)
	if err := p.err(); err != nil {
		return err
	}
	points, err := a.service.search(c, query, limit)
	if err != nil {
		return err
	}
	return answer(c, gin.H{"points": points})
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
	return answer(c, point)
}

func answer(c *gin.Context, body any) error {
	c.Header("Cache-Control", cacheControl)
	c.JSON(http.StatusOK, body)
	return nil
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
