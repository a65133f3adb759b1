package simulator_test

import (
	"context"
	"errors"
	"math"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wastecoach/wastecoach/internal/modelcall"
	"github.com/wastecoach/wastecoach/internal/simulator"
)

func prompt() modelcall.Prompt {
	return modelcall.Prompt{
		JPEG: []byte("photo"), Schema: &modelcall.Schema{Name: simulator.VerdictSchema},
	}
}

func TestLatencyAndJitter(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cfg := simulator.Config{Latency: time.Second, Jitter: 500 * time.Millisecond, Seed: 4}
		measure := func() []time.Duration {
			model := simulator.New(cfg)
			var times []time.Duration
			for range 5 {
				started := time.Now()
				if _, err := model.Complete(t.Context(), prompt()); err != nil {
					t.Fatal(err)
				}
				times = append(times, time.Since(started))
			}
			return times
		}
		first := measure()
		if slices.Min(first) < time.Second || slices.Max(first) >= 1500*time.Millisecond ||
			slices.Min(first) == slices.Max(first) {
			t.Errorf("times %v, want different ones between 1 s and 1.5 s", first)
		}
		if again := measure(); !slices.Equal(again, first) {
			t.Errorf("the same seed gives %v, then %v", first, again)
		}
	})
}

func TestHangEndsWithTheCaller(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		model := simulator.New(simulator.Config{Hang: 1})
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		started := time.Now()
		_, err := model.Complete(ctx, prompt())
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(started) != time.Hour {
			t.Errorf("got %v after %v", err, time.Since(started))
		}
	})
}

func TestFaultShares(t *testing.T) {
	t.Parallel()
	const calls = 2000
	model := simulator.New(simulator.Config{
		RateLimited: 0.1, Unavailable: 0.2, Garbage: 0.3, Seed: 7,
	})
	good, err := simulator.Answer(simulator.VerdictSchema, nil, []byte("photo"))
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]float64{}
	for range calls {
		got, err := model.Complete(t.Context(), prompt())
		switch {
		case err != nil:
			seen[string(modelcall.KindOf(err))] += 1.0 / calls
		case got.Text == good:
			seen["ok"] += 1.0 / calls
		default:
			seen["garbage"] += 1.0 / calls
		}
	}
	for what, want := range map[string]float64{
		"rate_limited": 0.1, "unavailable": 0.2, "garbage": 0.3, "ok": 0.4,
	} {
		if math.Abs(seen[what]-want) > 0.04 {
			t.Errorf("%s is %.2f of the calls, want about %.1f", what, seen[what], want)
		}
	}
}

func TestValidate(t *testing.T) {
	t.Parallel()
	for name, cfg := range map[string]simulator.Config{
		"latency": {Latency: -1}, "share": {Hang: 1.1}, "negative": {Garbage: -0.1},
		"sum": {RateLimited: 0.6, Unavailable: 0.6},
	} {
		if cfg.Validate() == nil {
			t.Errorf("%s: a wrong configuration was taken", name)
		}
	}
	if err := (simulator.Config{Hang: 0.5, Garbage: 0.5}).Validate(); err != nil {
		t.Errorf("a right configuration: %v", err)
	}
}
