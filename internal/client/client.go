package client

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"
)

const (
	prefix        = "/api/v1"
	maxAnswer     = 16 << 20
	headerTimeout = 40 * time.Second // longer than any Prefer: wait
	idlePerHost   = 64
)

// TokenSource gives the access token of each call.
type TokenSource interface {
	// Token returns a token that is not stale, which is the one that the server has just refused
	// or "".
	Token(ctx context.Context, stale string) (string, error)
}

// Options say how a Client works. Only BaseURL is required.
type Options struct {
	// BaseURL is the server's address without /api/v1.
	BaseURL string
	// Tokens authenticates; nil for the routes that need no user.
	Tokens TokenSource
	// HTTP replaces the transport with the pool of kept connections.
	HTTP      *http.Client
	UserAgent string
	// Sleep replaces waiting between tries in tests.
	Sleep func(ctx context.Context, d time.Duration) error
}

// Client calls one server. It may be used by many goroutines.
type Client struct {
	base      string
	tokens    TokenSource
	http      *http.Client
	userAgent string
	sleep     func(ctx context.Context, d time.Duration) error
	// answered tells that this server has answered before; copies share it.
	answered *atomic.Bool
}

// New returns a Client; the error says what is wrong with the server's address.
func New(opts Options) (*Client, error) {
	base, err := url.Parse(opts.BaseURL)
	if err != nil {
		return nil, fmt.Errorf("reading the server's address: %w", err)
	}
	if base.Scheme != "http" && base.Scheme != "https" || base.Host == "" {
		return nil, fmt.Errorf(
			"the server's address %q is not like http://127.0.0.1:8080", opts.BaseURL)
	}
	c := &Client{
		base:   strings.TrimSuffix(strings.TrimSuffix(base.String(), "/"), prefix),
		tokens: opts.Tokens, http: opts.HTTP, userAgent: opts.UserAgent, sleep: opts.Sleep,
		answered: new(atomic.Bool),
	}
	if c.http == nil {
		c.http = &http.Client{Transport: NewTransport()}
	}
	if c.sleep == nil {
		c.sleep = sleep
	}
	return c, nil
}

// BaseURL is the server's address without /api/v1.
func (c *Client) BaseURL() string { return c.base }

// WithTokens returns a Client on the same connections that authenticates.
func (c *Client) WithTokens(tokens TokenSource) *Client {
	clone := *c
	clone.tokens = tokens
	return &clone
}

// NewTransport is what a Client uses where Options.HTTP is nil.
func NewTransport() *http.Transport {
	t := http.DefaultTransport.(*http.Transport).Clone() // as net/http documents
	t.MaxIdleConnsPerHost = idlePerHost
	t.ResponseHeaderTimeout = headerTimeout
	return t
}

// call is one request of the API.
type call struct {
	method, path string
	query        url.Values
	header       map[string]string
	body         any
	// repeatable tells that sending it twice does what sending it once does.
	repeatable bool
	anonymous  bool
}

type answer struct {
	status int
	header http.Header
	body   []byte
}

// do sends the call until it is answered with success, with an error that another try cannot
// change, or until the tries are used up.
func (c *Client) do(ctx context.Context, r call) (answer, error) {
	payload, err := encode(r.body)
	if err != nil {
		return answer{}, err
	}
	auth := &authorization{source: c.tokens, off: r.anonymous || c.tokens == nil}
	for try := 1; ; try++ {
		got, err := c.once(ctx, r, payload, auth)
		if err == nil {
			return got, nil
		}
		if !r.repeatable {
			return answer{}, err
		}
		if err := c.backOff(ctx, err, try); err != nil {
			return answer{}, err
		}
	}
}

func encode(body any) ([]byte, error) {
	if body == nil {
		return nil, nil
	}
	payload, err := json.Marshal(body)
	if err != nil {
		return nil, fmt.Errorf("encoding the request: %w", err)
	}
	return payload, nil
}

// once sends the call; an access token that the server refuses is replaced, once per call.
func (c *Client) once(
	ctx context.Context, r call, payload []byte, auth *authorization,
) (answer, error) {
	if err := auth.prepare(ctx); err != nil {
		return answer{}, err
	}
	got, err := c.send(ctx, r, payload, auth.token)
	if !IsStatus(err, http.StatusUnauthorized) || !auth.mayRenew() {
		return got, err
	}
	if err := auth.renew(ctx); err != nil {
		return answer{}, err
	}
	return c.send(ctx, r, payload, auth.token)
}

func (c *Client) send(ctx context.Context, r call, payload []byte, token string) (answer, error) {
	target := c.base + prefix + r.path
	if len(r.query) > 0 {
		target += "?" + r.query.Encode()
	}
	var body io.Reader
	if payload != nil {
		body = bytes.NewReader(payload)
	}
	req, err := http.NewRequestWithContext(ctx, r.method, target, body)
	if err != nil {
		return answer{}, fmt.Errorf("making the request: %w", err)
	}
	if payload != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	if c.userAgent != "" {
		req.Header.Set("User-Agent", c.userAgent)
	}
	for name, value := range r.header {
		req.Header.Set(name, value)
	}
	return c.exchange(req)
}

// exchange sends req and turns what is neither 2xx nor 304 into a *Problem.
func (c *Client) exchange(req *http.Request) (answer, error) {
	res, err := c.http.Do(req)
	if err != nil {
		return answer{}, unreachable(req, err)
	}
	defer res.Body.Close()
	c.answered.Store(true)
	body, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return answer{}, unreachable(req, err)
	}
	got := answer{status: res.StatusCode, header: res.Header, body: body}
	if ok := got.status/100 == 2 || got.status == http.StatusNotModified; !ok {
		return got, newProblem(got)
	}
	return got, nil
}

// doJSON decodes the answer into the value that into points to.
func (c *Client) doJSON(ctx context.Context, r call, into any) error {
	got, err := c.do(ctx, r)
	if err != nil {
		return err
	}
	return got.decode(into)
}

func (a answer) decode(into any) error {
	if err := json.Unmarshal(a.body, into); err != nil {
		return fmt.Errorf("reading the server's answer: %w", err)
	}
	return nil
}
