package users

import (
	"net/http"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/gofrs/uuid/v5"

	"github.com/wastecoach/wastecoach/internal/job"
	"github.com/wastecoach/wastecoach/internal/token"
)

func (a *handlers) deleteMe(c *gin.Context) error {
	d, err := a.service.DeleteMe(c.Request.Context(), token.From(c))
	return writeDeletion(c, http.StatusAccepted, d, err)
}

// deletion asks for no access token: there is no account any more that could get one.
func (a *handlers) deletion(c *gin.Context) error {
	id, err := uuid.FromString(c.Param("id"))
	if err != nil {
		return ErrDeletionNotFound
	}
	d, err := a.service.Deletion(c.Request.Context(), id)
	return writeDeletion(c, http.StatusOK, d, err)
}

func writeDeletion(c *gin.Context, status int, d Deletion, err error) error {
	if err != nil {
		return err
	}
	j, err := d.Job()
	if err != nil {
		return err
	}
	writeJob(c, status, j, d.pollAfter())
	return nil
}

// writeJob tells the creator where to poll, and everybody when.
func writeJob(c *gin.Context, status int, j job.Job, pollAfter time.Duration) {
	c.Header("Cache-Control", "private, no-store")
	if status == http.StatusAccepted {
		c.Header("Location", j.Links.Self)
	}
	if !j.Status.Final() {
		c.Header("Poll-After-Ms", strconv.FormatInt(pollAfter.Milliseconds(), 10))
	}
	c.JSON(status, j)
}

// refuseErased keeps an access token that outlives its account from bringing anything back.
func (a *handlers) refuseErased(c *gin.Context) {
	if err := a.service.refuseErased(c.Request.Context(), token.From(c).UserID); err != nil {
		_ = c.Error(err)
		c.Abort()
	}
}
