package users

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"

	"github.com/wastecoach/wastecoach/internal/erasure"
	"github.com/wastecoach/wastecoach/internal/token"
)

const (
	// maxAnswer bounds a page: 100 results with all their text stay far below.
	maxAnswer = 8 << 20
	// wastePause is when a client may come again after the waste service gave no answer.
	wastePause = 2 * time.Second
)

// wasteClient asks the waste service.
type wasteClient struct {
	base string
	http *http.Client
	// internal is the same service as it is to other services only.
	internal *erasure.Client
}

func newWasteClient(peer erasure.Peer, timeout time.Duration) *wasteClient {
	base := strings.TrimRight(peer.URL, "/")
	return &wasteClient{base: base, internal: erasure.NewClient(peer), http: &http.Client{
		Transport: otelhttp.NewTransport(http.DefaultTransport), Timeout: timeout,
		// A redirect would carry the user's token to wherever it points.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

func (c *wasteClient) history(ctx context.Context, r HistoryRequest) (HistoryPage, error) {
	jobs, err := c.list(ctx, r)
	if err != nil {
		return HistoryPage{}, err
	}
	page, err := jobs.history()
	if err != nil {
		return HistoryPage{}, ErrHistoryUnavailable.Because(err).After(wastePause)
	}
	return page, nil
}

func (c *wasteClient) list(ctx context.Context, r HistoryRequest) (jobPage, error) {
	q := url.Values{"status": {"succeeded"}, "page_size": {strconv.Itoa(r.PageSize)}}
	if r.PageToken != "" {
		q.Set("page_token", r.PageToken)
	}
	req, err := http.NewRequestWithContext(
		ctx, http.MethodGet, c.base+"/api/v1/waste/analyses?"+q.Encode(), http.NoBody)
	if err != nil {
		return jobPage{}, fmt.Errorf("asking the waste service: %w", err)
	}
	req.Header.Set("Authorization", r.Bearer)
	req.Header.Set("Accept", "application/json")
	req.Header.Set("X-Request-Id", r.RequestID)
	resp, err := c.http.Do(req)
	if err != nil {
		return jobPage{}, ErrHistoryUnavailable.Because(err).After(wastePause)
	}
	defer resp.Body.Close()
	page, err := readPage(resp)
	if err != nil {
		return jobPage{}, fmt.Errorf("reading the waste service's answer: %w", err)
	}
	return page, nil
}

func readPage(resp *http.Response) (jobPage, error) {
	switch resp.StatusCode {
	case http.StatusOK:
	case http.StatusUnauthorized:
		return jobPage{}, token.ErrUnauthorized // it expired on its way, or the keys changed
	case http.StatusUnprocessableEntity:
		return jobPage{}, ErrInvalid.WithFields(badPageToken()) // the page size is checked here
	default:
		return jobPage{}, ErrHistoryUnavailable.After(pause(resp)).
			Because(fmt.Errorf("status %s", resp.Status))
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err == nil && len(body) > maxAnswer {
		err = errors.New("the answer is too large")
	}
	var page jobPage
	if err == nil {
		err = json.Unmarshal(body, &page)
	}
	if err != nil {
		return jobPage{}, ErrHistoryUnavailable.Because(err).After(wastePause)
	}
	return page, nil
}

// pause hands on how long the waste service wants to be left alone.
func pause(resp *http.Response) time.Duration {
	seconds, err := strconv.Atoi(resp.Header.Get("Retry-After"))
	if err != nil || seconds < 1 {
		return wastePause
	}
	return time.Duration(seconds) * time.Second
}
