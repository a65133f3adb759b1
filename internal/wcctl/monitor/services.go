package monitor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// replica is one process of a service.
type replica struct {
	// pool is the service, or <service>-worker; name tells its replicas apart.
	pool, name string
	// url is where its /metrics and /readyz are, without a path.
	url string
	// why is set where it is known not to be ready; then nobody asks it.
	why string
	// probed is one whose /readyz somebody else asks, as kubelet does: why tells how that ends.
	probed bool
}

const (
	// rateWindow is how far back rates look, latencyWindow how far durations do.
	rateWindow    = 15 * time.Second
	latencyWindow = 2 * time.Minute
	askTimeout    = 2 * time.Second
)

// scrapes are the last samples of each replica.
type scrapes struct {
	mu   sync.Mutex
	last map[string][]sample
	// queues is what the workers' samples tell of the last minutes, by queue.
	queues map[string]lately
}

// lately is what changed in a window, over all replicas of a pool.
type lately struct {
	rate, bad float64 // per second
	took      histogram
	wait      histogram
}

func newScrapes() *scrapes {
	return &scrapes{last: map[string][]sample{}, queues: map[string]lately{}}
}

func (s *scrapes) wait(queue string) Latency { return s.of(queue).wait.latency() }

func (s *scrapes) run(queue string) Latency { return s.of(queue).took.latency() }

func (s *scrapes) of(queue string) lately {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.queues[queue]
}

// answer is what one replica said.
type answer struct {
	replica
	sample sample
	// err is why it is not ready; silent why nothing more is known of one that is.
	err, silent error
}

func (s *System) readServices(ctx context.Context, at *reached) ([]Service, error) {
	replicas, err := s.site.replicas(ctx)
	if err != nil {
		return nil, err
	}
	answers := make([]answer, len(replicas))
	var wg sync.WaitGroup
	for i, r := range replicas {
		wg.Go(func() { answers[i] = look(ctx, at.web, r, s.now) })
	}
	wg.Wait()
	return s.scrapes.add(answers), nil
}

// look asks one replica whether it is ready, and for its metrics.
func look(ctx context.Context, web *http.Client, r replica, now func() time.Time) answer {
	a := answer{replica: r}
	if r.why != "" {
		a.err = errors.New(r.why)
		return a
	}
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	a.sample, a.err = scrape(ctx, web, r, now)
	if r.probed {
		a.err, a.silent = nil, a.err
		return a
	}
	if a.err != nil {
		return a
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, r.url+"/readyz", http.NoBody)
	if err != nil {
		a.err = err
		return a
	}
	response, err := web.Do(request)
	if err != nil {
		a.err = err
		return a
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		a.err = fmt.Errorf("/readyz answers %d", response.StatusCode)
	}
	return a
}

// add keeps the samples and sums them up by pool, in the order of the owner's list.
func (s *scrapes) add(answers []answer) []Service {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.remember(answers)
	byPool := map[string][]answer{}
	for _, a := range answers {
		byPool[a.pool] = append(byPool[a.pool], a)
	}
	list := make([]Service, 0, len(byPool))
	for pool, members := range byPool {
		list = append(list, s.sum(pool, members))
		if queue, isWorker := strings.CutSuffix(pool, workerSuffix); isWorker {
			s.queues[queue] = s.lately(members, latencyWindow)
		}
	}
	slices.SortFunc(list, func(a, b Service) int { return rank(a.Name) - rank(b.Name) })
	return list
}

const workerSuffix = "-worker"

// rank is the order in which a request meets the services.
func rank(pool string) int {
	order := []string{"auth", "users", "waste", "waste-worker", "recycling", "recycling-worker", "locations"}
	if i := slices.Index(order, pool); i >= 0 {
		return i
	}
	return len(order)
}

// remember adds the new samples and drops what no window reaches, and replicas that are gone.
func (s *scrapes) remember(answers []answer) {
	kept := map[string][]sample{}
	for _, a := range answers {
		list := s.last[a.name]
		if !a.sample.at.IsZero() {
			list = append(list, a.sample)
			oldest := a.sample.at.Add(-latencyWindow)
			// One sample at or before the window's beginning is its base.
			for len(list) > 1 && !list[1].at.After(oldest) {
				list = list[1:]
			}
		}
		kept[a.name] = list
	}
	s.last = kept
}

// lately is what changed over all members within the window.
func (s *scrapes) lately(members []answer, window time.Duration) lately {
	var sum lately
	for _, m := range members {
		if list := s.last[m.name]; len(list) > 0 {
			sum.add(list[len(list)-1].since(list, window))
		}
	}
	return sum
}

func (l *lately) add(o lately) {
	l.rate, l.bad = l.rate+o.rate, l.bad+o.bad
	l.took, l.wait = l.took.plus(o.took), l.wait.plus(o.wait)
}

func (s *scrapes) sum(pool string, members []answer) Service {
	service := Service{Name: pool, Replicas: len(members), Versions: []string{}}
	var faults []string
	for _, m := range members {
		if m.err == nil {
			service.Ready++
		}
		if err := cmp.Or(m.err, m.silent); err != nil {
			faults = append(faults, m.name+": "+Explain(err))
		}
		if v := m.sample.version; v != "" && !slices.Contains(service.Versions, v) {
			service.Versions = append(service.Versions, v)
		}
	}
	slices.Sort(service.Versions)
	service.Why = strings.Join(faults, "; ")
	now := s.lately(members, rateWindow)
	service.Rate = now.rate
	if now.rate > 0 {
		service.Errors = now.bad / now.rate
	}
	service.P95 = s.lately(members, latencyWindow).took.latency().P95
	return service
}
