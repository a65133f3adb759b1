package monitor

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gofrs/uuid/v5"
	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"github.com/wastecoach/wastecoach/internal/job"
)

// The queue that the owner's table speaks of, and the workers of the owner's counts.
const (
	benchPending   = 100_000
	benchCompleted = 1_000_000
	benchWorkers   = 5
)

// BenchmarkRefresh measures what one refresh costs Redis at 100,000 pending and 1,000,000 completed tasks:
// of a whole picture, all parts read, and of asynq's dash, by the calls of asynq's Inspector that its source
// makes (tools/asynq/cmd/dash/fetch.go): the view of all queues asks Queues and GetQueueInfo of each; the view
// of one queue GetQueueInfo and one page of tasks. $ASYNQ_PROGRAM names asynq's own command line tool, which is
// no module that can be pinned: then its dash itself is measured, too.
//
// redis-us is the sum of the times that Redis notes in its SLOWLOG for the commands of one refresh; it has
// scripts and transactions once. thread-us is the processor time of Redis's main thread, with its parsing
// and network.
func BenchmarkRefresh(b *testing.B) {
	s := setup(b)
	s.captureWorkers()
	client := redis.NewClient(s.redis.Options(1))
	b.Cleanup(func() { _ = client.Close() })
	fill(b, client)
	for range 50 {
		s.addRow(job.Canceled)
	}
	system := s.open()
	inspector := asynq.NewInspectorFromRedisClient(client)
	refresh := func() error {
		for _, p := range []interface{ expire() }{system.workers, system.services, system.events} {
			p.expire()
		}
		p, err := system.Picture(b.Context(), JobQuery{Limit: 50})
		for _, done := range []<-chan struct{}{
			system.workers.start(), system.services.start(), system.events.start(),
		} {
			<-done
		}
		if err == nil && (len(p.Faults) > 0 || p.Queues[0].Pending != benchPending ||
			p.Queues[0].Completed != benchCompleted || len(p.Jobs.Items) != 50) {
			return fmt.Errorf("%+v, faults %+v", p.Queues, p.Faults)
		}
		return err
	}
	overview := func() error {
		queues, err := inspector.Queues()
		for _, q := range queues {
			if err == nil {
				_, err = inspector.GetQueueInfo(q)
			}
		}
		return err
	}
	tasks := func() error {
		if _, err := inspector.GetQueueInfo("waste"); err != nil {
			return err
		}
		_, err := inspector.ListPendingTasks("waste", asynq.PageSize(20), asynq.Page(1))
		return err
	}
	cost := map[string]float64{}
	for _, run := range []struct {
		name string
		once func() error
	}{{"top", refresh}, {"dash-queues", overview}, {"dash-tasks", tasks}} {
		b.Run(run.name, func(b *testing.B) {
			cost[run.name] = measure(b, client, run.once)
		})
	}
	if program := os.Getenv("ASYNQ_PROGRAM"); program != "" {
		perRefresh := s.dashProgram(b, client, program)
		b.Logf("Redis time of one refresh of the program asynq dash: %.0f us: top/dash %.2f",
			perRefresh, cost["top"]/perRefresh)
	}
	if cost["top"] > 0 {
		b.Logf("Redis time of one refresh: top %.0f us, "+
			"asynq dash %.0f us (queues), %.0f us (tasks): top/dash %.2f and %.2f",
			cost["top"], cost["dash-queues"], cost["dash-tasks"],
			cost["top"]/cost["dash-queues"], cost["top"]/cost["dash-tasks"])
	}
}

// measure returns the mean of redis-us.
func measure(b *testing.B, client *redis.Client, once func() error) float64 {
	ctx := b.Context()
	set(b, client, "slowlog-log-slower-than", "-1")
	if err := once(); err != nil { // connections and scripts are there from now on
		b.Fatal(err)
	}
	before := threadTime(b, client)
	b.ResetTimer()
	for b.Loop() {
		if err := once(); err != nil {
			b.Fatal(err)
		}
	}
	b.StopTimer()
	thread := (threadTime(b, client) - before) / float64(b.N)
	set(b, client, "slowlog-max-len", "10000")
	const times = 20
	var sum, worst float64
	for range times {
		if err := client.Do(ctx, "SLOWLOG", "RESET").Err(); err != nil {
			b.Fatal(err)
		}
		set(b, client, "slowlog-log-slower-than", "0")
		if err := once(); err != nil {
			b.Fatal(err)
		}
		set(b, client, "slowlog-log-slower-than", "-1")
		spent, _ := slowLog(b, client)
		sum, worst = sum+spent, max(worst, spent)
	}
	b.ReportMetric(sum/times, "redis-us/refresh")
	b.ReportMetric(worst, "worst-redis-us")
	b.ReportMetric(thread, "thread-us/refresh")
	return sum / times
}

// slowLog returns the microseconds of all noted commands, and how often each was noted.
func slowLog(b *testing.B, client *redis.Client) (float64, map[string]int) {
	b.Helper()
	entries, err := client.SlowLogGet(b.Context(), -1).Result()
	if err != nil {
		b.Fatal(err)
	}
	var spent float64
	count := map[string]int{}
	for _, e := range entries {
		name := strings.ToLower(e.Args[0])
		if name == "config" || name == "slowlog" {
			continue
		}
		spent += float64(e.Duration.Microseconds())
		count[name]++
	}
	return spent, count
}

// dashProgram runs asynq's dash in a terminal of its own, and returns the microseconds of Redis time of one of its
// refreshes. Each asks once for each of the two queues whether it exists.
func (s *stack) dashProgram(b *testing.B, client *redis.Client, program string) float64 {
	b.Helper()
	o := s.redis.Options(1)
	dash := fmt.Sprintf("stty cols 160 rows 50; exec %s dash --refresh 1s --uri %s --password '%s' --db 1",
		program, o.Addr, o.Password)
	cmd := exec.CommandContext(b.Context(), "script", "--quiet", "--flush", "--command", dash, "/dev/null")
	cmd.Env = append(os.Environ(), "TERM=xterm-256color")
	stdin, err := cmd.StdinPipe() // it ends with its standard input
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	defer func() {
		_ = stdin.Close()
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}()
	set(b, client, "slowlog-log-slower-than", "0")
	defer set(b, client, "slowlog-log-slower-than", "-1")
	if err := client.Do(b.Context(), "SLOWLOG", "RESET").Err(); err != nil {
		b.Fatal(err)
	}
	const queues, refreshes = 2, 10
	var spent float64
	var asked int
	until(b, "dash to refresh", func() bool {
		var count map[string]int
		spent, count = slowLog(b, client)
		asked = count["sismember"]
		return asked >= queues*refreshes
	})
	return queues * spent / float64(asked)
}

func set(b *testing.B, client *redis.Client, key, value string) {
	b.Helper()
	if err := client.ConfigSet(b.Context(), key, value).Err(); err != nil {
		b.Fatal(err)
	}
}

// threadTime is in microseconds.
func threadTime(b *testing.B, client *redis.Client) float64 {
	b.Helper()
	text, err := client.Info(b.Context(), "cpu").Result()
	if err != nil {
		b.Fatal(err)
	}
	var sum float64
	for line := range strings.Lines(text) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		if name == "used_cpu_sys_main_thread" || name == "used_cpu_user_main_thread" {
			seconds, err := strconv.ParseFloat(value, 64)
			if err != nil {
				b.Fatal(err)
			}
			sum += seconds
		}
	}
	return sum * 1e6
}

// fill writes tasks as asynq's scripts do, each with a real message.
func fill(b *testing.B, client *redis.Client) {
	b.Helper()
	ctx := b.Context()
	ids := make([]string, 0, benchPending+benchCompleted)
	for range cap(ids) {
		ids = append(ids, uuid.Must(uuid.NewV7()).String()+":0")
	}
	message := client.HGet(ctx, "asynq:{waste}:t:sample", "msg").Val()
	if message == "" {
		b.Fatal("there is no message to copy")
	}
	now := time.Now()
	for part := range slices.Chunk(ids, 10_000) {
		_, err := client.Pipelined(ctx, func(p redis.Pipeliner) error {
			for _, id := range part {
				key := "asynq:{waste}:t:" + id
				if len(ids) > benchCompleted {
					p.LPush(ctx, "asynq:{waste}:pending", id)
					p.HSet(ctx, key, "msg", message, "state", "pending", "pending_since", now.UnixNano())
				} else {
					p.ZAdd(ctx, "asynq:{waste}:completed", redis.Z{
						Score: float64(now.Add(time.Hour).Unix()), Member: id,
					})
					p.HSet(ctx, key, "msg", message, "state", "completed")
				}
			}
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
		ids = ids[len(part):]
	}
}

// captureWorkers leaves in Redis what busy workers tell of themselves, without workers that would
// disturb the measurement; and the message of a task.
func (s *stack) captureWorkers() {
	s.t.Helper()
	ctx := s.t.Context()
	client := redis.NewClient(s.redis.Options(1))
	defer client.Close()
	var stops []func()
	for range benchWorkers {
		stops = append(stops, s.work(func(ctx context.Context, _ []byte) error {
			<-ctx.Done()
			return nil
		}))
	}
	for range benchWorkers * 3 {
		s.enqueue(uuid.Must(uuid.NewV7()).String() + ":0")
	}
	type state struct {
		server  string
		workers map[string]string
	}
	told := map[string]state{}
	until(s.t, "the workers to tell of their tasks", func() bool {
		for _, key := range client.ZRange(ctx, "asynq:servers", 0, -1).Val() {
			name := strings.TrimPrefix(key, "asynq:servers:")
			workers := client.HGetAll(ctx, "asynq:workers:"+name).Val()
			if len(workers) == 3 {
				told[name] = state{client.Get(ctx, key).Val(), workers}
			}
		}
		return len(told) == benchWorkers
	})
	for _, stop := range stops {
		stop()
	}
	if err := client.FlushDB(ctx).Err(); err != nil {
		s.t.Fatal(err)
	}
	s.enqueue("sample")
	client.LRem(ctx, "asynq:{waste}:pending", 0, "sample")
	message := client.HGet(ctx, "asynq:{waste}:t:sample", "msg").Val()
	far := float64(time.Now().Add(time.Hour).Unix())
	for name, st := range told {
		client.Set(ctx, "asynq:servers:"+name, st.server, 0)
		client.HSet(ctx, "asynq:workers:"+name, st.workers)
		client.ZAdd(ctx, "asynq:servers", redis.Z{Score: far, Member: "asynq:servers:" + name})
		client.ZAdd(ctx, "asynq:workers", redis.Z{Score: far, Member: "asynq:workers:" + name})
		for id := range st.workers {
			client.LPush(ctx, "asynq:{waste}:active", id)
			client.HSet(ctx, "asynq:{waste}:t:"+id, "msg", message, "state", "active")
			client.ZAdd(ctx, "asynq:{waste}:lease", redis.Z{Score: far, Member: id})
		}
	}
	client.SAdd(ctx, "asynq:queues", "waste", "recycling")
	delete(s.state.MetricsURLs, "waste-worker-1")
	s.tell()
}
