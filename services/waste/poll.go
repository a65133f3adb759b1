package waste

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"regexp"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/gofrs/uuid/v5"

	"github.com/wastecoach/wastecoach/internal/job"
	"github.com/wastecoach/wastecoach/internal/outage"
	"github.com/wastecoach/wastecoach/internal/progress"
	"github.com/wastecoach/wastecoach/internal/token"
)

// Pacing of pollers.
const (
	pollInterval = 500 * time.Millisecond
	oldJob       = 30 * time.Second // after which every poll is spaced twice as far
	veryOldJob   = 2 * time.Minute
	busyRate     = 2_000 // polls per second of one replica
	longestWait  = 20 * time.Second
	waitCheck    = 100 * time.Millisecond
	// trustedFor is how long an unfinished job in Redis is believed: the write that ended it may
	// have been lost.
	trustedFor = 5 * time.Second
	// stalledAfter is without a change of a job that somebody should work on; it is longer than the
	// longest model call.
	stalledAfter = 45 * time.Second
)

// poller answers the polled route: from Redis, or from PostgreSQL where Redis does not know.
type poller struct {
	store    *Store
	progress *progress.Store
	draining <-chan struct{}
	logger   *slog.Logger
	now      func() time.Time
	rate     rate
}

func (a *routes) getAnalysis(c *gin.Context) error {
	id, err := analysisID(c)
	if err != nil {
		return err
	}
	a.poll.rate.count(a.poll.now())
	user := token.From(c).UserID
	snap, err := a.poll.wait(c, user, id)
	if err != nil {
		return err
	}
	return a.poll.answer(c, snap)
}

// wait returns the job at once, or with "Prefer: wait=N" when it has changed or N seconds are over:
// changed from the If-None-Match version, or ended where none is given.
func (p *poller) wait(c *gin.Context, user, id uuid.UUID) (progress.Snapshot, error) {
	limit := preferredWait(c.GetHeader("Prefer"))
	known := c.GetHeader("If-None-Match")
	deadline := p.now().Add(limit)
	if limit > 0 {
		c.Header("Preference-Applied", fmt.Sprintf("wait=%d", int(limit.Seconds())))
	}
	for {
		snap, err := p.snapshot(c.Request.Context(), user, id)
		if err != nil || snap.Finished || !p.now().Before(deadline) {
			return snap, err
		}
		if known != "" && known != p.etag(snap) {
			return snap, nil
		}
		select {
		case <-c.Request.Context().Done():
			return snap, nil
		case <-p.draining:
			return snap, nil
		case <-time.After(waitCheck):
		}
	}
}

func (p *poller) snapshot(
	ctx context.Context, user, id uuid.UUID,
) (progress.Snapshot, error) {
	snap, ok, err := p.progress.Get(ctx, id)
	if err != nil {
		p.logger.WarnContext(ctx, "poll answered by PostgreSQL", "error", err)
	}
	if ok {
		if snap.Owner != user {
			return progress.Snapshot{}, ErrAnalysisNotFound
		}
		if snap.Finished || p.now().Sub(snap.Checked) < trustedFor {
			return snap, nil
		}
	}
	a, err := p.store.Analysis(ctx, user, id)
	if ok && outage.Is(err) {
		return snap, nil
	}
	if err != nil {
		return progress.Snapshot{}, err
	}
	if a.Status == job.Expired {
		return progress.Snapshot{}, ErrAnalysisExpired
	}
	if ok && a.Version <= snap.Version {
		if err := p.progress.Touch(ctx, id, p.now()); err != nil {
			p.logger.WarnContext(ctx, "look not noted", "error", err)
		}
		return snap, nil
	}
	publish(ctx, p.progress, p.logger, &a)
	body, err := json.Marshal(a.Job())
	return progress.Snapshot{
		Owner: user, Version: a.Version, Finished: a.Status.Final(),
		CreatedAt: a.CreatedAt, Changed: a.UpdatedAt, Body: body,
	}, err
}

func (p *poller) answer(c *gin.Context, snap progress.Snapshot) error {
	etag := p.etag(snap)
	c.Header("ETag", etag)
	c.Header("Cache-Control", "private, no-cache")
	if !snap.Finished {
		p.pace(c, snap.CreatedAt)
	}
	if c.GetHeader("If-None-Match") == etag {
		c.Status(http.StatusNotModified)
		return nil
	}
	body := snap.Body
	if p.stalled(snap) {
		var err error
		if body, err = markStalled(body); err != nil {
			return err
		}
	}
	c.Data(http.StatusOK, "application/json; charset=utf-8", body)
	return nil
}

// hint tells the creator of a job when to ask for the first time.
func (p *poller) hint(c *gin.Context, a *Analysis) {
	if a.Status.Final() {
		return
	}
	c.Header("Retry-After", "1")
	p.pace(c, a.CreatedAt)
}

// pace spaces polls further for old jobs and when this replica is busy.
func (p *poller) pace(c *gin.Context, created time.Time) {
	now := p.now()
	interval := pollInterval
	if age := now.Sub(created); age > veryOldJob {
		interval *= 4
	} else if age > oldJob {
		interval *= 2
	}
	if p.rate.perSecond(now) > busyRate {
		interval *= 2
	}
	c.Header("Poll-After-Ms", strconv.FormatInt(interval.Milliseconds(), 10))
}

func (p *poller) stalled(snap progress.Snapshot) bool {
	return !snap.Finished && p.now().Sub(snap.Changed) > stalledAfter
}

func (p *poller) etag(snap progress.Snapshot) string {
	if p.stalled(snap) {
		return fmt.Sprintf(`"%d-stalled"`, snap.Version)
	}
	return fmt.Sprintf(`"%d"`, snap.Version)
}

// markStalled leaves a job alone that waits for its owner's upload: nobody is late with that.
func markStalled(body []byte) ([]byte, error) {
	var j job.Job
	if err := json.Unmarshal(body, &j); err != nil {
		return nil, fmt.Errorf("reading a snapshot: %w", err)
	}
	j.Stalled = j.Status != job.AwaitingUpload
	return json.Marshal(j)
}

var waitPreference = regexp.MustCompile(`(?:^|[,;\s])wait=(\d{1,4})(?:$|[,;\s])`)

// preferredWait reads RFC 7240's wait preference, cut to longestWait.
func preferredWait(header string) time.Duration {
	m := waitPreference.FindStringSubmatch(header)
	if m == nil {
		return 0
	}
	n, err := strconv.Atoi(m[1])
	if errors.Is(err, strconv.ErrRange) {
		return longestWait
	}
	return min(time.Duration(n)*time.Second, longestWait)
}

// rate counts events per second without a lock: the last full second is what it tells.
type rate struct{ second, current, last atomic.Int64 }

func (r *rate) count(now time.Time) {
	s := now.Unix()
	if known := r.second.Load(); known != s && r.second.CompareAndSwap(known, s) {
		n := r.current.Swap(0)
		if s-known > 1 {
			n = 0
		}
		r.last.Store(n)
	}
	r.current.Add(1)
}

func (r *rate) perSecond(now time.Time) int64 {
	if now.Unix()-r.second.Load() > 1 {
		return 0
	}
	return r.last.Load()
}
