package monitor

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/gofrs/uuid/v5"
	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"github.com/wastecoach/wastecoach/internal/operator"
	"github.com/wastecoach/wastecoach/internal/wcctl/kube"
)

// How often the parts are read at most, and how long that may take. Jobs and queues are read for each
// picture: they are what moves.
const (
	workersEvery  = time.Second
	servicesEvery = 3 * time.Second
	clusterEvery  = 5 * time.Second
	eventsEvery   = 2 * time.Second

	jobsTimeout     = 3 * time.Second
	queuesTimeout   = 2 * time.Second
	workersTimeout  = 3 * time.Second
	servicesTimeout = 5 * time.Second
	clusterTimeout  = 15 * time.Second
	eventsTimeout   = 3 * time.Second
	// firstWait is how long the first picture waits for a part that was never read.
	firstWait = 5 * time.Second
)

// Options say where the system is, and who looks.
type Options struct {
	// Data is the folder of a wcctl dev.
	Data string
	// Kubeconfig leads to a cluster; Data is not looked at then.
	Kubeconfig string
	// Actor is who acts, for the audit log, e.g. alice@laptop.
	Actor string
	// Now is the clock; nil for the computer's.
	Now func() time.Time
}

// System is a running Waste Coach. Its methods may be called at the same time.
type System struct {
	site  site
	actor string
	now   func() time.Time
	// life ends with Close; parts are read in it, so that a caller who leaves breaks nothing off.
	life context.Context
	end  context.CancelFunc

	mu     sync.Mutex
	source string
	jobs   JobPage
	jobsAt time.Time

	queues   *part[[]Queue]
	workers  *part[[]Worker]
	services *part[[]Service]
	cluster  *part[*ClusterState]
	events   *part[[]Event]

	scrapes *scrapes
	comings comings
}

// site finds the system, again and again: it may have moved.
type site interface {
	// reach connects where that is needed. What it returns is good until the next call.
	reach(context.Context) (*reached, error)
	// replicas lists the processes of the services.
	replicas(context.Context) ([]replica, error)
	Close() error
}

// reached is a system with open connections.
type reached struct {
	// source names it; see Picture.
	source string
	// lack is why jobs and queues cannot be asked; the next three are nil then.
	lack error
	// waste are the service's replicas, or one that stands for all.
	waste []*operator.Client
	redis *redis.Client
	looks *asynq.Inspector
	web   *http.Client
	// cluster is nil where there is none.
	cluster *kube.Cluster
}

// close ends them; looks has none of its own.
func (r *reached) close() error { return r.redis.Close() }

// quiet keeps go-redis's own log lines out of the terminal; every error that matters is returned.
var quiet = sync.OnceFunc(func() { redis.SetLogger(silence{}) })

type silence struct{}

// Printf implements go-redis's logger.
func (silence) Printf(context.Context, string, ...any) {}

// Open finds the system. It is an error when none runs there.
func Open(ctx context.Context, opts Options) (*System, error) {
	quiet()
	var where site = &devSite{dir: opts.Data}
	if opts.Kubeconfig != "" {
		cluster, err := newClusterSite(opts.Kubeconfig)
		if err != nil {
			return nil, err
		}
		where = cluster
	}
	s := newSystem(where, opts)
	at, err := where.reach(ctx)
	if err != nil && opts.Kubeconfig == "" {
		return nil, errors.Join(err, s.Close())
	}
	if err == nil {
		s.source = at.source
	}
	return s, nil
}

func newSystem(where site, opts Options) *System {
	if opts.Now == nil {
		opts.Now = time.Now
	}
	life, end := context.WithCancel(context.Background())
	s := &System{
		site: where, actor: cmp.Or(opts.Actor, "unknown"), now: opts.Now, life: life, end: end,
		scrapes: newScrapes(),
	}
	s.queues = newPart(s, 0, queuesTimeout, s.readQueues)
	s.workers = newPart(s, workersEvery, workersTimeout, s.readWorkers)
	s.services = newPart(s, servicesEvery, servicesTimeout, s.readServices)
	s.cluster = newPart(s, clusterEvery, clusterTimeout, s.readCluster)
	s.events = newPart(s, eventsEvery, eventsTimeout, s.readEvents)
	return s
}

// Close ends all connections.
func (s *System) Close() error {
	s.end()
	return s.site.Close()
}

// Picture reads what is due and returns all parts, each as it was read last. It is an error when ctx
// ends, or when nothing at all could ever be read.
func (s *System) Picture(ctx context.Context, q JobQuery) (Picture, error) {
	queues, workers, services := s.queues.start(), s.workers.start(), s.services.start()
	cluster, events := s.cluster.start(), s.events.start()
	jobsErr := s.readJobs(ctx, q)
	if jobsErr != nil && ctx.Err() != nil {
		return Picture{}, ctx.Err()
	}
	wait(ctx, queues, queuesTimeout)
	for _, p := range []struct {
		done  <-chan struct{}
		never bool
	}{
		{workers, s.workers.never()},
		{services, s.services.never()},
		{cluster, s.cluster.never()},
		{events, s.events.never()},
	} {
		if p.never {
			wait(ctx, p.done, firstWait)
		}
	}
	if ctx.Err() != nil {
		return Picture{}, ctx.Err()
	}
	return s.compose(jobsErr)
}

func wait(ctx context.Context, done <-chan struct{}, limit time.Duration) {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C:
	case <-ctx.Done():
	}
}

func (s *System) compose(jobsErr error) (Picture, error) {
	p := Picture{At: s.now(), Faults: map[Part]Fault{}}
	s.mu.Lock()
	p.Source, p.Jobs = s.source, s.jobs
	if jobsErr != nil {
		p.Faults[Jobs] = faultOf(jobsErr, s.jobsAt)
	}
	s.mu.Unlock()
	p.Queues = s.timed(take(s.queues, Queues, p.Faults))
	p.Workers = take(s.workers, Workers, p.Faults)
	p.Services = take(s.services, Services, p.Faults)
	p.Cluster = take(s.cluster, Cluster, p.Faults)
	p.Events = take(s.events, Events, p.Faults)
	if jobsErr != nil && s.nothing() {
		return Picture{}, jobsErr
	}
	return p, nil
}

// nothing tells that nothing was ever heard of the system. A list of services that do not answer is not
// counted, nor that there is no cluster.
func (s *System) nothing() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.jobsAt.IsZero() && s.queues.never() && s.workers.never() && s.events.never() &&
		take(s.cluster, Cluster, map[Part]Fault{}) == nil
}

// reach is where every read begins.
func (s *System) reach(ctx context.Context) (*reached, error) {
	at, err := s.site.reach(ctx)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	s.source = at.source
	s.mu.Unlock()
	return at, nil
}

// Jobs returns the newest jobs that a query chooses.
func (s *System) Jobs(ctx context.Context, q JobQuery) (JobPage, error) {
	ctx, cancel := context.WithTimeout(ctx, jobsTimeout)
	defer cancel()
	return ask(ctx, s, func(c *operator.Client) (JobPage, error) { return c.Page(ctx, q) })
}

// Queues returns the queues alone, with the durations that the workers tell now.
func (s *System) Queues(ctx context.Context) ([]Queue, error) {
	wait(ctx, s.services.start(), firstWait)
	wait(ctx, s.queues.start(), queuesTimeout)
	faults := map[Part]Fault{}
	list := take(s.queues, Queues, faults)
	if fault, bad := faults[Queues]; bad {
		return nil, &trouble{message: fault.Message, hint: fault.Hint}
	}
	return s.timed(list), ctx.Err()
}

func (s *System) readJobs(ctx context.Context, q JobQuery) error {
	page, err := s.Jobs(ctx, q)
	if err != nil {
		return err
	}
	s.mu.Lock()
	s.jobs, s.jobsAt = page, s.now()
	s.mu.Unlock()
	return nil
}

// Job returns all that is known of a job; operator.ErrJobNotFound is its error where there is none.
func (s *System) Job(ctx context.Context, id uuid.UUID) (JobDetail, error) {
	return ask(ctx, s, func(c *operator.Client) (JobDetail, error) { return c.Detail(ctx, id) })
}

// Act does something to jobs, or to a queue. What could not be done is told by its Outcome; an error
// means that nothing is known of those without one.
func (s *System) Act(ctx context.Context, a Action) ([]Outcome, error) {
	outcomes, err := ask(ctx, s, func(c *operator.Client) ([]Outcome, error) { return c.Act(ctx, s.actor, a) })
	s.events.expire()
	return outcomes, err
}

// ask asks the replicas of the waste service one after the other until one can be reached.
func ask[T any](ctx context.Context, s *System, question func(*operator.Client) (T, error)) (T, error) {
	var none T
	at, err := s.reach(ctx)
	if err != nil {
		return none, err
	}
	if at.lack != nil {
		return none, at.lack
	}
	err = &trouble{message: "the waste service has no replica", hint: "wcctl dev status"}
	for _, c := range at.waste {
		var v T
		if v, err = question(c); err == nil || !unreachable(err) || ctx.Err() != nil {
			return v, err
		}
	}
	return none, err
}

// Bad names the parts that could not be read, in their order.
func (p Picture) Bad() []Part {
	var bad []Part
	for _, name := range []Part{Jobs, Queues, Workers, Services, Cluster, Events} {
		if _, found := p.Faults[name]; found {
			bad = append(bad, name)
		}
	}
	return bad
}
