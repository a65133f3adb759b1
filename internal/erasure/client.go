package erasure

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/gofrs/uuid/v5"
	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
)

const (
	// jobsPerCall keeps a request's line far below what servers take.
	jobsPerCall = 100
	// answerTimeout is how long a service may work before its answer begins.
	answerTimeout = time.Minute
	maxReport     = 64 << 20 // the ids of a million jobs
	maxRefusal    = 4 << 10
)

// Client is another service as a Holder.
type Client struct {
	peer Peer
	http *http.Client
}

// NewClient returns a Client. It makes no request.
func NewClient(peer Peer) *Client {
	peer.URL = strings.TrimRight(peer.URL, "/")
	transport := http.DefaultTransport.(*http.Transport).Clone() // as net/http documents
	transport.ResponseHeaderTimeout = answerTimeout
	return &Client{peer: peer, http: &http.Client{
		Transport: otelhttp.NewTransport(transport),
		// A redirect would carry the token to wherever it points.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// Erase implements Holder.
func (c *Client) Erase(ctx context.Context, r Request) (Report, error) {
	return c.each(ctx, http.MethodDelete, r)
}

// Left implements Holder.
func (c *Client) Left(ctx context.Context, r Request) (Report, error) {
	return c.each(ctx, http.MethodGet, r)
}

// each asks once for each part of the jobs, and at least once.
func (c *Client) each(ctx context.Context, method string, r Request) (Report, error) {
	parts := slices.Collect(slices.Chunk(r.Jobs, jobsPerCall))
	if len(parts) == 0 {
		parts = [][]uuid.UUID{nil}
	}
	var all Report
	for _, part := range parts {
		r.Jobs = part
		report, err := c.report(ctx, method, r)
		if err != nil {
			return Report{}, err
		}
		all.Add(report)
	}
	return all, nil
}

func (c *Client) report(ctx context.Context, method string, r Request) (Report, error) {
	body, err := c.send(ctx, method, r.UserID, r.query())
	if err != nil {
		return Report{}, err
	}
	defer body.Close()
	var report Report
	if err := json.NewDecoder(io.LimitReader(body, maxReport)).Decode(&report); err != nil {
		return Report{}, fmt.Errorf("reading the report of %s: %w", c.peer.URL, err)
	}
	return report, nil
}

// Open reads a route that the service has mounted beside Holder's, e.g. "/data"; close it.
func (c *Client) Open(ctx context.Context, user uuid.UUID, route string) (io.ReadCloser, error) {
	return c.send(ctx, http.MethodGet, user, route)
}

func (c *Client) send(
	ctx context.Context, method string, user uuid.UUID, rest string,
) (io.ReadCloser, error) {
	target := c.peer.URL + "/internal/users/" + user.String() + rest
	request, err := http.NewRequestWithContext(ctx, method, target, http.NoBody)
	if err != nil {
		return nil, fmt.Errorf("asking %s: %w", c.peer.URL, err)
	}
	request.Header.Set("Authorization", "Bearer "+c.peer.Token.Reveal())
	response, err := c.http.Do(request)
	if err != nil {
		return nil, fmt.Errorf("asking %s: %w", c.peer.URL, err)
	}
	if response.StatusCode != http.StatusOK {
		defer response.Body.Close()
		said, _ := io.ReadAll(io.LimitReader(response.Body, maxRefusal)) // the status says enough
		return nil, &StatusError{Peer: c.peer.URL, Status: response.StatusCode, Body: string(said)}
	}
	return response.Body, nil
}

// StatusError is an answer other than 200.
type StatusError struct {
	Peer   string
	Status int
	Body   string
}

// Error implements error.
func (e *StatusError) Error() string {
	return fmt.Sprintf("%s answered %d: %s", e.Peer, e.Status, e.Body)
}
