package bench

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/wastecoach/wastecoach/internal/client"
	"github.com/wastecoach/wastecoach/internal/job"
)

// Steady asks at a rate that does not fall when answers take longer, as many apps do: photos are
// sent and analyzed, and the analyses polled.
type Steady struct {
	Client *client.Client
	// Polls and Photos are how many are begun in a second.
	Polls, Photos float64
	// Duration is how long photos are sent.
	Duration time.Duration
	// Patience is how long afterwards the last analyses may take.
	Patience time.Duration
}

// Ends counts the analyses of a run by how they ended.
type Ends struct {
	Started   int `json:"started"`
	Succeeded int `json:"succeeded"`
	Failed    int `json:"failed"`
	// Lost have no end, or none that anybody can be told.
	Lost int `json:"lost"`
	// NotStarted are photos for which no analysis could be begun.
	NotStarted int `json:"not_started"`
}

// keptEnded is how many analyses people still look at after their end.
const keptEnded = 100

// atOnce bounds what is under way: a server that answers nothing shall not use up this computer.
const atOnce = 1000

// Run returns when all analyses have ended or the patience is over. ctx ends it early: then photos are sent no
// longer and the analyses still get their patience.
func (s Steady) Run(ctx context.Context) (Ends, error) {
	if s.Polls <= 0 || s.Photos <= 0 {
		return Ends{}, fmt.Errorf("a steady load needs polls and photos a second, got %g and %g", s.Polls, s.Photos)
	}
	r := &steadyRun{client: s.Client, slots: make(chan struct{}, atOnce)}
	sending, stop := context.WithTimeout(ctx, s.Duration)
	defer stop()
	live := context.WithoutCancel(ctx)
	var loops sync.WaitGroup
	loops.Go(func() { r.every(sending, s.Photos, func() { r.photo(live) }) })
	loops.Go(func() { r.every(sending, s.Polls, func() { r.poll(live) }) })
	loops.Wait()
	ending, cancel := context.WithTimeout(live, s.Patience)
	defer cancel()
	r.work.Wait() // each ends by the client's own time limits
	r.every(ending, s.Polls, func() { r.poll(ending) }, r.done)
	r.work.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ends.Lost += len(r.open)
	return r.ends, nil
}

type steadyRun struct {
	client *client.Client
	slots  chan struct{}
	work   sync.WaitGroup

	mu   sync.Mutex
	ends Ends
	// open are the analyses that have not ended, and whose turn to be asked for it is.
	open []*polled
	next int
	// ended are the latest ones that have, and which is looked at next.
	ended []string
	shown int
}

// polled is an analysis as an app knows it.
type polled struct {
	id, etag string
	asking   bool
}

// every begins one piece of work after the other at a rate until ctx or one of the conditions ends it.
func (r *steadyRun) every(ctx context.Context, rate float64, do func(), until ...func() bool) {
	tick := time.NewTicker(time.Duration(float64(time.Second) / rate))
	defer tick.Stop()
	for {
		for _, over := range until {
			if over() {
				return
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		select {
		case r.slots <- struct{}{}:
		case <-ctx.Done():
			return
		}
		r.work.Go(func() {
			defer func() { <-r.slots }()
			do()
		})
	}
}

func (r *steadyRun) photo(ctx context.Context) {
	s, err := startOne(ctx, r.client)
	r.mu.Lock()
	defer r.mu.Unlock()
	if err != nil {
		r.ends.NotStarted++
		return
	}
	r.ends.Started++
	r.open = append(r.open, &polled{id: s.Job.ID.String(), etag: s.ETag})
}

// poll asks for the next analysis that nobody is asking for; where there is none, somebody looks at one
// that has ended, so that the rate is held.
func (r *steadyRun) poll(ctx context.Context) {
	p := r.take()
	if p == nil {
		if id := r.look(); id != "" {
			_, _ = r.client.Analysis(ctx, id, "") // the wire counts what fails
		}
		return
	}
	s, err := r.client.Analysis(ctx, p.id, p.etag)
	r.mu.Lock()
	defer r.mu.Unlock()
	p.asking = false
	switch {
	case client.IsStatus(err, 404) || client.IsStatus(err, 410): // nobody can be told how it ended
		r.ends.Lost++
	case err != nil || s.Unchanged:
		return
	case !s.Job.Status.Final():
		p.etag = s.ETag
		return
	case s.Job.Status == job.Succeeded:
		r.ends.Succeeded++
	default:
		r.ends.Failed++
	}
	r.open = slices.DeleteFunc(r.open, func(o *polled) bool { return o == p })
	r.ended = append(r.ended, p.id)
	r.ended = r.ended[max(0, len(r.ended)-keptEnded):]
}

// look is whose turn of the ended ones it is, empty before there is any.
func (r *steadyRun) look() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.ended) == 0 {
		return ""
	}
	r.shown = (r.shown + 1) % len(r.ended)
	return r.ended[r.shown]
}

// take returns nil where every open analysis is being asked for.
func (r *steadyRun) take() *polled {
	r.mu.Lock()
	defer r.mu.Unlock()
	for range r.open {
		r.next = (r.next + 1) % len(r.open)
		if p := r.open[r.next]; !p.asking {
			p.asking = true
			return p
		}
	}
	return nil
}

func (r *steadyRun) done() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.open) == 0
}
