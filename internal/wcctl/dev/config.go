package dev

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Config says what the stack consists of.
type Config struct {
	// Data is the folder that survives restarts.
	Data Folder
	// Reset empties it first.
	Reset bool
	// The ports on 127.0.0.1. 0 takes a free one, the same as last time where it still is free.
	Port, S3Port, OpenIDPort, PostgresPort, RedisPort int
	// Replicas is how many of each Pool run, by its name.
	Replicas Replicas
	// Grace bounds how long requests and tasks under way may go on at a stop.
	Grace time.Duration
	// Vision and LLM name a model provider; empty leaves it to Environ.
	Vision, LLM string
	// ModelLatency is how slow the simulators are; nil leaves it to Environ.
	ModelLatency *time.Duration
	// Environ is the caller's environment, whose WASTE_…, RECYCLING_… and so on reach the services.
	Environ []string
	// Gateway is a program with arguments whose main is s3server.Serve; GatewayEnv is added to its
	// environment.
	Gateway, GatewayEnv []string
	// Pools are the services' processes.
	Pools []Pool
	// Detached is only told to others.
	Detached bool
	// Show takes what people should see at once, as lines: warnings and errors.
	Show io.Writer
	// OnEvent is told of each part that started or stopped.
	OnEvent func(Event)
	// OnReady is told once when everything runs.
	OnReady func(Info)
}

// Pool is the replicas of one part of a service.
type Pool struct {
	// Name is the service's, or <service>-worker.
	Name string
	// Service names the variables that configure it and, for an API, its route.
	Service string
	// Worker pools take tasks; the others answer the API.
	Worker bool
	// Count is how many run unless told otherwise.
	Count int
	// Run is the same function as the service's binary has.
	Run func(ctx context.Context, environ []string, logger *slog.Logger) error
}

// Event is a part that started or stopped.
type Event struct {
	Part string
	// Detail is where the part is, or what is unusual about it.
	Detail  string
	Stopped bool
	Took    time.Duration
	// Err is why the part did not start or stop.
	Err error
}

// Replicas is how many of each pool run: it is a flag value such as waste=3,waste-worker=5.
type Replicas map[string]int

// maxReplicas keeps a typing error from taking the machine down.
const maxReplicas = 50

// DefaultReplicas returns the owner's counts.
func DefaultReplicas(pools []Pool) Replicas {
	r := Replicas{}
	for _, p := range pools {
		r[p.Name] = p.Count
	}
	return r
}

// String implements pflag.Value.
func (r Replicas) String() string {
	words := make([]string, 0, len(r))
	for _, name := range slices.Sorted(maps.Keys(r)) {
		words = append(words, name+"="+strconv.Itoa(r[name]))
	}
	return strings.Join(words, ",")
}

// Type implements pflag.Value.
func (r Replicas) Type() string { return "name=count,…" }

// Set changes the counts that value names.
func (r Replicas) Set(value string) error {
	for word := range strings.SplitSeq(value, ",") {
		name, number, _ := strings.Cut(strings.TrimSpace(word), "=")
		if _, known := r[name]; !known {
			return fmt.Errorf("there is no %q, but %s", name,
				strings.Join(slices.Sorted(maps.Keys(r)), ", "))
		}
		count, err := strconv.Atoi(number)
		if err != nil || count < 0 || count > maxReplicas {
			return fmt.Errorf("%q is not name=count with a count from 0 to %d", word, maxReplicas)
		}
		r[name] = count
	}
	return nil
}
