package users

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/wastecoach/wastecoach/internal/token"
)

func (a *handlers) beginExport(c *gin.Context) error {
	e, err := a.service.BeginExport(c.Request.Context(), token.From(c))
	return writeExport(c, http.StatusAccepted, e, err)
}

func (a *handlers) export(c *gin.Context) error {
	e, err := a.service.Export(c.Request.Context(), token.From(c))
	return writeExport(c, http.StatusOK, e, err)
}

func writeExport(c *gin.Context, status int, e Export, err error) error {
	if err != nil {
		return err
	}
	j, err := e.Job()
	if err != nil {
		return err
	}
	writeJob(c, status, j, workPoll)
	return nil
}

func (a *handlers) downloadExport(c *gin.Context) error {
	link, err := a.service.ExportURL(c.Request.Context(), token.From(c))
	if err != nil {
		return err
	}
	c.Header("Cache-Control", "private, no-store")
	c.Redirect(http.StatusFound, link)
	return nil
}
