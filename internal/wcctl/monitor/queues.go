package monitor

import (
	"context"
	"slices"
	"strings"

	"github.com/gofrs/uuid/v5"

	"github.com/wastecoach/wastecoach/internal/queue"
)

// queueNames are those that the services have.
func queueNames() []string { return []string{queue.Waste, queue.Recycling} }

func (s *System) readQueues(ctx context.Context, at *reached) ([]Queue, error) {
	if at.lack != nil {
		return nil, at.lack
	}
	stats, err := queue.Stats(ctx, at.redis, queueNames()...)
	if err != nil {
		return nil, redisTrouble(at, err)
	}
	list := make([]Queue, len(stats))
	for i, st := range stats {
		list[i] = Queue{
			Name: st.Queue, Paused: st.Paused, Pending: st.Pending, Active: st.Active,
			Scheduled: st.Scheduled, Retry: st.Retry, Archived: st.Archived, Completed: st.Completed,
			Processed: st.Processed, Failed: st.Failed, Orphans: int64(len(st.Orphans)),
		}
		if !st.OldestPending.IsZero() {
			list[i].Oldest = max(0, s.now().Sub(st.OldestPending))
		}
	}
	return list, nil
}

// timed adds the durations that the workers' last samples tell.
func (s *System) timed(queues []Queue) []Queue {
	queues = slices.Clone(queues) // the part keeps its own
	for i := range queues {
		queues[i].Wait, queues[i].Run = s.scrapes.wait(queues[i].Name), s.scrapes.run(queues[i].Name)
	}
	return queues
}

func redisTrouble(at *reached, err error) error {
	return &trouble{message: "Redis at " + at.redis.Options().Addr + " does not answer", cause: err}
}

// readWorkers asks as asynq's own inspector does: two questions and one for each worker. A worker tells
// every 5 seconds what it runs.
func (s *System) readWorkers(ctx context.Context, at *reached) ([]Worker, error) {
	if at.lack != nil {
		return nil, at.lack
	}
	servers, err := at.looks.Servers()
	if err != nil {
		return nil, redisTrouble(at, err)
	}
	list := make([]Worker, 0, len(servers))
	var tasks []queue.Ref
	for _, sv := range servers {
		w := Worker{
			ID: sv.ID, Host: sv.Host, PID: sv.PID, Concurrency: sv.Concurrency,
			StartedAt: sv.Started, Status: sv.Status, Running: []Running{},
		}
		for name := range sv.Queues {
			w.Queues = append(w.Queues, name)
		}
		slices.Sort(w.Queues)
		for _, a := range sv.ActiveWorkers {
			w.Running = append(w.Running, Running{
				Task: a.TaskType, Job: jobOf(a.TaskID), Since: a.Started, Deadline: a.Deadline,
			})
			tasks = append(tasks, queue.Ref{Queue: a.Queue, ID: a.TaskID})
		}
		list = append(list, w)
	}
	leases, err := queue.Leases(ctx, at.redis, tasks)
	if err != nil {
		return nil, redisTrouble(at, err)
	}
	n := 0
	for i := range list {
		for j := range list[i].Running {
			list[i].Running[j].Lease = leases[n]
			n++
		}
		slices.SortFunc(list[i].Running, func(a, b Running) int { return a.Since.Compare(b.Since) })
	}
	slices.SortFunc(list, func(a, b Worker) int {
		if c := strings.Compare(strings.Join(a.Queues, ","), strings.Join(b.Queues, ",")); c != 0 {
			return -c // waste before recycling
		}
		if c := a.StartedAt.Compare(b.StartedAt); c != 0 {
			return c
		}
		return strings.Compare(a.ID, b.ID)
	})
	s.comings.note(list, s.now())
	return list, nil
}

// jobOf reads the job's id at the beginning of a task's.
func jobOf(task string) uuid.NullUUID {
	text, _, _ := strings.Cut(task, ":")
	id, err := uuid.FromString(text)
	return uuid.NullUUID{UUID: id, Valid: err == nil}
}
