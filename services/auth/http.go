package auth

import (
	"fmt"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/gofrs/uuid/v5"

	"github.com/wastecoach/wastecoach/internal/httpserver"
	"github.com/wastecoach/wastecoach/internal/problem"
	"github.com/wastecoach/wastecoach/internal/token"
)

type handlers struct{ service *Service }

func (a *handlers) routes(g *gin.RouterGroup, verifier *token.Verifier) {
	g.GET("/.well-known/jwks.json", httpserver.Handle(a.jwks))
	g.GET("/providers", httpserver.Handle(a.providers))
	g.GET("/:provider/authorize", httpserver.Handle(a.authorize))
	g.POST("/:provider/nonce", httpserver.Handle(a.nonce))
	g.POST("/:provider/token", httpserver.Handle(a.token))
	g.POST("/refresh", httpserver.Handle(a.refresh))
	g.POST("/logout", httpserver.Handle(a.logout))
	g.POST("/:provider/link", verifier.Require(), httpserver.Handle(a.link))
	g.GET("/identities", verifier.Require(), httpserver.Handle(a.identities))
	g.DELETE("/identities/:id", verifier.Require(), httpserver.Handle(a.unlink))
	g.GET("/sessions", verifier.Require(), httpserver.Handle(a.sessions))
	g.DELETE("/sessions/:id", verifier.Require(), httpserver.Handle(a.endSession))
}

func (a *handlers) jwks(c *gin.Context) error {
	keys, err := a.service.keys.current(c.Request.Context())
	if err != nil {
		return err
	}
	c.Header("Cache-Control", fmt.Sprintf("public, max-age=%d", int(jwksMaxAge.Seconds())))
	c.Data(http.StatusOK, "application/json", keys.document)
	return nil
}

func (a *handlers) providers(c *gin.Context) error {
	c.Header("Cache-Control", "public, max-age=60")
	c.JSON(http.StatusOK, gin.H{"providers": a.service.Providers()})
	return nil
}

func (a *handlers) authorize(c *gin.Context) error {
	url, err := a.service.BeginLogin(c.Request.Context(), c.Param("provider"), AuthorizeRequest{
		RedirectURI: c.Query("redirect_uri"), Challenge: c.Query("code_challenge"),
		ChallengeMethod: c.Query("code_challenge_method"), State: c.Query("state"),
		Locale: c.Query("locale"), LoginHint: c.Query("login_hint"),
	})
	if err != nil {
		return err
	}
	c.Header("Cache-Control", "no-store")
	c.Header("Referrer-Policy", "no-referrer")
	c.Header("Location", url)
	c.Status(http.StatusFound)
	return nil
}

func (a *handlers) nonce(c *gin.Context) error {
	nonce, err := a.service.NewNonce(c.Request.Context(), c.Param("provider"))
	if err != nil {
		return err
	}
	c.Header("Cache-Control", "no-store")
	c.JSON(http.StatusOK, nonce)
	return nil
}

func (a *handlers) token(c *gin.Context) error {
	var r TokenRequest
	if err := httpserver.Bind(c, &r); err != nil {
		return err
	}
	tokens, err := a.service.FinishLogin(
		c.Request.Context(), c.Param("provider"), r, cleanName(c.Request.UserAgent()))
	return writeTokens(c, tokens, err)
}

func writeTokens(c *gin.Context, tokens Tokens, err error) error {
	if err != nil {
		return err
	}
	c.Header("Cache-Control", "no-store")
	c.JSON(http.StatusOK, tokens)
	return nil
}

type refreshRequest struct {
	RefreshToken string `json:"refresh_token"`
}

func bindRefresh(c *gin.Context) (string, error) {
	var r refreshRequest
	if err := httpserver.Bind(c, &r); err != nil {
		return "", err
	}
	if r.RefreshToken == "" {
		return "", ErrInvalid.WithFields(problem.Field{
			Pointer: "/refresh_token", Code: "required", Detail: "is needed",
		})
	}
	return r.RefreshToken, nil
}

func (a *handlers) refresh(c *gin.Context) error {
	used, err := bindRefresh(c)
	if err != nil {
		return err
	}
	tokens, err := a.service.Refresh(c.Request.Context(), used)
	return writeTokens(c, tokens, err)
}

// logout asks for no access token: it may have expired, and the refresh token says enough.
func (a *handlers) logout(c *gin.Context) error {
	refresh, err := bindRefresh(c)
	if err != nil {
		return err
	}
	if err := a.service.Logout(c.Request.Context(), refresh); err != nil {
		return err
	}
	c.Status(http.StatusNoContent)
	return nil
}

type sessionView struct {
	ID         uuid.UUID `json:"id"`
	Provider   string    `json:"provider"`
	Device     string    `json:"device"`
	CreatedAt  time.Time `json:"created_at"`
	LastUsedAt time.Time `json:"last_used_at"`
	ExpiresAt  time.Time `json:"expires_at"`
	// Current marks the session that asks.
	Current bool `json:"current"`
}

// viewsOf marks the session that asks; an empty id is none of them.
func viewsOf(sessions []Session, current string) []sessionView {
	views := make([]sessionView, len(sessions))
	for i := range sessions {
		s := &sessions[i]
		views[i] = sessionView{
			ID: s.ID, Provider: s.Provider, Device: s.Device, CreatedAt: s.CreatedAt,
			LastUsedAt: s.UsedAt, ExpiresAt: s.ExpiresAt(), Current: s.ID.String() == current,
		}
	}
	return views
}

func (a *handlers) sessions(c *gin.Context) error {
	caller := token.From(c)
	sessions, err := a.service.Sessions(c.Request.Context(), caller)
	if err != nil {
		return err
	}
	c.Header("Cache-Control", "private, no-store")
	c.JSON(http.StatusOK, gin.H{"sessions": viewsOf(sessions, caller.SessionID)})
	return nil
}

func (a *handlers) endSession(c *gin.Context) error {
	id, err := uuid.FromString(c.Param("id"))
	if err != nil {
		return ErrSessionNotFound
	}
	if err := a.service.EndSession(c.Request.Context(), token.From(c), id); err != nil {
		return err
	}
	c.Status(http.StatusNoContent)
	return nil
}
