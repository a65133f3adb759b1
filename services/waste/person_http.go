package waste

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/wastecoach/wastecoach/internal/erasure"
	"github.com/wastecoach/wastecoach/internal/httpserver"
)

// person is what the users service may ask of one user, below /internal/users/:id.
type person struct{ store *Store }

func (p *person) add(g *gin.RouterGroup) {
	g.GET("/data", httpserver.Handle(p.data))
	g.GET("/photos", httpserver.Handle(p.photos))
	g.GET("/answers", httpserver.Handle(p.answers))
}

// data streams all rows as JSON. It ends with a line feed, and has no other: who reads less was
// broken off.
func (p *person) data(c *gin.Context) error {
	user, err := erasure.User(c)
	if err != nil {
		return err
	}
	c.Header("Content-Type", "application/json")
	c.Header("Cache-Control", "no-store")
	return p.store.writeData(c.Request.Context(), c.Writer, user)
}

func (p *person) photos(c *gin.Context) error {
	user, err := erasure.User(c)
	if err != nil {
		return err
	}
	photos, err := p.store.keptPhotos(c.Request.Context(), user)
	if err != nil {
		return err
	}
	c.Header("Cache-Control", "no-store")
	c.JSON(http.StatusOK, gin.H{"photos": photos})
	return nil
}

// answers counts by day in the time zone tz, which is a name of the IANA's.
func (p *person) answers(c *gin.Context) error {
	user, err := erasure.User(c)
	if err != nil {
		return err
	}
	days, err := p.store.answersByDay(c.Request.Context(), user, c.Query("tz"))
	if err != nil {
		return err
	}
	c.Header("Cache-Control", "no-store")
	c.JSON(http.StatusOK, gin.H{"days": days})
	return nil
}
