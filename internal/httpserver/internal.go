package httpserver

import (
	"crypto/sha256"
	"crypto/subtle"

	"github.com/gin-gonic/gin"

	"github.com/wastecoach/wastecoach/internal/env"
	"github.com/wastecoach/wastecoach/internal/problem"
)

// ErrToken refuses who does not bear the token of internal routes.
var ErrToken = problem.New(
	problem.Unauthorized, "internal_token_refused", "This route is for other services only.")

// Internal is where a service adds routes for other services, below /internal: no ingress routes
// them and no document describes them. Each must ask for a token of its own.
func (s *Server) Internal() *gin.RouterGroup { return s.engine.Group("/internal") }

// RequireToken lets only bearers of the token pass; without a token nobody. It compares digests:
// their length tells nothing, and the time of the comparison neither.
func RequireToken(token env.Secret) gin.HandlerFunc {
	want := sha256.Sum256([]byte("Bearer " + token.Reveal()))
	return func(c *gin.Context) {
		got := sha256.Sum256([]byte(c.GetHeader("Authorization")))
		if token == "" || subtle.ConstantTimeCompare(got[:], want[:]) != 1 {
			_ = c.Error(ErrToken)
			c.Abort()
		}
	}
}
