package monitor

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/wastecoach/wastecoach/internal/operator"
)

// maxEvents bounds the list.
const maxEvents = 200

func (s *System) readEvents(ctx context.Context, at *reached) ([]Event, error) {
	all, err := ask(ctx, s, func(c *operator.Client) ([]Event, error) { return c.Events(ctx, maxEvents) })
	if err != nil && at.lack == nil {
		return nil, err
	}
	all = append(all, s.comings.events()...)
	if at.cluster != nil {
		warnings, err := at.cluster.Warnings(ctx)
		if err != nil {
			return nil, fmt.Errorf("reading the cluster's warnings: %w", err)
		}
		for _, w := range warnings {
			all = append(all, Event{
				At: w.At, Kind: strings.ToLower(w.Kind) + ".warning", Subject: w.Object,
				Message: w.Reason + ": " + w.Message, Bad: true,
			})
		}
	}
	slices.SortStableFunc(all, func(a, b Event) int { return b.At.Compare(a.At) })
	return all[:min(len(all), maxEvents)], nil
}

// comings are the workers that came or went while somebody looked.
type comings struct {
	mu    sync.Mutex
	known map[string]Worker
	seen  []Event
}

// note compares with the workers of the last time. The first ones are no news.
func (c *comings) note(workers []Worker, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	present := map[string]Worker{}
	for _, w := range workers {
		present[w.ID] = w
		if _, known := c.known[w.ID]; !known && c.known != nil {
			c.add(Event{At: w.StartedAt, Kind: "worker.came", Subject: w.name(), Message: w.takes()})
		}
	}
	for id, w := range c.known {
		if _, still := present[id]; !still {
			e := Event{At: now, Kind: "worker.went", Subject: w.name(), Message: w.takes()}
			if len(w.Running) > 0 {
				e.Message += fmt.Sprintf(", with %d tasks in its hands", len(w.Running))
				e.Bad = true
			}
			c.add(e)
		}
	}
	c.known = present
}

func (c *comings) add(e Event) {
	c.seen = append(c.seen, e)
	c.seen = c.seen[max(0, len(c.seen)-maxEvents):]
}

func (c *comings) events() []Event {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.seen)
}

func (w Worker) name() string {
	return fmt.Sprintf("%s:%d:%s", w.Host, w.PID, w.ID[:min(4, len(w.ID))])
}

func (w Worker) takes() string {
	return fmt.Sprintf("takes from %s, %d at once", strings.Join(w.Queues, " and "), w.Concurrency)
}
