package users

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"

	"github.com/gofrs/uuid/v5"

	"github.com/wastecoach/wastecoach/internal/job"
	"github.com/wastecoach/wastecoach/internal/pipeline"
	"github.com/wastecoach/wastecoach/internal/problem"
	"github.com/wastecoach/wastecoach/internal/wasteclass"
)

// ErrHistoryUnavailable says that the waste service does not answer.
var ErrHistoryUnavailable = problem.New(
	problem.Unavailable, "history_unavailable", "The history cannot be read now.",
)

const (
	defaultPage = 20
	largestPage = 100
	maxToken    = 256
)

// HistoryRequest asks for one page; the token is the user's own.
type HistoryRequest struct {
	PageSize  int
	PageToken string
	Bearer    string
	RequestID string
}

func (r HistoryRequest) validate() error {
	var faults []problem.Field
	if r.PageSize < 1 || r.PageSize > largestPage {
		faults = append(faults, problem.Field{
			Pointer: "page_size", Code: "out_of_range", Detail: "must be from 1 to 100",
		})
	}
	if len(r.PageToken) > maxToken {
		faults = append(faults, badPageToken())
	}
	if len(faults) > 0 {
		return ErrInvalid.WithFields(faults...)
	}
	return nil
}

func badPageToken() problem.Field {
	return problem.Field{Pointer: "page_token", Code: "invalid", Detail: "is not one of ours"}
}

// HistoryPage is a list of answers, newest first; NextPageToken is empty on the last page.
type HistoryPage struct {
	Items         []HistoryItem `json:"items"`
	NextPageToken string        `json:"next_page_token"`
}

// HistoryItem is the gist of one answer; the analysis of the same id has all of it.
type HistoryItem struct {
	ID         uuid.UUID        `json:"id"`
	CreatedAt  time.Time        `json:"created_at"`
	FinishedAt *time.Time       `json:"finished_at"`
	Class      wasteclass.Class `json:"class"`
	// ItemID is the rule's; ItemName is in the language of the analysis.
	ItemID     string  `json:"item_id"`
	ItemName   string  `json:"item_name"`
	Label      string  `json:"label"`
	Confidence float64 `json:"confidence"`
	Summary    string  `json:"summary"`
	// Cached tells that no vision model was called.
	Cached bool `json:"cached"`
	// Photo is the route of the photo.
	Photo string `json:"photo"`
	// Analysis is the route of the whole answer.
	Analysis string `json:"analysis"`
}

// jobPage is the waste service's list of analyses.
type jobPage struct {
	Jobs          []job.Job `json:"jobs"`
	NextPageToken string    `json:"next_page_token"`
}

// result is what we use of an analysis's result.
type result struct {
	Vision struct {
		Class      wasteclass.Class `json:"class"`
		Label      string           `json:"label"`
		Confidence float64          `json:"confidence"`
	} `json:"vision"`
	Advice pipeline.Advice `json:"advice"`
	Cached bool            `json:"cached"`
	Photo  string          `json:"photo"`
}

func (p jobPage) history() (HistoryPage, error) {
	page := HistoryPage{Items: []HistoryItem{}, NextPageToken: p.NextPageToken}
	for i := range p.Jobs {
		item, err := newHistoryItem(&p.Jobs[i])
		if err != nil {
			return HistoryPage{}, err
		}
		page.Items = append(page.Items, item)
	}
	return page, nil
}

func newHistoryItem(j *job.Job) (HistoryItem, error) {
	var r result
	if j.Status != job.Succeeded || len(j.Result) == 0 || bytes.Equal(j.Result, []byte("null")) {
		return HistoryItem{}, fmt.Errorf("analysis %s is listed as succeeded without a result", j.ID)
	}
	if err := json.Unmarshal(j.Result, &r); err != nil {
		return HistoryItem{}, fmt.Errorf("reading the result of analysis %s: %w", j.ID, err)
	}
	item := HistoryItem{
		ID: j.ID, CreatedAt: j.CreatedAt.UTC(), FinishedAt: j.FinishedAt,
		Class: r.Advice.Class, ItemID: r.Advice.ItemID, ItemName: r.Advice.ItemName,
		Label: r.Vision.Label, Confidence: r.Vision.Confidence, Summary: r.Advice.Summary,
		Cached: r.Cached, Photo: r.Photo, Analysis: j.Links.Self,
	}
	if item.Class == "" {
		item.Class = r.Vision.Class
	}
	return item, nil
}
