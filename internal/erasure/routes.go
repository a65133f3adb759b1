package erasure

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/gin-gonic/gin"
	"github.com/gofrs/uuid/v5"

	"github.com/wastecoach/wastecoach/internal/env"
	"github.com/wastecoach/wastecoach/internal/httpserver"
	"github.com/wastecoach/wastecoach/internal/problem"
)

// ErrRequest is what a request is refused with.
var ErrRequest = problem.New(
	problem.Malformed, "internal_request_malformed", "The request names no user, or odd jobs.")

// Mount adds DELETE and GET below internal (httpserver.Server.Internal) and returns the group
// /users/:id, whose routes only a bearer of the token reaches. Without a token nobody does.
func Mount(internal *gin.RouterGroup, token env.Secret, h Holder) *gin.RouterGroup {
	g := internal.Group("/users/:id", httpserver.RequireToken(token))
	g.DELETE("", httpserver.Handle(func(c *gin.Context) error {
		request, err := parse(c)
		if err != nil {
			return err
		}
		report, err := h.Erase(c.Request.Context(), request)
		return answer(c, report, err)
	}))
	g.GET("", httpserver.Handle(func(c *gin.Context) error {
		request, err := parse(c)
		if err != nil {
			return err
		}
		report, err := h.Left(c.Request.Context(), request)
		return answer(c, report, err)
	}))
	return g
}

// User is whom the path of a mounted route names.
func User(c *gin.Context) (uuid.UUID, error) {
	id, err := uuid.FromString(c.Param("id"))
	if err != nil {
		return uuid.Nil, ErrRequest.Because(err)
	}
	return id, nil
}

func parse(c *gin.Context) (Request, error) {
	user, err := User(c)
	if err != nil {
		return Request{}, err
	}
	r := Request{UserID: user, Last: c.Query("last") == "true"}
	for text := range strings.SplitSeq(c.Query("jobs"), ",") {
		if text == "" {
			continue
		}
		id, err := uuid.FromString(text)
		if err != nil {
			return Request{}, ErrRequest.Because(err)
		}
		r.Jobs = append(r.Jobs, id)
	}
	return r, nil
}

func (r Request) query() string {
	jobs := make([]string, len(r.Jobs))
	for i, id := range r.Jobs {
		jobs[i] = id.String()
	}
	return "?last=" + strconv.FormatBool(r.Last) + "&jobs=" + strings.Join(jobs, ",")
}

func answer(c *gin.Context, report Report, err error) error {
	if err != nil {
		return err
	}
	if report.Counts == nil {
		report.Counts = Counts{}
	}
	c.Header("Cache-Control", "no-store")
	c.JSON(http.StatusOK, report)
	return nil
}
