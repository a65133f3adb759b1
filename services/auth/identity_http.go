package auth

import (
	"net/http"

	"github.com/gin-gonic/gin"
	"github.com/gofrs/uuid/v5"

	"github.com/wastecoach/wastecoach/internal/httpserver"
	"github.com/wastecoach/wastecoach/internal/token"
)

func (a *handlers) link(c *gin.Context) error {
	var r TokenRequest
	if err := httpserver.Bind(c, &r); err != nil {
		return err
	}
	all, err := a.service.Link(c.Request.Context(), token.From(c), c.Param("provider"), r)
	return writeIdentities(c, all, err)
}

func (a *handlers) identities(c *gin.Context) error {
	all, err := a.service.Identities(c.Request.Context(), token.From(c))
	return writeIdentities(c, all, err)
}

func writeIdentities(c *gin.Context, all []LinkedIdentity, err error) error {
	if err != nil {
		return err
	}
	c.Header("Cache-Control", "private, no-store")
	c.JSON(http.StatusOK, gin.H{"identities": all})
	return nil
}

func (a *handlers) unlink(c *gin.Context) error {
	id, err := uuid.FromString(c.Param("id"))
	if err != nil {
		return ErrIdentityNotFound
	}
	if err := a.service.Unlink(c.Request.Context(), token.From(c), id); err != nil {
		return err
	}
	c.Status(http.StatusNoContent)
	return nil
}
