package recycling

import (
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/gin-gonic/gin"
	"github.com/gofrs/uuid/v5"

	"github.com/wastecoach/wastecoach/internal/httpserver"
	"github.com/wastecoach/wastecoach/internal/problem"
)

// Pacing of who polls for advice: as for an analysis, and slower for a job that takes long.
const (
	pollInterval = 500 * time.Millisecond
	oldJob       = 30 * time.Second
	oldInterval  = 2 * time.Second
)

var errInvalidBody = problem.New(problem.Invalid, "invalid_request", "Some fields are not valid.")

const regionShape = "must be kr, or kr- and the five digits of a district's administrative code"

var regionID = regexp.MustCompile(`^kr(-[0-9]{5})?$`)

func validRegion(id string) bool { return id == "" || regionID.MatchString(id) }

type adviceRequest struct {
	ItemID string `json:"item_id"`
	// Region is a district; empty is the whole country, as is a district without rules of its own.
	Region string `json:"region"`
	// Locale is ko or en; empty is ko.
	Locale string `json:"locale"`
}

func (r adviceRequest) validate() error {
	var faults []problem.Field
	fault := func(pointer, code, detail string) {
		faults = append(faults, problem.Field{Pointer: pointer, Code: code, Detail: detail})
	}
	if r.ItemID == "" {
		fault("/item_id", "required", "must be the id of an item of GET /items")
	}
	if !validRegion(r.Region) {
		fault("/region", "unknown", regionShape)
	}
	if r.Locale != "" && r.Locale != "ko" && r.Locale != "en" {
		fault("/locale", "unknown", "must be ko or en")
	}
	if len(faults) > 0 {
		return errInvalidBody.WithFields(faults...)
	}
	return nil
}

// advise answers 200 with advice that is known, or 202 with the job that will have it.
func (a *api) advise(c *gin.Context) error {
	var r adviceRequest
	if err := httpserver.Bind(c, &r); err != nil {
		return err
	}
	if err := r.validate(); err != nil {
		return err
	}
	if !utf8.ValidString(r.ItemID) || strings.ContainsRune(r.ItemID, 0) {
		return errItemNotFound
	}
	if r.Locale == "" {
		r.Locale = "ko"
	}
	advice, job, err := a.service.advise(c, wish{
		ItemID: r.ItemID, Region: r.Region, Locale: r.Locale, RequestID: httpserver.RequestID(c),
	})
	if err != nil {
		return err
	}
	c.Header("Cache-Control", "no-store")
	if advice != nil {
		c.JSON(http.StatusOK, advice)
		return nil
	}
	view, err := job.view(a.now(), a.retention)
	if err != nil {
		return err
	}
	c.Header("Location", view.Links.Self)
	a.pace(c, *job)
	c.JSON(http.StatusAccepted, view)
	return nil
}

// getAdvice is the polled route. Its jobs hold nothing about a person, so it asks for no token.
func (a *api) getAdvice(c *gin.Context) error {
	id, err := uuid.FromString(c.Param("id"))
	if err != nil {
		return errJobNotFound
	}
	job, err := a.service.adviceJob(c, id)
	if err != nil {
		return err
	}
	view, err := job.view(a.now(), a.retention)
	if err != nil {
		return err
	}
	etag := fmt.Sprintf(`"%d-%s-%t"`, view.Attempt, view.Status, view.Stalled)
	c.Header("ETag", etag)
	c.Header("Cache-Control", "no-cache")
	if !job.final() {
		a.pace(c, job)
	}
	if c.GetHeader("If-None-Match") == etag {
		c.Status(http.StatusNotModified)
		return nil
	}
	c.JSON(http.StatusOK, view)
	return nil
}

// pace tells when to ask again.
func (a *api) pace(c *gin.Context, job adviceJob) {
	interval := pollInterval
	if a.now().Sub(job.createdAt) > oldJob {
		interval = oldInterval
	}
	c.Header("Poll-After-Ms", strconv.FormatInt(interval.Milliseconds(), 10))
}

type regionView struct {
	ID      string   `json:"id"`
	Name    string   `json:"name"`
	Sources []string `json:"sources"`
}

func (a *api) listRegions(c *gin.Context) error {
	locale, err := onlyLocale(c)
	if err != nil {
		return err
	}
	views := []regionView{}
	for _, region := range a.service.rules.base.Regions {
		views = append(views, regionView{region.ID, region.Name.In(locale), texts(region.Sources, locale)})
	}
	return answer(c, gin.H{"regions": views})
}
