package queue

import (
	"context"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"
)

// Depth counts the tasks of one queue by state.
type Depth struct {
	Queue     string `json:"queue"`
	Pending   int64  `json:"pending"`
	Active    int64  `json:"active"`
	Scheduled int64  `json:"scheduled"`
	Retry     int64  `json:"retry"`
	Archived  int64  `json:"archived"`
	Completed int64  `json:"completed"`
}

// Depths reads the counts of all queues in one round trip whose cost does not grow with them.
// asynq's own GetQueueInfo reads task hashes and fails when one has vanished.
func Depths(ctx context.Context, jobs *redis.Client, queues ...string) ([]Depth, error) {
	depths := make([]Depth, len(queues))
	replies := make([][6]*redis.IntCmd, len(queues))
	_, err := jobs.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, q := range queues {
			replies[i] = count(ctx, p, prefix(q))
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("counting tasks: %w", err)
	}
	for i, r := range replies {
		depths[i] = depth(queues[i], r)
	}
	return depths, nil
}

// count asks for the sizes that depth reads.
func count(ctx context.Context, p redis.Pipeliner, key string) [6]*redis.IntCmd {
	return [6]*redis.IntCmd{
		p.LLen(ctx, key+"pending"), p.LLen(ctx, key+"active"),
		p.ZCard(ctx, key+"scheduled"), p.ZCard(ctx, key+"retry"),
		p.ZCard(ctx, key+"archived"), p.ZCard(ctx, key+"completed"),
	}
}

func depth(queue string, r [6]*redis.IntCmd) Depth {
	return Depth{
		Queue: queue, Pending: r[0].Val(), Active: r[1].Val(), Scheduled: r[2].Val(),
		Retry: r[3].Val(), Archived: r[4].Val(), Completed: r[5].Val(),
	}
}

// Collector reports Depths to Prometheus.
type Collector struct {
	jobs   *redis.Client
	queues []string
	depth  *prometheus.Desc
}

// NewCollector returns a Collector of the named queues.
func NewCollector(jobs *redis.Client, queues ...string) *Collector {
	return &Collector{
		jobs: jobs, queues: queues,
		depth: prometheus.NewDesc("queue_tasks", "Tasks in a queue by state.",
			[]string{"queue", "state"}, nil),
	}
}

// Describe implements prometheus.Collector.
func (c *Collector) Describe(ch chan<- *prometheus.Desc) { ch <- c.depth }

// Collect implements prometheus.Collector.
func (c *Collector) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	depths, err := Depths(ctx, c.jobs, c.queues...)
	if err != nil {
		ch <- prometheus.NewInvalidMetric(c.depth, err)
		return
	}
	for _, d := range depths {
		for state, n := range map[string]int64{
			"pending": d.Pending, "active": d.Active, "scheduled": d.Scheduled,
			"retry": d.Retry, "archived": d.Archived, "completed": d.Completed,
		} {
			ch <- prometheus.MustNewConstMetric(
				c.depth, prometheus.GaugeValue, float64(n), d.Queue, state)
		}
	}
}
