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

// Known returns whom the request acts for, and false where that was not asked.
func Known(c *gin.Context) (Principal, bool) {
	p, ok := c.Get(principalKey)
	if !ok {
		return Principal{}, false
	}
	return p.(Principal), true //nolint:forcetypeassert // only Require sets it
}

// From returns whom the request acts for. The route must be behind Require.
func From(c *gin.Context) Principal {
	return c.MustGet(principalKey).(Principal) //nolint:forcetypeassert // only Require sets it
}
