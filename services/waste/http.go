package waste

import (
	"net/http"

	"github.com/gin-gonic/gin"
	"github.com/gofrs/uuid/v5"

	"github.com/wastecoach/wastecoach/internal/httpserver"
	"github.com/wastecoach/wastecoach/internal/job"
	"github.com/wastecoach/wastecoach/internal/token"
)

// routes are the handlers of /api/v1/waste.
type routes struct {
	service *Service
	poll    *poller
}

func (a *routes) add(g *gin.RouterGroup, verifier *token.Verifier) {
	g.Use(verifier.Require())
	g.POST("/uploads", httpserver.Handle(a.announceUpload))
	g.POST("/analyses", httpserver.Costly, httpserver.Handle(a.createAnalysis))
	g.GET("/analyses", httpserver.Handle(a.listAnalyses))
	g.GET("/analyses/:id", httpserver.Quiet, httpserver.Handle(a.getAnalysis))
	g.GET("/analyses/:id/photo", httpserver.Handle(a.getPhoto))
	g.POST("/analyses/:id/cancel", httpserver.Handle(a.cancelAnalysis))
	g.POST("/analyses/:id/feedback", httpserver.Handle(a.giveFeedback))
}

func (a *routes) announceUpload(c *gin.Context) error {
	var r UploadRequest
	if err := httpserver.Bind(c, &r); err != nil {
		return err
	}
	ticket, err := a.service.AnnounceUpload(c.Request.Context(), token.From(c).UserID, r)
	if err != nil {
		return err
	}
	c.Header("Cache-Control", "no-store")
	c.JSON(http.StatusCreated, ticket)
	return nil
}

// createAnalysis answers 202 with a job under way, or 201 with one that is answered already.
func (a *routes) createAnalysis(c *gin.Context) error {
	key := c.GetHeader("Idempotency-Key")
	if !plainKey(key) {
		return ErrKeyMissing
	}
	var r AnalysisRequest
	if err := httpserver.Bind(c, &r); err != nil {
		return err
	}
	from := Origin{token.From(c).UserID, key, httpserver.RequestID(c)}
	analysis, replayed, err := a.service.CreateAnalysis(c.Request.Context(), from, r)
	if err != nil {
		return err
	}
	if replayed {
		c.Header("Idempotent-Replayed", "true")
	}
	status := http.StatusAccepted
	if analysis.Status == job.Succeeded && analysis.Attempt == 0 {
		status = http.StatusCreated
	}
	c.Header("Location", selfLink(analysis.ID))
	a.poll.hint(c, &analysis)
	c.JSON(status, analysis.Job())
	return nil
}

func plainKey(key string) bool {
	if key == "" || len(key) > 255 {
		return false
	}
	for _, r := range key {
		if r <= ' ' || r > '~' {
			return false
		}
	}
	return true
}

func (a *routes) listAnalyses(c *gin.Context) error {
	filter, err := parseFilter(c.Request.URL.Query())
	if err != nil {
		return err
	}
	page, err := a.service.List(c.Request.Context(), token.From(c).UserID, filter)
	if err != nil {
		return err
	}
	c.Header("Cache-Control", "private, no-cache")
	c.JSON(http.StatusOK, page)
	return nil
}

func (a *routes) getPhoto(c *gin.Context) error {
	id, err := analysisID(c)
	if err != nil {
		return err
	}
	url, err := a.service.PhotoURL(c.Request.Context(), token.From(c).UserID, id)
	if err != nil {
		return err
	}
	c.Header("Cache-Control", "private, no-store")
	c.Redirect(http.StatusFound, url)
	return nil
}

func (a *routes) cancelAnalysis(c *gin.Context) error {
	id, err := analysisID(c)
	if err != nil {
		return err
	}
	analysis, err := a.service.Cancel(c.Request.Context(), token.From(c).UserID, id)
	if err != nil {
		return err
	}
	c.JSON(http.StatusOK, analysis.Job())
	return nil
}

func (a *routes) giveFeedback(c *gin.Context) error {
	id, err := analysisID(c)
	if err != nil {
		return err
	}
	var f Feedback
	if err := httpserver.Bind(c, &f); err != nil {
		return err
	}
	if err := a.service.GiveFeedback(c.Request.Context(), token.From(c).UserID, id, f); err != nil {
		return err
	}
	c.Status(http.StatusNoContent)
	return nil
}

// analysisID takes what is no id for an analysis that does not exist.
func analysisID(c *gin.Context) (uuid.UUID, error) {
	id, err := uuid.FromString(c.Param("id"))
	if err != nil {
		return uuid.Nil, ErrAnalysisNotFound
	}
	return id, nil
}
