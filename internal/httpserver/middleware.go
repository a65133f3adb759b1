package httpserver

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"regexp"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/gofrs/uuid/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/wastecoach/wastecoach/internal/audit"
	"github.com/wastecoach/wastecoach/internal/outage"
	"github.com/wastecoach/wastecoach/internal/problem"
	"github.com/wastecoach/wastecoach/internal/telemetry"
)

const (
	requestIDHeader = "X-Request-Id"
	requestIDKey    = "request_id"
)

var errMethodNotAllowed = problem.New(
	http.StatusMethodNotAllowed, "method_not_allowed", "The route does not take this method.",
)

// plainID is what we accept as somebody else's request id: it is logged and sent on.
var plainID = regexp.MustCompile(`^[A-Za-z0-9._-]{8,64}$`)

// identify gives the request its id, its client's address and its end in time. All three go into
// one context, as each copy of the request costs.
func identify(c *gin.Context) {
	id := c.GetHeader(requestIDHeader)
	if !plainID.MatchString(id) {
		id = uuid.Must(uuid.NewV7()).String()
	}
	c.Header(requestIDHeader, id)
	c.Set(requestIDKey, id)
	ctx, cancel := context.WithTimeout(c.Request.Context(), handleTimeout)
	defer cancel()
	ctx = audit.WithAddress(ctx, c.ClientIP())
	ctx = telemetry.With(ctx, slog.String(requestIDKey, id))
	c.Request = c.Request.WithContext(ctx)
	c.Next()
}

// RequestID returns the id that the answer's X-Request-Id carries.
func RequestID(c *gin.Context) string { return c.GetString(requestIDKey) }

// observe logs one line and counts one request; health routes and polls that found nothing new
// are logged at debug level.
func (s *Server) observe(m *metrics) gin.HandlerFunc {
	return func(c *gin.Context) {
		start := time.Now()
		c.Next()
		took, status := time.Since(start), c.Writer.Status()
		m.observe(c.Request.Method, c.FullPath(), status, took)
		level := slog.LevelInfo
		if isHealthRoute(c.Request.URL.Path) || c.GetBool(quietKey) && status < 400 {
			level = slog.LevelDebug
		}
		s.opts.Logger.LogAttrs(c.Request.Context(), level, "request",
			slog.String("method", c.Request.Method), slog.String("route", c.FullPath()),
			slog.Int("status", status), slog.Duration("duration", took))
	}
}

const quietKey = "quiet"

// Quiet marks a route that is called so often that its successes are logged at debug level only.
func Quiet(c *gin.Context) { c.Set(quietKey, true) }

// renderProblem writes the last error of a request as a problem document. Handlers never choose a
// status for an error themselves.
func renderProblem(c *gin.Context) {
	c.Next()
	last := c.Errors.Last()
	if last == nil || c.Writer.Written() {
		return
	}
	e := classify(last.Err)
	doc := e.Document()
	doc.Instance, doc.RequestID = c.Request.URL.Path, RequestID(c)
	if e.Kind == problem.RateLimited || e.Kind == problem.Unavailable {
		wait := max(e.RetryAfter, time.Second)
		c.Header("Retry-After", strconv.Itoa(int(math.Ceil(wait.Seconds()))))
	}
	if e.Kind == problem.Unauthorized {
		c.Header("WWW-Authenticate", `Bearer realm="wastecoach"`)
	}
	c.Header("Cache-Control", "no-store")
	body, err := json.Marshal(doc)
	if err != nil {
		c.Status(http.StatusInternalServerError)
		return
	}
	c.Data(doc.Status, problem.ContentType, body)
}

var errUnavailable = problem.New(problem.Unavailable, "unavailable",
	"A part of the system cannot be reached. The same request may succeed in a moment.")

var errNotText = problem.New(problem.Invalid, "not_text",
	"A text has characters that cannot be stored, such as NUL.")

// notText is the SQLSTATE of text that PostgreSQL cannot hold: nobody but the client wrote it.
const notText = "22021"

// classify gives an error of no known kind its own: an outage is worth a retry, a fault is not.
func classify(err error) *problem.Error {
	e := problem.From(err)
	var pg *pgconn.PgError
	switch {
	case e.Kind != problem.Internal:
		return e
	case errors.As(err, &pg) && pg.Code == notText:
		return errNotText.Because(err)
	case outage.Is(err):
		return errUnavailable.Because(err)
	}
	return e
}

// recoverPanic stands inside renderProblem and observe, so that a panic is answered and counted.
func (s *Server) recoverPanic(c *gin.Context) {
	defer func() {
		if p := recover(); p != nil {
			_ = c.Error(fmt.Errorf("panic: %v", p))
			c.Abort()
			s.opts.Logger.ErrorContext(c.Request.Context(), "panic",
				"value", fmt.Sprint(p), "stack", string(debug.Stack()))
		}
	}()
	c.Next()
	if last := c.Errors.Last(); last != nil {
		s.logError(c, last.Err)
	}
}

func (s *Server) logError(c *gin.Context, err error) {
	level := slog.LevelInfo
	if classify(err).Kind >= problem.Internal {
		level = slog.LevelError
	}
	s.opts.Logger.Log(c.Request.Context(), level, "request refused",
		"route", c.FullPath(), "error", err.Error())
}

func limitBody(c *gin.Context) {
	c.Request.Body = http.MaxBytesReader(c.Writer, c.Request.Body, maxBody)
}

func fail(err error) gin.HandlerFunc {
	return func(c *gin.Context) { _ = c.Error(err) }
}

// Handle adapts a handler that returns its error. It is the last in a route's chain, so that the
// route's limit counts for whom the token before it stands.
func Handle(h func(c *gin.Context) error) gin.HandlerFunc {
	return func(c *gin.Context) {
		err := admit(c)
		if err == nil {
			err = h(c)
		}
		if err != nil {
			_ = c.Error(err)
		}
	}
}
