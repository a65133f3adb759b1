// Package erasure is how the users service reaches, beside the API, what another service holds of
// a user: to hand it out, to count it and to erase it.
package erasure

import (
	"context"

	"github.com/gofrs/uuid/v5"

	"github.com/wastecoach/wastecoach/internal/env"
	"github.com/wastecoach/wastecoach/internal/problem"
)

// ErrErased refuses a user whose account is gone: an access token may outlive it by minutes.
var ErrErased = problem.New(problem.Unauthorized, "account_deleted", "The account is deleted.")

// Holder is a service that holds something of its users.
type Holder interface {
	// Erase removes all of it. What an earlier call has removed is no error, so that a call that
	// broke off is made again. Until the last call the service takes nothing new of the user.
	Erase(context.Context, Request) (Report, error)
	// Left counts what is there and changes nothing.
	Left(context.Context, Request) (Report, error)
}

// Request says whose data is meant.
type Request struct {
	UserID uuid.UUID
	// Jobs are the user's analyses, for a service that knows jobs but no users.
	Jobs []uuid.UUID
	// Last tells that no access token of the user is valid any more: the service forgets, too, that
	// it had to refuse the user.
	Last bool
}

// Counts are rows, objects or keys by place, e.g. "waste.analyses", "s3:photos" or "redis:1:job".
type Counts map[string]int64

// Total is the sum over all places.
func (c Counts) Total() int64 {
	var sum int64
	for _, n := range c {
		sum += n
	}
	return sum
}

// Report is what Erase removed, or Left found.
type Report struct {
	Counts Counts `json:"counts"`
	// Jobs are the user's analyses, which other services know by their ids; until the last call the
	// service remembers those that are erased.
	Jobs []uuid.UUID `json:"jobs,omitempty"`
}

// Add adds another report's counts.
func (r *Report) Add(other Report) {
	if r.Counts == nil {
		r.Counts = Counts{}
	}
	for place, n := range other.Counts {
		r.Counts[place] += n
	}
	r.Jobs = append(r.Jobs, other.Jobs...)
}

// Peer is another service as a client sees it.
type Peer struct {
	// URL is the service's base URL.
	URL string `env:"URL,required"`
	// Token is the service's own INTERNAL_TOKEN.
	Token env.Secret `env:"INTERNAL_TOKEN,required"`
}
