package client

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/wastecoach/wastecoach/internal/pipeline"
	"github.com/wastecoach/wastecoach/internal/wasteclass"
)

// User is the one who is logged in.
type User struct {
	ID          string    `json:"id"`
	DisplayName string    `json:"display_name"`
	Locale      string    `json:"locale"`
	CreatedAt   time.Time `json:"created_at"`
}

// Me returns the user.
func (c *Client) Me(ctx context.Context) (User, error) {
	var u User
	err := c.doJSON(ctx, call{method: http.MethodGet, path: "/users/me", repeatable: true}, &u)
	return u, err
}

// HistoryPage is one page of answers; NextPageToken is empty on the last one.
type HistoryPage struct {
	Items         []HistoryItem `json:"items"`
	NextPageToken string        `json:"next_page_token"`
}

// HistoryItem is one answer. Analysis and Photo are routes.
type HistoryItem struct {
	ID         string           `json:"id"`
	CreatedAt  time.Time        `json:"created_at"`
	FinishedAt *time.Time       `json:"finished_at"`
	Class      wasteclass.Class `json:"class"`
	ItemID     string           `json:"item_id"`
	ItemName   string           `json:"item_name"`
	Label      string           `json:"label"`
	Confidence float64          `json:"confidence"`
	Summary    string           `json:"summary"`
	Cached     bool             `json:"cached"`
	Photo      string           `json:"photo"`
	Analysis   string           `json:"analysis"`
}

// History lists the user's answers, newest first; r.Status has no meaning here.
func (c *Client) History(ctx context.Context, r ListRequest) (HistoryPage, error) {
	var page HistoryPage
	err := c.doJSON(ctx, call{
		method: http.MethodGet, path: "/users/me/history", query: r.query(), repeatable: true,
	}, &page)
	return page, err
}

// NearbyRequest asks for collection points around a place; what is zero is the server's choice.
type NearbyRequest struct {
	Location
	RadiusM int
	Accepts wasteclass.Class
	Limit   int
}

// Nearby returns the nearest collection points first.
func (c *Client) Nearby(ctx context.Context, r NearbyRequest) ([]pipeline.Point, error) {
	q := url.Values{"lat": {degrees(r.Lat)}, "lng": {degrees(r.Lng)}}
	if r.RadiusM > 0 {
		q.Set("radius_m", strconv.Itoa(r.RadiusM))
	}
	if r.Accepts != "" {
		q.Set("accepts", string(r.Accepts))
	}
	if r.Limit > 0 {
		q.Set("limit", strconv.Itoa(r.Limit))
	}
	var got struct {
		Points []pipeline.Point `json:"points"`
	}
	err := c.doJSON(ctx, call{
		method: http.MethodGet, path: "/locations/nearby", query: q, repeatable: true,
		anonymous: c.tokens == nil,
	}, &got)
	return got.Points, err
}

func degrees(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }
