package monitor

import (
	"context"
	"errors"
	"io/fs"
	"maps"
	"net/http"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/hibiken/asynq"

	"github.com/wastecoach/wastecoach/internal/env"
	"github.com/wastecoach/wastecoach/internal/operator"
	"github.com/wastecoach/wastecoach/internal/redisdb"
	"github.com/wastecoach/wastecoach/internal/wcctl/devstate"
)

// devSite is the stack of `wcctl dev` on a data folder. Started anew it has other ports: what it says of
// itself is read before each question.
type devSite struct {
	dir string

	mu    sync.Mutex
	known devstate.State
	at    *reached
}

// ErrNotRunning says that no wcctl dev runs on the data folder.
var ErrNotRunning = errors.New("wcctl dev does not run")

func (s *devSite) state() (devstate.State, error) {
	state, err := devstate.Read(s.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return state, &trouble{
			message: "nothing to look at in " + s.dir, hint: "wcctl dev", cause: ErrNotRunning,
		}
	}
	return state, err
}

func (s *devSite) reach(context.Context) (*reached, error) {
	state, err := s.state()
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.at != nil && reflect.DeepEqual(state, s.known) {
		return s.at, nil
	}
	if s.at != nil {
		_ = s.at.close() // it belongs to a stack that is gone
	}
	s.at, s.known = connectDev(state), state
	return s.at, nil
}

func connectDev(state devstate.State) *reached {
	cfg := redisdb.Config{
		Addr: state.RedisAddr, Password: env.Secret(state.RedisPassword), FirstDB: state.RedisFirstDB,
	}
	at := &reached{
		source: "wcctl dev at " + state.URL, redis: cfg.Open(redisdb.Jobs), web: &http.Client{},
	}
	at.looks = asynq.NewInspectorFromRedisClient(at.redis)
	for _, url := range state.Replicas["waste"] {
		at.waste = append(at.waste, operator.NewClient(url, env.Secret(state.WasteToken), at.web))
	}
	return at
}

// numbered is e.g. waste-worker-2.
var numbered = regexp.MustCompile(`^(.+)-\d+$`)

func (s *devSite) replicas(context.Context) ([]replica, error) {
	state, err := s.state()
	if err != nil {
		return nil, err
	}
	var list []replica
	for _, name := range slices.Sorted(maps.Keys(state.MetricsURLs)) {
		pool := name
		if m := numbered.FindStringSubmatch(name); m != nil {
			pool = m[1]
		}
		list = append(list, replica{
			pool: pool, name: name, url: strings.TrimSuffix(state.MetricsURLs[name], "/metrics"),
		})
	}
	return list, nil
}

// Close implements site.
func (s *devSite) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.at == nil {
		return nil
	}
	at := s.at
	s.at = nil
	return at.close()
}
