package client

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/wastecoach/wastecoach/internal/job"
	"github.com/wastecoach/wastecoach/internal/pipeline"
	"github.com/wastecoach/wastecoach/internal/wasteclass"
)

// Location is a place in degrees (WGS 84).
type Location struct {
	Lat float64 `json:"lat"`
	Lng float64 `json:"lng"`
}

// AnalysisRequest asks what an uploaded photo shows.
type AnalysisRequest struct {
	UploadID string    `json:"upload_id"`
	Location *Location `json:"location,omitempty"`
	// Locale is ko or en; the server's default is ko.
	Locale string `json:"locale,omitempty"`
	// IdempotencyKey makes the request repeatable: one key, one analysis.
	IdempotencyKey string `json:"-"`
}

// Snapshot is one look at a job.
type Snapshot struct {
	Job job.Job
	// ETag names this state of the job.
	ETag string
	// Unchanged tells that the job still is as it was at the ETag asked with; Job is empty then.
	Unchanged bool
	// PollAfter is when the server wants to be asked again.
	PollAfter time.Duration
}

// ParseResult reads the result of a job that succeeded.
func ParseResult(j job.Job) (pipeline.Result, error) {
	var r pipeline.Result
	if err := json.Unmarshal(j.Result, &r); err != nil {
		return pipeline.Result{}, fmt.Errorf("reading the result of job %s: %w", j.ID, err)
	}
	return r, nil
}

// CreateAnalysis starts an analysis; where a cache already answers, the job has succeeded.
func (c *Client) CreateAnalysis(ctx context.Context, r AnalysisRequest) (Snapshot, error) {
	got, err := c.do(ctx, call{
		method: http.MethodPost, path: "/waste/analyses", body: r, repeatable: true,
		header: map[string]string{"Idempotency-Key": r.IdempotencyKey},
	})
	if err != nil {
		return Snapshot{}, err
	}
	return got.snapshot()
}

// Analysis looks at a job; with the ETag of an earlier look it may be Unchanged.
func (c *Client) Analysis(ctx context.Context, id, etag string) (Snapshot, error) {
	r := call{method: http.MethodGet, path: analysisPath(id), repeatable: true}
	if etag != "" {
		r.header = map[string]string{"If-None-Match": etag}
	}
	got, err := c.do(ctx, r)
	if err != nil {
		return Snapshot{}, err
	}
	return got.snapshot()
}

// Watch polls until the job is final and calls seen at each change, the last state included.
func (c *Client) Watch(ctx context.Context, from Snapshot, seen func(job.Job)) (job.Job, error) {
	last := from
	seen(last.Job)
	for !last.Job.Status.Final() {
		if err := c.sleep(ctx, last.PollAfter); err != nil {
			return last.Job, err
		}
		next, err := c.Analysis(ctx, last.Job.ID.String(), last.ETag)
		if err != nil {
			return last.Job, err
		}
		if next.Unchanged {
			last.PollAfter = next.PollAfter
			continue
		}
		last = next
		seen(last.Job)
	}
	return last.Job, nil
}

// CancelAnalysis stops a job. One that has ended already is a conflict.
func (c *Client) CancelAnalysis(ctx context.Context, id string) (Snapshot, error) {
	got, err := c.do(ctx, call{
		method: http.MethodPost, path: analysisPath(id) + "/cancel", repeatable: true,
	})
	if err != nil {
		return Snapshot{}, err
	}
	return got.snapshot()
}

// ListRequest selects analyses. The zero value is the first page of all.
type ListRequest struct {
	PageSize  int
	PageToken string
	Status    job.Status
}

// Page is one page of analyses; NextPageToken is empty on the last one.
type Page struct {
	Jobs          []job.Job `json:"jobs"`
	NextPageToken string    `json:"next_page_token"`
}

// Analyses lists the user's analyses, newest first.
func (c *Client) Analyses(ctx context.Context, r ListRequest) (Page, error) {
	q := r.query()
	if r.Status != "" {
		q.Set("status", string(r.Status))
	}
	var page Page
	err := c.doJSON(ctx, call{
		method: http.MethodGet, path: "/waste/analyses", query: q, repeatable: true,
	}, &page)
	return page, err
}

func (r ListRequest) query() url.Values {
	q := url.Values{}
	if r.PageSize > 0 {
		q.Set("page_size", strconv.Itoa(r.PageSize))
	}
	if r.PageToken != "" {
		q.Set("page_token", r.PageToken)
	}
	return q
}

// Feedback says that an answer was wrong.
type Feedback struct {
	// Class is what the photo really shows.
	Class   wasteclass.Class `json:"class"`
	Comment string           `json:"comment,omitempty"`
}

// SendFeedback tells the server that the answer of a job was wrong.
func (c *Client) SendFeedback(ctx context.Context, id string, f Feedback) error {
	_, err := c.do(ctx, call{
		method: http.MethodPost, path: analysisPath(id) + "/feedback", body: f,
	})
	return err
}

func analysisPath(id string) string { return "/waste/analyses/" + url.PathEscape(id) }

const (
	defaultPoll = 500 * time.Millisecond
	minPoll     = 20 * time.Millisecond
	maxPoll     = 30 * time.Second
)

func (a answer) snapshot() (Snapshot, error) {
	s := Snapshot{
		ETag: a.header.Get("ETag"), Unchanged: a.status == http.StatusNotModified,
		PollAfter: defaultPoll,
	}
	if ms, err := strconv.Atoi(a.header.Get("Poll-After-Ms")); err == nil {
		s.PollAfter = min(max(time.Duration(ms)*time.Millisecond, minPoll), maxPoll)
	}
	if s.Unchanged {
		return s, nil
	}
	return s, a.decode(&s.Job)
}
