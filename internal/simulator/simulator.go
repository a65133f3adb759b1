// Package simulator stands in for a model where there is none.
package simulator

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/wastecoach/wastecoach/internal/modelcall"
)

// ModelName labels every answer that a simulator gave.
const ModelName = "simulator"

const (
	garbage    = `{"class": "something else", "label": `
	retryAfter = time.Second
)

// Config sets how slow and how faulty the simulator is. The fault fields are shares of all calls,
// 0 to 1, and together at most 1.
type Config struct {
	// Latency is the time of every call, plus a random part of up to Jitter.
	Latency time.Duration `env:"LATENCY" envDefault:"1500ms"`
	Jitter  time.Duration `env:"JITTER" envDefault:"0s"`
	// Seed makes the sequence of jitter and faults repeatable.
	Seed uint64 `env:"SEED" envDefault:"1"`
	// RateLimited calls are turned away at once, as by a 429.
	RateLimited float64 `env:"RATE_LIMITED" envDefault:"0"`
	// Unavailable calls fail after the latency, as by a 503.
	Unavailable float64 `env:"UNAVAILABLE" envDefault:"0"`
	// Garbage calls answer something that is no valid JSON.
	Garbage float64 `env:"GARBAGE" envDefault:"0"`
	// Hang calls never answer; only the caller's timeout ends them.
	Hang float64 `env:"HANG" envDefault:"0"`
}

// Validate reports latencies and shares that make no sense.
func (c Config) Validate() error {
	if c.Latency < 0 || c.Jitter < 0 {
		return errors.New("simulator latency and jitter must not be negative")
	}
	sum := 0.0
	for _, share := range []float64{c.RateLimited, c.Unavailable, c.Garbage, c.Hang} {
		if share < 0 || share > 1 {
			return fmt.Errorf("simulator fault share %v is not between 0 and 1", share)
		}
		sum += share
	}
	if sum > 1 {
		return fmt.Errorf("simulator fault shares add up to %v, more than 1", sum)
	}
	return nil
}

// Model is a modelcall.Model without a model.
type Model struct {
	cfg    Config
	mu     sync.Mutex
	random *rand.Rand
}

// New returns a Model whose faults follow cfg.Seed.
func New(cfg Config) *Model {
	source := rand.NewPCG(cfg.Seed, 0)
	return &Model{cfg: cfg, random: rand.New(source)} //nolint:gosec // repeatable, no secret
}

type behavior int

const (
	answers behavior = iota
	rateLimited
	unavailable
	writesGarbage
	hangs
)

// Complete answers after the latency, or fails as the dice say; it ends at once with ctx.
func (m *Model) Complete(
	ctx context.Context, p modelcall.Prompt,
) (modelcall.Completion, error) {
	behavior, delay := m.roll()
	if behavior == rateLimited {
		return modelcall.Completion{}, &modelcall.Error{
			Kind: modelcall.RateLimited, Retryable: true, RetryAfter: retryAfter,
			Err: errors.New("simulated rate limit"),
		}
	}
	if err := wait(ctx, delay, behavior == hangs); err != nil {
		return modelcall.Completion{}, err
	}
	switch behavior {
	case unavailable:
		return modelcall.Completion{}, &modelcall.Error{
			Kind: modelcall.Unavailable, Retryable: true, Err: errors.New("simulated outage"),
		}
	case writesGarbage:
		return modelcall.Completion{Text: garbage}, nil
	default:
		text, err := Answer(p.Schema.Name, p.Input, p.JPEG)
		return modelcall.Completion{Text: text}, err
	}
}

func (m *Model) roll() (behavior, time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delay := m.cfg.Latency
	if m.cfg.Jitter > 0 {
		delay += time.Duration(m.random.Int64N(int64(m.cfg.Jitter)))
	}
	dice := m.random.Float64()
	for _, fault := range []struct {
		share float64
		behavior
	}{
		{m.cfg.RateLimited, rateLimited},
		{m.cfg.Unavailable, unavailable},
		{m.cfg.Garbage, writesGarbage},
		{m.cfg.Hang, hangs},
	} {
		if dice < fault.share {
			return fault.behavior, delay
		}
		dice -= fault.share
	}
	return answers, delay
}

func wait(ctx context.Context, delay time.Duration, forever bool) error {
	timer := time.NewTimer(delay)
	defer timer.Stop()
	ready := timer.C
	if forever {
		ready = nil
	}
	select {
	case <-ready:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("waiting for the simulator: %w", ctx.Err())
	}
}
