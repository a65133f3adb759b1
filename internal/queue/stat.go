package queue

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
)

// maxActive bounds how many active tasks are looked at; there are as many as workers have slots.
const maxActive = 1000

// Stat is how a queue fares.
type Stat struct {
	Depth
	// Paused: no worker takes from it.
	Paused bool
	// OldestPending is since when the task that has waited longest is pending; zero where none is.
	OldestPending time.Time
	// Processed and Failed count runs of tasks since the queue was made; a retry is a failed run.
	Processed, Failed int64
	// Orphans are the ids of active tasks that no worker holds: asynq never recovers them.
	Orphans []string
}

// Stats reads the queues in two round trips whose cost does not grow with the number of tasks. The
// first one is a transaction: a task that moves meanwhile is not counted twice, nor taken for an orphan.
func Stats(ctx context.Context, jobs *redis.Client, queues ...string) ([]Stat, error) {
	replies := make([]statReplies, len(queues))
	_, err := jobs.TxPipelined(ctx, func(p redis.Pipeliner) error {
		for i, q := range queues {
			replies[i] = askStat(ctx, p, prefix(q))
		}
		return nil
	})
	if err != nil && !errors.Is(err, redis.Nil) {
		return nil, fmt.Errorf("reading the queues: %w", err)
	}
	since := make([]*redis.StringCmd, len(queues))
	_, err = jobs.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, q := range queues {
			since[i] = p.HGet(ctx, prefix(q)+"t:"+replies[i].oldest.Val(), "pending_since")
		}
		return nil
	})
	if err != nil && !errors.Is(err, redis.Nil) {
		return nil, fmt.Errorf("reading the oldest tasks: %w", err)
	}
	stats := make([]Stat, len(queues))
	for i, r := range replies {
		stats[i] = r.stat(queues[i])
		if nano, err := strconv.ParseInt(since[i].Val(), 10, 64); err == nil && nano > 0 {
			stats[i].OldestPending = time.Unix(0, nano)
		}
	}
	return stats, nil
}

// statReplies are what Redis says of one queue.
type statReplies struct {
	counts            [6]*redis.IntCmd
	paused            *redis.IntCmd
	oldest            *redis.StringCmd
	processed, failed *redis.StringCmd
	active, leased    *redis.StringSliceCmd
}

func askStat(ctx context.Context, p redis.Pipeliner, key string) statReplies {
	return statReplies{
		counts:    count(ctx, p, key),
		paused:    p.Exists(ctx, key+"paused"),
		oldest:    p.LIndex(ctx, key+"pending", -1),
		processed: p.Get(ctx, key+"processed"),
		failed:    p.Get(ctx, key+"failed"),
		active:    p.LRange(ctx, key+"active", 0, maxActive-1),
		leased:    p.ZRange(ctx, key+"lease", 0, maxActive-1),
	}
}

func (r statReplies) stat(queue string) Stat {
	s := Stat{Depth: depth(queue, r.counts), Paused: r.paused.Val() > 0}
	s.Processed, _ = r.processed.Int64() // none is 0
	s.Failed, _ = r.failed.Int64()
	leased := map[string]bool{}
	for _, id := range r.leased.Val() {
		leased[id] = true
	}
	for _, id := range r.active.Val() {
		if !leased[id] && len(leased) < maxActive {
			s.Orphans = append(s.Orphans, id)
		}
	}
	return s
}

// Pause lets no worker take from the queue, or ends that; what runs goes on. It tells whether that was
// news.
func Pause(ctx context.Context, jobs *redis.Client, queue string, paused bool) (changed bool, err error) {
	key := prefix(queue) + "paused"
	if paused {
		changed, err = jobs.SetNX(ctx, key, time.Now().Unix(), 0).Result()
	} else {
		var n int64
		n, err = jobs.Del(ctx, key).Result()
		changed = n > 0
	}
	if err != nil {
		return false, fmt.Errorf("pausing or resuming queue %s: %w", queue, err)
	}
	return changed, nil
}
