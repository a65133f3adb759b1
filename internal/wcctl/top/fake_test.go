package top

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	tea "charm.land/bubbletea/v2"
	"github.com/gofrs/uuid/v5"

	"github.com/wastecoach/wastecoach/internal/job"
	"github.com/wastecoach/wastecoach/internal/wcctl/monitor"
)

// noon is when all tests are.
var noon = time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)

var errLost = errors.New("no answer from Redis at 127.0.0.1:6379: connection refused")

// fake is a Source that does as it is told.
type fake struct {
	mu      sync.Mutex
	picture monitor.Picture
	details map[uuid.UUID]monitor.JobDetail
	err     error
	jobErr  error
	actErr  error
	// block holds Picture until it is closed.
	block   chan struct{}
	outcome func(id uuid.UUID) monitor.Outcome
	queries []monitor.JobQuery
	actions []monitor.Action
}

func (f *fake) Picture(ctx context.Context, q monitor.JobQuery) (monitor.Picture, error) {
	f.mu.Lock()
	f.queries = append(f.queries, q)
	picture, err, block := f.picture, f.err, f.block
	f.mu.Unlock()
	if block != nil {
		select {
		case <-block:
		case <-ctx.Done():
			return monitor.Picture{}, ctx.Err()
		}
	}
	if err != nil {
		return monitor.Picture{}, err
	}
	if picture.Jobs.Items = choose(picture.Jobs.Items, q); len(q.Status) > 0 || q.Stalled || q.Text != "" {
		picture.Jobs.Next = ""
	}
	return picture, nil
}

// choose does what the real source does in SQL.
func choose(all []monitor.Job, q monitor.JobQuery) []monitor.Job {
	var list []monitor.Job
	for _, j := range all {
		title := ""
		if j.Error != nil {
			title = j.Error.Title
		}
		fits := len(q.Status) == 0
		for _, s := range q.Status {
			fits = fits || j.Status == s
		}
		if q.Stalled {
			fits = fits && (j.Stalled || j.Orphan)
		}
		if fits && matches(q.Text, j.ID.String(), j.User.String(), j.Class, j.Item, title) {
			list = append(list, j)
		}
	}
	return list
}

func (f *fake) Job(_ context.Context, id uuid.UUID) (monitor.JobDetail, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.jobErr != nil {
		return monitor.JobDetail{}, f.jobErr
	}
	d, ok := f.details[id]
	if !ok {
		return monitor.JobDetail{}, fmt.Errorf("there is no job %s", id)
	}
	return d, nil
}

func (f *fake) Act(_ context.Context, a monitor.Action) ([]monitor.Outcome, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.actions = append(f.actions, a)
	if f.actErr != nil {
		return nil, f.actErr
	}
	var list []monitor.Outcome
	for _, id := range a.Jobs {
		o := monitor.Outcome{Subject: id.String(), Changed: true}
		if f.outcome != nil {
			o = f.outcome(id)
		}
		list = append(list, o)
	}
	if a.Queue != "" {
		list = append(list, monitor.Outcome{Subject: a.Queue, Changed: true})
	}
	return list, nil
}

func (f *fake) set(change func(f *fake)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change(f)
}

// stage is a model in front of a fake, with a clock that stands still.
type stage struct {
	t      *testing.T
	source *fake
	now    time.Time
	*model
}

func setup(t *testing.T, picture monitor.Picture) *stage {
	t.Helper()
	s := &stage{t: t, source: &fake{picture: picture, details: details(picture)}, now: noon}
	s.model = newModel(t.Context(), s.source, false, func() time.Time { return s.now })
	s.resize(80, 24)
	return s
}

// look fetches once.
func (s *stage) look() *stage {
	s.Update(s.fetch()())
	return s
}

func (s *stage) resize(width, height int) { s.Update(tea.WindowSizeMsg{Width: width, Height: height}) }

// press sends keys, and runs the commands that they bring.
func (s *stage) press(keys ...string) {
	s.t.Helper()
	for _, k := range keys {
		_, cmd := s.Update(keyPress(k))
		if s.typing != nil && k == "/" {
			continue // the command would blink the cursor
		}
		s.run(cmd)
	}
}

func (s *stage) run(cmd tea.Cmd) {
	if cmd == nil {
		return
	}
	switch msg := cmd().(type) {
	case tea.BatchMsg:
		for _, c := range msg {
			s.run(c)
		}
	case fetched, acted:
		_, cmd := s.Update(msg)
		s.run(cmd)
	}
}

var codes = map[string]rune{
	"enter": tea.KeyEnter, "esc": tea.KeyEscape, "up": tea.KeyUp, "down": tea.KeyDown,
	"pgup": tea.KeyPgUp, "pgdown": tea.KeyPgDown, "home": tea.KeyHome, "end": tea.KeyEnd,
	"tab": tea.KeyTab, "backspace": tea.KeyBackspace,
}

func keyPress(name string) tea.KeyPressMsg {
	if code, ok := codes[name]; ok {
		return tea.KeyPressMsg{Code: code}
	}
	if name == "space" {
		return tea.KeyPressMsg{Code: tea.KeySpace, Text: " "}
	}
	if name == "ctrl+c" {
		return tea.KeyPressMsg{Code: 'c', Mod: tea.ModCtrl}
	}
	code, _ := utf8.DecodeRuneInString(name)
	return tea.KeyPressMsg{Code: code, Text: name}
}

func jobID(n int) uuid.UUID {
	return uuid.Must(uuid.FromString(fmt.Sprintf("019abf2e-%04x-7c3d-9a4b-5d6e7f8a9b0c", 0x9000-n*37)))
}

var (
	someUser  = uuid.Must(uuid.FromString("0198c0de-11aa-7bbb-8ccc-0123456789ab"))
	otherUser = uuid.Must(uuid.FromString("0199feed-22bb-7ccc-8ddd-ba9876543210"))
)

func ago(d time.Duration) *time.Time {
	t := noon.Add(-d)
	return &t
}

func ptr[T any](v T) *T { return &v }

// running is the nth job, in work.
func running(n int, stage job.Stage, progress int, age time.Duration) monitor.Job {
	return monitor.Job{
		ID: jobID(n), User: someUser, Queue: "waste", Task: "waste:analyze", Status: job.Processing,
		Stage: stage, Progress: progress, Attempt: 1, Worker: fmt.Sprintf("waste-worker-%d", n%5+1),
		Lease: ptr(noon.Add(25 * time.Second)), CreatedAt: noon.Add(-age), StartedAt: ago(age - 60*time.Millisecond),
		UpdatedAt: noon, ETA: ptr(noon.Add(2100 * time.Millisecond)),
	}
}

func finished(n int, class, item string, age time.Duration) monitor.Job {
	j := running(n, job.StageDone, 100, age)
	j.Status, j.Class, j.Item, j.ETA, j.Lease = job.Succeeded, class, item, nil, nil
	j.FinishedAt = ago(age - 2300*time.Millisecond)
	return j
}

func failed(n int, code, title, detail string, age time.Duration) monitor.Job {
	j := running(n, job.StageVision, 40, age)
	j.Status, j.ETA, j.Lease, j.Attempt, j.Tries = job.Failed, nil, nil, 3, 2
	j.FinishedAt = ago(age - 9*time.Second)
	j.Error = &monitor.JobError{Code: code, Title: title, Detail: detail}
	return j
}

func queued(n int, age time.Duration) monitor.Job {
	j := running(n, job.StageQueue, 0, age)
	j.Status, j.StartedAt, j.Worker, j.Lease, j.ETA, j.Attempt = job.Queued, nil, "", nil, nil, 0
	return j
}

// busy is a system under load, in which all is well.
func busy() monitor.Picture {
	p := monitor.Picture{At: noon, Source: "wcctl dev at http://127.0.0.1:8080"}
	p.Jobs.Items = []monitor.Job{
		queued(0, 200*time.Millisecond), queued(1, 400*time.Millisecond),
		running(2, job.StageFetch, 10, 700*time.Millisecond),
		running(3, job.StageVision, 40, 1400*time.Millisecond),
		running(4, job.StageVision, 60, 1900*time.Millisecond),
		running(5, job.StageAdvice, 70, 2500*time.Millisecond),
		running(6, job.StageLocation, 90, 3*time.Second),
	}
	p.Jobs.Items[4].User = otherUser
	kinds := []struct{ class, item string }{
		{"plastic", "투명 페트병 (생수)"},
		{"glass", "유리병"},
		{"paper", "Pizza box with grease on it"},
		{"metal", "캔"},
		{"food", "음식물쓰레기"},
		{"vinyl", "과자 봉지"},
		{"general", "Broken ceramic bowl"},
	}
	for n := 7; n < 60; n++ {
		k := kinds[n%len(kinds)]
		j := finished(n, k.class, k.item, time.Duration(n*n)*900*time.Millisecond)
		j.Cached = n%3 == 0
		p.Jobs.Items = append(p.Jobs.Items, j)
	}
	p.Jobs.Next = "older"
	p.Jobs.Counts = map[job.Status]int64{
		job.Queued: 2, job.Processing: 5, job.Succeeded: 1_234_567, job.Canceled: 12,
	}
	p.Jobs.Last24h = monitor.Outcome24h{Succeeded: 12_345, Canceled: 3, Cached: 9_012}
	p.Queues = []monitor.Queue{
		{
			Name: "waste", Pending: 2, Active: 5, Completed: 45_678, Processed: 1_234_570,
			Oldest: 400 * time.Millisecond,
			Wait:   monitor.Latency{P50: 24 * time.Millisecond, P95: 61 * time.Millisecond},
			Run:    monitor.Latency{P50: 1900 * time.Millisecond, P95: 2400 * time.Millisecond},
		},
		{
			Name: "recycling", Pending: 0, Active: 1, Scheduled: 2, Completed: 12_040, Processed: 400_200,
			Wait: monitor.Latency{P50: 11 * time.Millisecond, P95: 30 * time.Millisecond},
			Run:  monitor.Latency{P50: 320 * time.Millisecond, P95: 800 * time.Millisecond},
		},
	}
	for n := range 5 {
		p.Workers = append(p.Workers, worker(fmt.Sprintf("waste-%d", n+1), "waste", 4100+n, p.Jobs.Items[n+2]))
	}
	p.Workers = append(p.Workers, worker("recycling-1", "recycling", 4200), worker("recycling-2", "recycling", 4201))
	for _, s := range []struct {
		name     string
		replicas int
		rate     float64
	}{
		{"auth", 2, 1.5},
		{"users", 1, 0.4},
		{"waste", 3, 42.7},
		{"recycling", 2, 3.1},
		{"locations", 1, 2.2},
		{"waste-worker", 5, 2.4},
		{"recycling-worker", 2, 0.6},
	} {
		p.Services = append(p.Services, monitor.Service{
			Name: s.name, Replicas: s.replicas, Ready: s.replicas, Versions: []string{"v0.9.2"},
			Rate: s.rate, P95: 38 * time.Millisecond,
		})
	}
	p.Cluster = &monitor.ClusterState{
		Name: "waste", Version: "v1.36.3",
		Nodes: []monitor.Node{
			node("waste-control-plane", "control-plane", 0.31, 0.52, 12),
			node("waste-worker-1", "worker", 0.62, 0.48, 17), node("waste-worker-2", "worker", 0.58, 0.44, 16),
		},
		Pods:               map[string]int{"Running": 43, "Succeeded": 2},
		CertificatesExpire: ptr(noon.Add(322 * 24 * time.Hour)), BackupAt: ago(3*time.Hour + 12*time.Minute),
		Rollouts: []monitor.Rollout{{Name: "waste/waste", Wanted: 3, Updated: 2, Ready: 2}},
	}
	p.Events = []monitor.Event{
		happened(4*time.Second, "job.retried", jobID(9).String(), "retried by an operator", "minji"),
		happened(70*time.Second, "worker.joined", "waste-5", "takes from waste, 2 at a time", ""),
		happened(20*time.Minute, "queue.resumed", "recycling", "workers take from it again", "minji"),
		happened(26*time.Hour, "backup.made", "etcd", "41 MiB in 3.2s", ""),
	}
	return p
}

func happened(age time.Duration, kind, subject, message, actor string) monitor.Event {
	return monitor.Event{At: noon.Add(-age), Kind: kind, Subject: subject, Message: message, Actor: actor}
}

func worker(id, queue string, pid int, jobs ...monitor.Job) monitor.Worker {
	w := monitor.Worker{
		ID: id, Host: "seoul-1", PID: pid, Queues: []string{queue}, Concurrency: 2, Status: "active",
		StartedAt: noon.Add(-26 * time.Hour),
	}
	for _, j := range jobs {
		w.Running = append(w.Running, monitor.Running{
			Task: queue + ":analyze", Job: uuid.NullUUID{UUID: j.ID, Valid: true}, Since: *j.StartedAt,
			Deadline: noon.Add(4 * time.Minute), Lease: noon.Add(25 * time.Second),
		})
	}
	return w
}

func node(name, role string, cpu, memory float64, pods int) monitor.Node {
	return monitor.Node{Name: name, Roles: []string{role}, Ready: true, CPU: &cpu, Memory: &memory, Pods: pods}
}

// failing is a system in which everything goes wrong that can.
func failing() monitor.Picture {
	p := busy()
	stalled, orphan := running(3, job.StageVision, 40, 3*time.Minute), running(4, job.StageAdvice, 70, 11*time.Minute)
	stalled.Stalled, stalled.Lease, stalled.ETA = true, ago(70*time.Second), nil
	orphan.Orphan, orphan.Worker, orphan.Lease, orphan.ETA = true, "", nil, nil
	p.Jobs.Items = append([]monitor.Job{
		queued(0, 90*time.Second), queued(1, 95*time.Second), stalled, orphan,
		failed(5, "model_timeout", "The vision model did not answer in time", "no answer within 30s", 4*time.Minute),
		failed(6, "photo_unreadable", "The photo cannot be read", "the JPEG data ends at byte 48,211", 7*time.Minute),
		failed(7, "model_refused", "모델이 사진을 거절했습니다", "안전 정책", 9*time.Minute),
	}, p.Jobs.Items[10:40]...)
	p.Jobs.Counts = map[job.Status]int64{
		job.Queued: 2, job.Processing: 2, job.Succeeded: 1_234_567, job.Failed: 213, job.Expired: 4,
	}
	p.Jobs.Last24h = monitor.Outcome24h{Succeeded: 12_345, Failed: 213, Cached: 9_012}
	p.Queues[0].Paused, p.Queues[0].Pending, p.Queues[0].Oldest = true, 812, 95*time.Second
	p.Queues[0].Retry, p.Queues[0].Archived, p.Queues[0].Orphans = 14, 8_450, 1
	p.Queues[1].Archived = 3
	p.Workers[0].Running[0].Lease = noon.Add(-70 * time.Second)
	p.Workers[1].Status = "stopped"
	p.Services[2].Ready, p.Services[2].Why = 1, "ImagePullBackOff: manifest for waste:v0.9.3 not found"
	p.Services[2].Versions, p.Services[2].Errors = []string{"v0.9.2", "v0.9.3"}, 0.074
	c := p.Cluster
	c.Nodes[2].Ready, c.Nodes[2].CPU, c.Nodes[2].Memory = false, nil, nil
	c.Nodes[1].Pressure, *c.Nodes[1].Memory = []string{"MemoryPressure", "DiskPressure"}, 0.93
	c.Pods = map[string]int{"Running": 31, "Pending": 9, "Failed": 3}
	c.Waiting = []string{"waste/waste-7d9f-x2x: ImagePullBackOff", "recycling/recycling-55c-q9z: Insufficient memory"}
	c.CertificatesExpire, c.BackupAt = ptr(noon.Add(6*24*time.Hour)), ago(80*time.Hour)
	p.Events = append([]monitor.Event{
		happened(2*time.Second, "job.failed", jobID(5).String(), "The vision model did not answer in time", ""),
		happened(8*time.Second, "pod.warning", "waste/waste-7d9f-x2x", `Back-off pulling image "waste:v0.9.3"`, ""),
	}, p.Events...)
	p.Events[0].Bad, p.Events[1].Bad = true, true
	p.Faults = map[monitor.Part]monitor.Fault{
		monitor.Services: {
			Message: "the metrics of waste-2 cannot be read: connection refused",
			Hint:    "wcctl dev status", ReadAt: noon.Add(-12 * time.Second),
		},
	}
	return p
}

// empty is a system that has just been started.
func empty() monitor.Picture {
	return monitor.Picture{At: noon, Source: "wcctl dev at http://127.0.0.1:8080"}
}

// details are all jobs looked at closely.
func details(p monitor.Picture) map[uuid.UUID]monitor.JobDetail {
	all := map[uuid.UUID]monitor.JobDetail{}
	for _, j := range p.Jobs.Items {
		all[j.ID] = closely(j)
	}
	return all
}

func closely(j monitor.Job) monitor.JobDetail {
	d := monitor.JobDetail{
		Job: j, RequestID: "req-7f3a9c", TaskState: "active",
		Payload: json.RawMessage(`{"job_id":"` + j.ID.String() + `","attempt":1,"locale":"ko"}`),
		Photo: &monitor.Photo{
			SHA256: "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", Size: 2_411_724,
			ContentType: "image/jpeg", Width: 3024, Height: 4032,
		},
	}
	at := j.CreatedAt.Add(60 * time.Millisecond)
	step := func(attempt int, stage job.Stage, took time.Duration, fault *monitor.JobError) {
		end := at.Add(took)
		d.Steps = append(d.Steps, monitor.Step{
			Attempt: attempt, Stage: stage, Worker: "waste-worker-3", StartedAt: at, EndedAt: &end, Error: fault,
		})
		at = end
	}
	step(1, job.StageFetch, 120*time.Millisecond, nil)
	step(1, job.StageCache, 15*time.Millisecond, nil)
	step(1, job.StagePrepare, 180*time.Millisecond, nil)
	switch j.Status {
	case job.Failed:
		step(1, job.StageVision, 30*time.Second, j.Error)
		step(2, job.StageVision, 30*time.Second, j.Error)
		d.LastError = "vision: Post \"https://models.internal/v1/chat\": context deadline exceeded"
		d.TaskState = "archived"
	case job.Succeeded:
		step(1, job.StageVision, 1500*time.Millisecond, nil)
		step(1, job.StageAdvice, 320*time.Millisecond, nil)
		step(1, job.StageLocation, 40*time.Millisecond, nil)
		d.TaskState = "completed"
		d.Result = json.RawMessage(`{"class":"` + j.Class + `","item":{"ko":"` + j.Item + `"},"confidence":0.97,` +
			`"advice":{"steps":["내용물을 비우고 물로 헹군다","라벨을 떼어 낸다","찌그러뜨려 뚜껑을 닫아 배출한다"]},` +
			`"collection_points":[{"name":"종로구청 재활용 수거함","distance_m":212}]}`)
	case job.AwaitingUpload, job.Queued, job.Processing, job.Canceled, job.Expired:
		d.Steps = append(d.Steps, monitor.Step{
			Attempt: 1, Stage: j.Stage, Worker: "waste-worker-3", StartedAt: at,
		})
	}
	return d
}
