package dev

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"github.com/wastecoach/wastecoach/internal/wcctl/devstate"
)

// Info is a running stack. It holds passwords: its file has mode 0600.
type Info struct {
	PID   int       `json:"pid"`
	Since time.Time `json:"since"`
	Data  Folder    `json:"data"`
	// URL is the API's; S3 and OpenID are where apps upload and log in.
	URL    string `json:"url"`
	S3     string `json:"s3"`
	OpenID string `json:"openid"`
	// Redis is host:port.
	Redis         string `json:"redis"`
	RedisPassword string `json:"redis_password"`
	// Postgres and Migrator are DSNs of the superuser and of the role that migrates.
	Postgres string `json:"postgres"`
	Migrator string `json:"migrator"`
	// Environ has the variables of each service's binary as KEY=value, all but HTTP_ADDR.
	Environ map[string][]string `json:"environ"`
	// Children are the process ids of the programs that were started.
	Children map[string]int `json:"children"`
	Replicas []ReplicaInfo  `json:"replicas"`
	// Detached tells that no terminal can stop it.
	Detached bool `json:"detached"`
}

// SecretsPath is the file with all passwords.
func (i Info) SecretsPath() string { return i.Data.secretsPath() }

// ReplicaInfo is one process of a service.
type ReplicaInfo struct {
	Name    string `json:"name"`
	Service string `json:"service"`
	Worker  bool   `json:"worker"`
	URL     string `json:"url"`
}

// ErrNotRunning says that no stack runs on a data folder.
var ErrNotRunning = errors.New("wcctl dev does not run")

func (f Folder) infoPath() string { return f.path("stack.json") }

// Find returns the stack that runs on a data folder, or ErrNotRunning.
func Find(data Folder) (Info, error) {
	owner, runs, err := FindOwner(data)
	if err != nil {
		return Info{}, err
	}
	if !runs {
		return Info{}, fmt.Errorf("%w on %s", ErrNotRunning, data)
	}
	var info Info
	err = readJSON(data.infoPath(), &info)
	if errors.Is(err, fs.ErrNotExist) || err == nil && info.PID != owner.PID {
		return Info{}, fmt.Errorf("%w yet on %s: process %d is starting it", ErrNotRunning, data, owner.PID)
	}
	return info, err
}

// publish tells other commands where the stack is.
func (s *stack) publish() (Info, error) {
	s.publishing.Lock()
	defer s.publishing.Unlock()
	info := s.info()
	if err := writeInfo(info); err != nil {
		return info, err
	}
	s.published = true
	return info, nil
}

// republish tells them of a new process. Two servers may come back at once: the later word counts.
func (s *stack) republish() error {
	s.publishing.Lock()
	defer s.publishing.Unlock()
	if !s.published {
		return nil
	}
	return writeInfo(s.info())
}

func (s *stack) unpublish() {
	s.publishing.Lock()
	defer s.publishing.Unlock()
	s.published = false
	_ = devstate.Remove(string(s.cfg.Data)) // a stale one is recognized
}

func writeInfo(info Info) error {
	state := devstate.State{
		PID: info.PID, URL: info.URL, Replicas: map[string][]string{}, RedisAddr: info.Redis,
		RedisPassword: info.RedisPassword,
		MetricsURLs:   map[string]string{},
		WasteToken:    variable(info.Environ["waste"], "WASTE_INTERNAL_TOKEN"),
	}
	for _, r := range info.Replicas {
		state.MetricsURLs[r.Name] = r.URL + "/metrics"
		if !r.Worker {
			state.Replicas[r.Service] = append(state.Replicas[r.Service], r.URL)
		}
	}
	if err := writeJSON(info.Data.infoPath(), info); err != nil {
		return err
	}
	return devstate.Write(string(info.Data), state)
}

// variable is the value of a KEY=value line.
func variable(environ []string, key string) string {
	for _, line := range environ {
		if value, found := strings.CutPrefix(line, key+"="); found {
			return value
		}
	}
	return ""
}
