package waste

import (
	"context"
	"encoding/base64"
	"net/url"
	"slices"
	"strconv"

	"github.com/gofrs/uuid/v5"

	"github.com/wastecoach/wastecoach/internal/job"
	"github.com/wastecoach/wastecoach/internal/problem"
)

const (
	defaultPage = 20
	largestPage = 100
)

// Page is a part of a list; NextPageToken is empty on the last one.
type Page struct {
	Jobs          []job.Job `json:"jobs"`
	NextPageToken string    `json:"next_page_token"`
}

// List returns one page of a user's jobs, newest first.
func (s *Service) List(ctx context.Context, user uuid.UUID, f Filter) (Page, error) {
	more := f
	more.Limit++ // one more row tells whether there is a next page
	rows, err := s.store.List(ctx, user, more)
	if err != nil {
		return Page{}, err
	}
	page := Page{Jobs: []job.Job{}}
	if len(rows) > f.Limit {
		rows = rows[:f.Limit]
		page.NextPageToken = pageToken(rows[f.Limit-1].ID)
	}
	for i := range rows {
		page.Jobs = append(page.Jobs, rows[i].Job())
	}
	return page, nil
}

func parseFilter(q url.Values) (Filter, error) {
	f := Filter{Before: uuid.Max, Limit: defaultPage}
	var faults []problem.Field
	if text := q.Get("page_size"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			faults = append(faults, problem.Field{
				Pointer: "page_size", Code: "out_of_range", Detail: "must be a whole number from 1",
			})
		}
		f.Limit = min(n, largestPage)
	}
	if text := q.Get("page_token"); text != "" {
		raw, err := base64.RawURLEncoding.DecodeString(text)
		if err == nil {
			f.Before, err = uuid.FromBytes(raw)
		}
		if err != nil {
			faults = append(faults, problem.Field{
				Pointer: "page_token", Code: "invalid", Detail: "is not one of ours",
			})
		}
	}
	f.Status = job.Status(q.Get("status"))
	if f.Status != "" && !slices.Contains(job.Statuses(), f.Status) {
		faults = append(faults, problem.Field{
			Pointer: "status", Code: "unknown", Detail: "is not a status",
		})
	}
	return f, invalid(faults)
}

func pageToken(last uuid.UUID) string {
	return base64.RawURLEncoding.EncodeToString(last.Bytes())
}
