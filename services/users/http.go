package users

import (
	"net/http"
	"strconv"

	"github.com/gin-gonic/gin"

	"github.com/wastecoach/wastecoach/internal/httpserver"
	"github.com/wastecoach/wastecoach/internal/token"
)

type handlers struct{ service *Service }

func (a *handlers) routes(g *gin.RouterGroup, verifier *token.Verifier) {
	g.GET("/deletions/:id", httpserver.Handle(a.deletion))
	g.DELETE("/me", verifier.Require(), httpserver.Handle(a.deleteMe))
	me := g.Group("/me", verifier.Require(), a.refuseErased)
	me.GET("", httpserver.Handle(a.me))
	me.PATCH("", httpserver.Handle(a.updateMe))
	me.GET("/history", httpserver.Handle(a.history))
	me.GET("/stats", httpserver.Handle(a.stats))
	me.POST("/export", httpserver.Handle(a.beginExport))
	me.GET("/export", httpserver.Handle(a.export))
	me.GET("/export/download", httpserver.Handle(a.downloadExport))
}

func (a *handlers) me(c *gin.Context) error {
	profile, err := a.service.Me(c.Request.Context(), token.From(c))
	return writePrivate(c, profile, err)
}

func (a *handlers) updateMe(c *gin.Context) error {
	var patch ProfilePatch
	if err := httpserver.Bind(c, &patch); err != nil {
		return err
	}
	profile, err := a.service.UpdateMe(c.Request.Context(), token.From(c), patch)
	return writePrivate(c, profile, err)
}

func (a *handlers) history(c *gin.Context) error {
	r := HistoryRequest{
		PageSize: defaultPage, PageToken: c.Query("page_token"),
		Bearer: c.GetHeader("Authorization"), RequestID: httpserver.RequestID(c),
	}
	if text := c.Query("page_size"); text != "" {
		r.PageSize, _ = strconv.Atoi(text) // no number is 0, which is out of range
	}
	page, err := a.service.History(c.Request.Context(), r)
	return writePrivate(c, page, err)
}

func (a *handlers) stats(c *gin.Context) error {
	stats, err := a.service.Stats(c.Request.Context(), token.From(c).UserID, c.Query("tz"))
	return writePrivate(c, stats, err)
}

func writePrivate(c *gin.Context, body any, err error) error {
	if err != nil {
		return err
	}
	c.Header("Cache-Control", "private, no-cache")
	c.JSON(http.StatusOK, body)
	return nil
}
