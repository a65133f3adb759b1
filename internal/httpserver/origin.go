package httpserver

import (
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/rs/cors"
)

// Networks are address ranges, written with commas between them. The zero value is none.
type Networks struct{ prefixes []netip.Prefix }

// UnmarshalText reads e.g. "10.244.0.0/16,::1/128".
func (n *Networks) UnmarshalText(text []byte) error {
	n.prefixes = nil
	for word := range strings.SplitSeq(string(text), ",") {
		if word = strings.TrimSpace(word); word == "" {
			continue
		}
		prefix, err := netip.ParsePrefix(word)
		if err != nil {
			return fmt.Errorf("%q is no network such as 10.244.0.0/16", word)
		}
		n.prefixes = append(n.prefixes, prefix)
	}
	return nil
}

// trustedBy lets the engine's ClientIP believe X-Forwarded-For of these networks alone: it takes
// the last address in it that is not one of them.
func (n Networks) trustedBy(engine *gin.Engine) {
	words := make([]string, len(n.prefixes))
	for i, prefix := range n.prefixes {
		words[i] = prefix.String()
	}
	engine.RemoteIPHeaders = []string{"X-Forwarded-For"}
	if err := engine.SetTrustedProxies(words); err != nil {
		panic(err) // a prefix that was parsed is one
	}
}

// Origin is the scheme and host that a web page comes from.
type Origin string

// UnmarshalText refuses what no browser would send: paths, and patterns above all.
func (o *Origin) UnmarshalText(text []byte) error {
	parsed, err := url.Parse(string(text))
	if err != nil || parsed.Scheme != "https" && parsed.Scheme != "http" || parsed.Host == "" ||
		parsed.Scheme+"://"+parsed.Host != string(text) || strings.ContainsAny(parsed.Host, "*@") {
		return fmt.Errorf("%q is no origin such as https://app.example.com", text)
	}
	*o = Origin(text)
	return nil
}

const preflightAge = 10 * time.Minute

// crossOrigin lets the pages of some origins call. It never refuses: the browser does, to whom the
// answer says nothing of other origins; apps that are no browsers send any Origin they like.
func crossOrigin(origins []Origin) gin.HandlerFunc {
	if len(origins) == 0 {
		return func(*gin.Context) {}
	}
	allowed := make([]string, len(origins))
	for i, origin := range origins {
		allowed[i] = string(origin)
	}
	policy := cors.New(cors.Options{
		AllowedOrigins: allowed,
		AllowedMethods: []string{
			http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete,
		},
		AllowedHeaders: []string{
			"Authorization", "Content-Type", "Idempotency-Key", "If-None-Match", "Prefer", requestIDHeader,
		},
		ExposedHeaders: []string{
			"ETag", "Location", "Poll-After-Ms", "Retry-After", "RateLimit", "RateLimit-Policy",
			"Idempotent-Replayed", requestIDHeader,
		},
		MaxAge: int(preflightAge.Seconds()),
	})
	return func(c *gin.Context) {
		policy.HandlerFunc(c.Writer, c.Request)
		if c.Request.Method == http.MethodOptions && c.GetHeader("Access-Control-Request-Method") != "" {
			c.AbortWithStatus(http.StatusNoContent)
		}
	}
}

// What every answer says, for browsers that get to see it: it is no page, stays in no frame, and is
// kept by nobody unless its handler says otherwise. HTTPS is the matter of whoever ends TLS.
var (
	noSniff    = []string{"nosniff"}
	noContent  = []string{"default-src 'none'; frame-ancestors 'none'"}
	noReferrer = []string{"no-referrer"}
	sameOrigin = []string{"same-origin"}
	noStore    = []string{"no-store"}
)

func secure(c *gin.Context) {
	header := c.Writer.Header()
	header["X-Content-Type-Options"] = noSniff
	header["Content-Security-Policy"] = noContent
	header["Referrer-Policy"] = noReferrer
	header["Cross-Origin-Resource-Policy"] = sameOrigin
	header["Cache-Control"] = noStore
}
