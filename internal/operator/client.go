package operator

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/gofrs/uuid/v5"

	"github.com/wastecoach/wastecoach/internal/env"
	"github.com/wastecoach/wastecoach/internal/problem"
)

const (
	maxAnswer  = 16 << 20
	maxRefusal = 4 << 10
)

// Client asks a service.
type Client struct {
	base  string
	token env.Secret
	http  *http.Client
}

// NewClient returns a Client of the service at a base URL, e.g. http://127.0.0.1:8081.
func NewClient(base string, token env.Secret, client *http.Client) *Client {
	return &Client{base: strings.TrimRight(base, "/") + "/internal/operator", token: token, http: client}
}

// Page returns jobs.
func (c *Client) Page(ctx context.Context, q Query) (Page, error) {
	var page Page
	err := c.call(ctx, http.MethodGet, "/jobs?"+q.values().Encode(), nil, &page)
	return page, err
}

// Detail returns one job, or ErrJobNotFound.
func (c *Client) Detail(ctx context.Context, id uuid.UUID) (JobDetail, error) {
	var detail JobDetail
	err := c.call(ctx, http.MethodGet, "/jobs/"+id.String(), nil, &detail)
	return detail, err
}

// Events returns what happened, newest first.
func (c *Client) Events(ctx context.Context, limit int) ([]Event, error) {
	var list eventList
	err := c.call(ctx, http.MethodGet, "/events?limit="+strconv.Itoa(limit), nil, &list)
	return list.Events, err
}

// Act asks for an action, in parts where it names many jobs. After an error the outcomes are those of
// the parts before it.
func (c *Client) Act(ctx context.Context, actor string, a Action) ([]Outcome, error) {
	var all []Outcome
	parts := slices.Collect(slices.Chunk(a.Jobs, MaxJobs))
	if len(parts) == 0 {
		parts = [][]uuid.UUID{nil}
	}
	for _, part := range parts {
		a.Jobs = part
		body, err := json.Marshal(request{a, actor})
		if err != nil {
			return all, fmt.Errorf("encoding the action: %w", err)
		}
		var list outcomeList
		if err := c.call(ctx, http.MethodPost, "/actions", body, &list); err != nil {
			return all, err
		}
		all = append(all, list.Outcomes...)
	}
	return all, nil
}

func (c *Client) call(ctx context.Context, method, route string, body []byte, into any) error {
	request, err := http.NewRequestWithContext(ctx, method, c.base+route, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("asking %s: %w", c.base, err)
	}
	request.Header.Set("Authorization", "Bearer "+c.token.Reveal())
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	response, err := c.http.Do(request)
	if err != nil {
		return err // it names the URL
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return refusal(response)
	}
	if err := json.NewDecoder(io.LimitReader(response.Body, maxAnswer)).Decode(into); err != nil {
		return fmt.Errorf("reading the answer of %s: %w", c.base, err)
	}
	return nil
}

// refusal is what the service says, or the status where it says nothing in our words.
func refusal(response *http.Response) error {
	said, _ := io.ReadAll(io.LimitReader(response.Body, maxRefusal)) // the status says enough
	var doc problem.Document
	if json.Unmarshal(said, &doc) != nil || doc.Code == "" {
		return fmt.Errorf("%s answered %s", response.Request.URL.Host, response.Status)
	}
	if doc.Code == ErrJobNotFound.Code {
		return ErrJobNotFound
	}
	return &RefusedError{Document: doc}
}

// RefusedError is a problem that the service named.
type RefusedError struct{ problem.Document }

// Error implements error.
func (e *RefusedError) Error() string { return e.Detail }

// IsRefused tells whether err is the problem of that code.
func IsRefused(err error, code string) bool {
	var refused *RefusedError
	return errors.As(err, &refused) && refused.Code == code
}
