package operator

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/gin-gonic/gin"
	"github.com/gofrs/uuid/v5"

	"github.com/wastecoach/wastecoach/internal/env"
	"github.com/wastecoach/wastecoach/internal/httpserver"
	"github.com/wastecoach/wastecoach/internal/job"
	"github.com/wastecoach/wastecoach/internal/problem"
)

// What a request is refused with.
var (
	ErrRequest = problem.New(
		problem.Malformed, "operator_request_malformed", "The request is none of an operator.")
	ErrJobNotFound = problem.New(problem.NotFound, "job_not_found", "There is no such job.")
)

// Bounds of an answer.
const (
	defaultLimit = 50
	maxLimit     = 500
	maxText      = 100
)

// Jobs is a service that has jobs.
type Jobs interface {
	Page(context.Context, Query) (Page, error)
	Detail(context.Context, uuid.UUID) (JobDetail, error)
	Events(ctx context.Context, limit int) ([]Event, error)
	// Act does what can be done: what cannot is told by its Outcome.
	Act(ctx context.Context, actor string, a Action) ([]Outcome, error)
}

// Mount adds the routes below internal (httpserver.Server.Internal); only a bearer of the token
// reaches them.
func Mount(internal *gin.RouterGroup, token env.Secret, jobs Jobs) {
	g := internal.Group("/operator", httpserver.RequireToken(token))
	r := routes{jobs}
	g.GET("/jobs", httpserver.Quiet, httpserver.Handle(r.page))
	g.GET("/jobs/:id", httpserver.Quiet, httpserver.Handle(r.detail))
	g.GET("/events", httpserver.Quiet, httpserver.Handle(r.events))
	g.POST("/actions", httpserver.Handle(r.act))
}

type routes struct{ jobs Jobs }

func (r routes) page(c *gin.Context) error {
	query, err := parseQuery(c.Request.URL.Query())
	if err != nil {
		return err
	}
	page, err := r.jobs.Page(c.Request.Context(), query)
	return answer(c, page, err)
}

func (r routes) detail(c *gin.Context) error {
	id, err := uuid.FromString(c.Param("id"))
	if err != nil {
		return ErrJobNotFound.Because(err)
	}
	detail, err := r.jobs.Detail(c.Request.Context(), id)
	return answer(c, detail, err)
}

type eventList struct {
	Events []Event `json:"events"`
}

func (r routes) events(c *gin.Context) error {
	limit, err := parseLimit(c.Query("limit"))
	if err != nil {
		return err
	}
	events, err := r.jobs.Events(c.Request.Context(), limit)
	return answer(c, eventList{events}, err)
}

// request is an Action and who asks for it.
type request struct {
	Action
	Actor string `json:"actor"`
}

type outcomeList struct {
	Outcomes []Outcome `json:"outcomes"`
}

func (r routes) act(c *gin.Context) error {
	var body request
	if err := httpserver.Bind(c, &body); err != nil {
		return err
	}
	if !body.Action.valid() || !plainName(body.Actor) {
		return ErrRequest
	}
	outcomes, err := r.jobs.Act(c.Request.Context(), body.Actor, body.Action)
	return answer(c, outcomeList{outcomes}, err)
}

// plainName keeps line breaks and the like out of the audit log.
func plainName(name string) bool {
	return name != "" && len(name) <= maxText && !strings.ContainsFunc(name, func(r rune) bool {
		return !unicode.IsPrint(r)
	})
}

func answer(c *gin.Context, v any, err error) error {
	if err != nil {
		return err
	}
	c.Header("Cache-Control", "no-store")
	c.JSON(http.StatusOK, v)
	return nil
}

func (q Query) values() url.Values {
	v := url.Values{}
	for _, s := range q.Status {
		v.Add("status", string(s))
	}
	if q.Text != "" {
		v.Set("text", q.Text)
	}
	if q.Stalled {
		v.Set("stalled", "true")
	}
	if q.Limit > 0 {
		v.Set("limit", strconv.Itoa(q.Limit))
	}
	if q.Before != "" {
		v.Set("before", q.Before)
	}
	return v
}

func parseQuery(v url.Values) (Query, error) {
	q := Query{Text: strings.TrimSpace(v.Get("text")), Stalled: v.Get("stalled") == "true", Before: v.Get("before")}
	var err error
	if q.Limit, err = parseLimit(v.Get("limit")); err != nil {
		return Query{}, err
	}
	for _, text := range v["status"] {
		status := job.Status(text)
		if !slices.Contains(job.Statuses(), status) {
			return Query{}, ErrRequest.Detailf("There is no status %q.", text)
		}
		q.Status = append(q.Status, status)
	}
	if len(q.Text) > maxText || strings.ContainsRune(q.Text, 0) {
		return Query{}, ErrRequest.Detailf("The text to search for has more than %d bytes, or no text.", maxText)
	}
	if q.Before != "" {
		if _, err := uuid.FromString(q.Before); err != nil {
			return Query{}, ErrRequest.Detailf("The cursor is none of ours.").Because(err)
		}
	}
	return q, nil
}

func parseLimit(text string) (int, error) {
	if text == "" {
		return defaultLimit, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		return 0, ErrRequest.Detailf("The limit is no whole number from 1.")
	}
	return min(n, maxLimit), nil
}
