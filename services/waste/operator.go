package waste

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/gofrs/uuid/v5"
	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"github.com/wastecoach/wastecoach/internal/audit"
	"github.com/wastecoach/wastecoach/internal/job"
	"github.com/wastecoach/wastecoach/internal/objectstore"
	"github.com/wastecoach/wastecoach/internal/operator"
	"github.com/wastecoach/wastecoach/internal/pipeline"
	"github.com/wastecoach/wastecoach/internal/progress"
	"github.com/wastecoach/wastecoach/internal/queue"
)

const (
	// settled is how long a job's task may be on its way: its row is written before it.
	settled = 2 * time.Second
	// etaKept is how long the durations of late are believed.
	etaKept = 10 * time.Second
)

// overseer shows all jobs to operators and does what they wish; it implements operator.Jobs.
type overseer struct {
	store     *Store
	jobs      *redis.Client
	looks     *asynq.Inspector
	objects   *objectstore.Store
	progress  *progress.Store
	outbox    *outbox
	cfg       JobsConfig
	metrics   *metrics
	logger    *slog.Logger
	audit     *audit.Log
	durations durations
}

// durations is how long stages took of late, asked for now and then.
type durations struct {
	mu    sync.Mutex
	known map[job.Stage]time.Duration
	asked time.Time
}

// Page implements operator.Jobs. PostgreSQL tells the jobs; that Redis is away only leaves out who is an
// orphan.
func (o *overseer) Page(ctx context.Context, q operator.Query) (operator.Page, error) {
	page := operator.Page{Items: []operator.Job{}}
	var orphans []string
	if q.Stalled {
		orphans = o.orphans(ctx)
	}
	list, err := o.store.operatorPage(ctx, q, orphans)
	if err != nil {
		return page, err
	}
	if page.Counts, page.Last24h, err = o.store.counts(ctx); err != nil {
		return page, err
	}
	page.Items, page.Next = o.show(ctx, list.views), list.next
	return page, nil
}

// orphans are the jobs of the tasks that are active in nobody's hands.
func (o *overseer) orphans(ctx context.Context) []string {
	stats, err := queue.Stats(ctx, o.jobs, queue.Waste, queue.Recycling)
	if err != nil {
		o.logger.WarnContext(ctx, "orphans not looked for", "error", err)
	}
	ids := []string{}
	for _, s := range stats {
		for _, task := range s.Orphans {
			id, _, _ := strings.Cut(task, ":")
			if known, err := uuid.FromString(id); err == nil {
				ids = append(ids, known.String())
			}
		}
	}
	return ids
}

func (o *overseer) show(ctx context.Context, views []view) []operator.Job {
	jobs := make([]operator.Job, len(views))
	remaining := o.durationsOfLate(ctx)
	for i := range views {
		jobs[i] = views[i].job(remaining)
	}
	o.markOrphans(ctx, views, jobs)
	o.showAdvising(ctx, views, jobs)
	return jobs
}

// showAdvising adds what only Redis tells: how far the recycling worker is.
func (o *overseer) showAdvising(ctx context.Context, views []view, jobs []operator.Job) {
	var ids []uuid.UUID
	for i := range views {
		if views[i].NextTask == pipeline.Advise && views[i].Status == job.Processing {
			ids = append(ids, views[i].ID)
		}
	}
	snaps, err := o.progress.GetAll(ctx, ids)
	if err != nil {
		o.logger.WarnContext(ctx, "progress of the advice not known", "error", err)
		return
	}
	for i := range views {
		snap, known := snaps[views[i].ID]
		if !known || snap.Version <= views[i].Version {
			continue
		}
		var shown struct {
			Progress int       `json:"progress"`
			Stage    job.Stage `json:"stage"`
		}
		if err := json.Unmarshal(snap.Body, &shown); err == nil {
			jobs[i].Progress, jobs[i].Stage, jobs[i].UpdatedAt = shown.Progress, shown.Stage, snap.Changed
		}
	}
}

func (o *overseer) durationsOfLate(ctx context.Context) map[job.Stage]time.Duration {
	o.durations.mu.Lock()
	defer o.durations.mu.Unlock()
	if time.Since(o.durations.asked) < etaKept {
		return o.durations.known
	}
	known, err := o.store.remaining(ctx)
	if err != nil {
		o.logger.WarnContext(ctx, "durations of late not known", "error", err)
		return o.durations.known
	}
	o.durations.known, o.durations.asked = known, time.Now()
	return known
}

// job renders the row.
func (v *view) job(remaining map[job.Stage]time.Duration) operator.Job {
	j := operator.Job{
		ID: v.ID, User: v.UserID, Queue: queueOf(v.NextTask), Task: v.NextTask,
		Status: v.Status, Stage: v.Stage, Progress: v.Progress,
		Attempt: v.Restarts + 1, Tries: v.Tries, Stalled: v.Stalled, Archived: v.Archived,
		Class: v.Class, Item: v.Item, Cached: v.Cached, Worker: v.Worker,
		CreatedAt: v.CreatedAt, StartedAt: v.StartedAt, UpdatedAt: v.UpdatedAt, FinishedAt: v.FinishedAt,
	}
	if v.Worker != "" {
		j.Lease = v.CheckAt
	}
	if v.Error != nil {
		j.Error = &operator.JobError{Code: v.Error.Code, Title: v.Error.Title, Detail: v.Error.Detail}
	}
	stage := v.Stage
	if v.Status == job.Queued {
		stage = job.StageQueue
	}
	if took, known := remaining[stage]; known && v.waitsForUs() && v.StepAt != nil {
		if eta := v.StepAt.Add(took); eta.After(v.Now) { // else it takes longer than others did
			j.ETA = &eta
		}
	}
	return j
}

// waitsForUs tells whether a worker has the job, or shall get it.
func (v *view) waitsForUs() bool {
	return (v.Status == job.Queued || v.Status == job.Processing) && !v.Archived
}

// tasks are the two tasks that may continue a job: its own, and, where the recycling worker has it, the
// one that this worker sends.
func (v *view) tasks() []queue.Ref {
	dispatch := v.Dispatch
	if v.Archived {
		dispatch-- // its task lies in the archive under its last id
	}
	own := queue.Ref{Queue: queueOf(v.NextTask), ID: fmt.Sprintf("%s:%d", v.ID, dispatch)}
	if v.NextTask != pipeline.Advise {
		return []queue.Ref{own}
	}
	return []queue.Ref{own, {Queue: queue.Waste, ID: fmt.Sprintf("%s:complete:%d", v.ID, dispatch)}}
}

// mayBeOrphan leaves out the jobs in a worker's hands and those that moved this moment.
func (v *view) mayBeOrphan() bool {
	return v.waitsForUs() && (v.Worker == "" || v.Stalled) && v.Now.Sub(v.UpdatedAt) > settled
}

func (o *overseer) markOrphans(ctx context.Context, views []view, jobs []operator.Job) {
	var refs []queue.Ref
	var owners []int
	for i := range views {
		if !views[i].mayBeOrphan() {
			continue
		}
		for _, ref := range views[i].tasks() {
			refs, owners = append(refs, ref), append(owners, i)
		}
		jobs[i].Orphan = true
	}
	states, err := queue.States(ctx, o.jobs, refs)
	if err != nil {
		o.logger.WarnContext(ctx, "orphans not looked for", "error", err)
	}
	for n, owner := range owners {
		if err != nil || states[n].Runs() {
			jobs[owner].Orphan = false
		}
	}
}

// Detail implements operator.Jobs.
func (o *overseer) Detail(ctx context.Context, id uuid.UUID) (operator.JobDetail, error) {
	v, d, err := o.store.operatorJob(ctx, id)
	if err != nil {
		return operator.JobDetail{}, err
	}
	a, err := o.store.anyones(ctx, id)
	if err != nil {
		return operator.JobDetail{}, err
	}
	detail := operator.JobDetail{
		Job: o.show(ctx, []view{v})[0], RequestID: a.RequestID, Steps: d.Steps, Photo: &d.Photo,
		Result: a.Result,
	}
	if d.TryError != nil {
		detail.LastError = d.TryError.Title
		if d.TryError.Detail != "" {
			detail.LastError = d.TryError.Detail
		}
	}
	if a.NextTask != pipeline.Advise || a.Verdict != nil {
		if detail.Payload, err = json.Marshal(a.task(o.cfg).Payload); err != nil {
			return operator.JobDetail{}, fmt.Errorf("encoding the payload of job %s: %w", id, err)
		}
	}
	states, err := queue.States(ctx, o.jobs, v.tasks())
	if err != nil {
		o.logger.WarnContext(ctx, "task not looked at", "error", err)
	}
	for _, s := range states {
		if s != queue.Gone && detail.TaskState == "" {
			detail.TaskState = string(s)
		}
	}
	return detail, nil
}

// Events implements operator.Jobs.
func (o *overseer) Events(ctx context.Context, limit int) ([]operator.Event, error) {
	return o.store.operatorEvents(ctx, limit)
}
