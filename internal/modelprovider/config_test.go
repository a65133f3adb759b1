package modelprovider_test

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/caarlos0/env/v11"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/wastecoach/wastecoach/internal/modelprovider"
)

func parse(t *testing.T, environment map[string]string) modelprovider.Config {
	t.Helper()
	var service struct {
		Vision modelprovider.Config `envPrefix:"VISION_"`
	}
	if err := env.ParseWithOptions(&service, env.Options{Environment: environment}); err != nil {
		t.Fatal(err)
	}
	return service.Vision
}

func TestEnvironment(t *testing.T) {
	t.Parallel()
	cfg := parse(t, map[string]string{})
	if err := cfg.Validate(); err != nil {
		t.Errorf("the defaults: %v", err)
	}
	if cfg.Provider != "simulator" || cfg.Simulator.Latency != 1500*time.Millisecond ||
		cfg.ModelName() != "simulator" {
		t.Errorf("defaults %+v", cfg)
	}
	cfg = parse(t, map[string]string{
		"VISION_PROVIDER": "openai", "VISION_MODEL": "eye-1", "VISION_TIMEOUT": "3s",
		"VISION_INPUT_PRICE_USD_PER_MILLION": "0.15", "VISION_SIMULATOR_HANG": "0.5",
	})
	if cfg.ModelName() != "eye-1" || cfg.Timeout != 3*time.Second || cfg.InputPrice != 0.15 ||
		cfg.Simulator.Hang != 0.5 {
		t.Errorf("settings %+v", cfg)
	}
}

func TestValidateReportsEveryFault(t *testing.T) {
	t.Parallel()
	cfg := parse(t, map[string]string{
		"VISION_TIMEOUT": "0s", "VISION_CONCURRENCY": "0", "VISION_MAX_OUTPUT_TOKENS": "0",
		"VISION_DAILY_BUDGET_MICRO_USD": "-1", "VISION_INPUT_PRICE_USD_PER_MILLION": "-1",
		"VISION_BREAKER_FAILURES": "0", "VISION_BREAKER_OPEN_FOR": "0s",
		"VISION_SIMULATOR_HANG": "2",
	})
	err := cfg.Validate()
	if err == nil || strings.Count(err.Error(), "\n") != 7 {
		t.Errorf("got %v, want eight faults", err)
	}
}

func TestNewRejects(t *testing.T) {
	t.Parallel()
	deps := modelprovider.Deps{
		Log: slog.New(slog.DiscardHandler), Registerer: prometheus.NewRegistry(),
	}
	for name, environment := range map[string]map[string]string{
		"no model": {"VISION_PROVIDER": "openai"},
		"provider": {"VISION_PROVIDER": "oracle"},
		"no Redis": {
			"VISION_PROVIDER": "openai", "VISION_MODEL": "m",
			"VISION_OUTPUT_PRICE_USD_PER_MILLION": "1",
		},
		"bad URL":   {"VISION_PROVIDER": "openai", "VISION_MODEL": "m", "VISION_BASE_URL": "host"},
		"no models": {"VISION_PROVIDER": "none"},
		// Only internal/vision has the model that is built in.
		"built in": {"VISION_PROVIDER": "local"},
	} {
		if _, err := modelprovider.New(parse(t, environment), deps, "vision"); err == nil {
			t.Errorf("%s: a wrong configuration was taken", name)
		}
	}
	good := map[string]string{
		"VISION_PROVIDER": "openai", "VISION_MODEL": "m", "VISION_DAILY_BUDGET_MICRO_USD": "0",
	}
	if _, err := modelprovider.New(parse(t, good), deps, "vision"); err != nil {
		t.Errorf("a right configuration: %v", err)
	}
}
