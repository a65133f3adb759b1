package token

import (
	"strings"

	"github.com/gin-gonic/gin"
)

const principalKey = "principal"

// Require lets a request pass only with a valid bearer token.
func (v *Verifier) Require() gin.HandlerFunc {
	return func(c *gin.Context) {
		scheme, raw, _ := strings.Cut(c.GetHeader("Authorization"), " ")
		if !strings.EqualFold(scheme, "Bearer") { // RFC 9110: schemes have no case
			_ = c.Error(ErrUnauthorized)
			c.Abort()
			return
		}
		p, err := v.Verify(c.Request.Context(), raw)
		if err != nil {
			_ = c.Error(err)
			c.Abort()
			return
		}
		c.Set(principalKey, p)
	}
}

// From returns whom the request acts for. The route must be behind Require.
func From(c *gin.Context) Principal {
	return c.MustGet(principalKey).(Principal) //nolint:forcetypeassert // only Require sets it
}
