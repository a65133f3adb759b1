package httpserver

import (
	"net/http"
	"net/netip"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/wastecoach/wastecoach/internal/problem"
	"github.com/wastecoach/wastecoach/internal/ratelimit"
	"github.com/wastecoach/wastecoach/internal/token"
)

// LimitConfig says how often somebody may ask: so many requests in a window, all at once or spread
// out, or off. Who has a token is counted as a user, anybody else as an address.
type LimitConfig struct {
	// Address bounds all requests of one address to one process, before any token is looked at.
	// Hundreds of phones may share one address.
	Address ratelimit.Rate `env:"ADDRESS" envDefault:"12000/1m"`
	// Reads bounds GET requests of one route to one process. An app polls 120 times a minute.
	Reads ratelimit.Rate `env:"READS" envDefault:"1200/1m"`
	// Writes bounds any other request of one route, over all processes.
	Writes ratelimit.Rate `env:"WRITES" envDefault:"300/1m"`
	// Costly bounds the routes that cost money or much work.
	Costly ratelimit.Rate `env:"COSTLY" envDefault:"120/10m"`
}

var errLimited = problem.New(
	problem.RateLimited, "rate_limited", "Too many requests. Come back after the time in Retry-After.",
)

const (
	gateKey   = "gate"
	costlyKey = "costly"
)

// Costly marks a route that has the limit of costly ones.
func Costly(c *gin.Context) { c.Set(costlyKey, true) }

// gate lets requests in as often as the limits say.
type gate struct {
	limiter *ratelimit.Limiter
	refused *prometheus.CounterVec
	// The limits with what answers say of them.
	address, reads, writes, costly policy
}

// policy is a limit with its RateLimit-Policy (draft-ietf-httpapi-ratelimit-headers-11).
type policy struct {
	name   string
	rate   ratelimit.Rate
	header []string
}

func newPolicy(name string, rate ratelimit.Rate) policy {
	return policy{name, rate, []string{`"` + name + `";q=` + strconv.Itoa(rate.Requests()) +
		`;w=` + seconds(rate.Window())}}
}

func newGate(opts Options) *gate {
	limiter, err := ratelimit.New(ratelimit.Options{
		Service: opts.Service, Redis: opts.Common, Registry: opts.Registry, Logger: opts.Logger, Now: time.Now,
	})
	if err != nil {
		panic(err) // its memory has constant options
	}
	g := &gate{
		limiter: limiter,
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: opts.Service, Name: "http_limited_total",
			Help: "Requests that were refused as too many, by policy and route.",
		}, []string{"policy", "route"}),
	}
	opts.Registry.MustRegister(g.refused)
	return g
}

func (g *gate) set(cfg LimitConfig) {
	g.address = newPolicy("address", cfg.Address)
	g.reads = newPolicy("reads", cfg.Reads)
	g.writes = newPolicy("writes", cfg.Writes)
	g.costly = newPolicy("costly", cfg.Costly)
}

// enter counts the address. Health routes are always open: our own probes ask them.
func (g *gate) enter(c *gin.Context) {
	c.Set(gateKey, g)
	if g.address.rate.Off() || isHealthRoute(c.Request.URL.Path) {
		return
	}
	decision := g.limiter.Here(ratelimit.Key{Who: addressOf(c)}, g.address.rate)
	if !decision.Allowed {
		g.tell(c, g.address, decision)
		_ = c.Error(errLimited.After(decision.RetryAfter))
		c.Abort()
	}
}

// admit counts the user, or the address where nobody asked for a token, on one route.
func admit(c *gin.Context) error {
	v, ok := c.Get(gateKey)
	if !ok {
		return nil
	}
	g, _ := v.(*gate)
	p := g.policyOf(c)
	if p.rate.Off() {
		return nil
	}
	key := ratelimit.Key{Method: c.Request.Method, Route: c.FullPath()}
	if who, ok := token.Known(c); ok {
		key.Who = who.UserID
	} else {
		key.Who = addressOf(c)
	}
	var decision ratelimit.Decision
	if p.name == g.reads.name { // each costs less than asking Redis would
		decision = g.limiter.Here(key, p.rate)
	} else {
		decision = g.limiter.Everywhere(c.Request.Context(), key, p.rate)
	}
	g.tell(c, p, decision)
	if !decision.Allowed {
		return errLimited.After(decision.RetryAfter)
	}
	return nil
}

func (g *gate) policyOf(c *gin.Context) policy {
	switch {
	case c.GetBool(costlyKey):
		return g.costly
	case c.Request.Method == http.MethodGet || c.Request.Method == http.MethodHead:
		return g.reads
	default:
		return g.writes
	}
}

// tell writes the fields of the draft; their names are canonical as they stand.
func (g *gate) tell(c *gin.Context, p policy, d ratelimit.Decision) {
	header := c.Writer.Header()
	header["Ratelimit-Policy"] = p.header
	header["Ratelimit"] = []string{`"` + p.name + `";r=` + strconv.Itoa(d.Remaining) + `;t=` + seconds(d.Reset)}
	if !d.Allowed {
		route := c.FullPath()
		if route == "" {
			route = "none"
		}
		g.refused.WithLabelValues(p.name, route).Inc()
	}
}

// seconds rounds up: what is told to wait must not come too early.
func seconds(d time.Duration) string {
	return strconv.FormatInt(int64((d+time.Second-1)/time.Second), 10)
}

// addressOf is the client's address, an IPv6 one without its lower half: a subscriber has all of it.
func addressOf(c *gin.Context) [16]byte {
	address, err := netip.ParseAddr(c.ClientIP())
	if err != nil {
		return [16]byte{} // all whose address cannot be told are one
	}
	address = address.Unmap().WithZone("")
	if address.Is6() {
		prefix, err := address.Prefix(subscriberBits)
		if err != nil {
			return [16]byte{}
		}
		address = prefix.Addr()
	}
	return address.As16()
}

const subscriberBits = 64
