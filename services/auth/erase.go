package auth

import (
	"context"
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/wastecoach/wastecoach/internal/erasure"
	"github.com/wastecoach/wastecoach/internal/httpserver"
)

// eraser knows what the service holds of a user: the account with its identities, and in Redis the
// sessions, their index and whatever else below auth: names the user.
//
// The account goes first: from then on the same person becomes another user. A login that found
// the account before may still open a session after; the next call removes it, and the deletion is
// not done before a call that removes nothing.
type eraser struct {
	accounts *accountStore
	sessions *sessionStore
}

const (
	accountRows  = "auth.accounts"
	identityRows = "auth.identities"
	sessionKeys  = "redis:0:auth"
)

// Erase implements erasure.Holder.
func (e *eraser) Erase(ctx context.Context, r erasure.Request) (erasure.Report, error) {
	accounts, identities, err := e.accounts.erase(ctx, r.UserID)
	if err != nil {
		return erasure.Report{}, err
	}
	keys, err := e.sessions.keysNaming(ctx, r.UserID)
	if err == nil {
		err = e.sessions.drop(ctx, keys)
	}
	if err != nil {
		return erasure.Report{}, err
	}
	return erasure.Report{Counts: erasure.Counts{
		accountRows: accounts, identityRows: identities, sessionKeys: int64(len(keys)),
	}}, nil
}

// Left implements erasure.Holder.
func (e *eraser) Left(ctx context.Context, r erasure.Request) (erasure.Report, error) {
	accounts, identities, err := e.accounts.left(ctx, r.UserID)
	if err != nil {
		return erasure.Report{}, err
	}
	keys, err := e.sessions.keysNaming(ctx, r.UserID)
	if err != nil {
		return erasure.Report{}, err
	}
	return erasure.Report{Counts: erasure.Counts{
		accountRows: accounts, identityRows: identities, sessionKeys: int64(len(keys)),
	}}, nil
}

// add gives out what is held, as JSON that ends with a line feed.
func (e *eraser) add(g *gin.RouterGroup) {
	g.GET("/data", httpserver.Handle(func(c *gin.Context) error {
		user, err := erasure.User(c)
		if err != nil {
			return err
		}
		account, err := e.accounts.data(c.Request.Context(), user)
		if err != nil {
			return err
		}
		sessions, err := e.sessions.List(c.Request.Context(), user)
		if err != nil {
			return err
		}
		c.Header("Cache-Control", "no-store")
		c.JSON(http.StatusOK, gin.H{"account": account, "sessions": viewsOf(sessions, "")})
		_, err = c.Writer.WriteString("\n")
		return err
	}))
}
