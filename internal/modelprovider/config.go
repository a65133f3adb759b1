// Package modelprovider chooses the model that a configuration names.
package modelprovider

import (
	"errors"
	"fmt"
	"time"

	"github.com/wastecoach/wastecoach/internal/chatmodel"
	"github.com/wastecoach/wastecoach/internal/env"
	"github.com/wastecoach/wastecoach/internal/modelcall"
	"github.com/wastecoach/wastecoach/internal/simulator"
)

// Providers that Config.Provider can name. Local and LocalFirst are for photos only: the model that
// is built in, and the same with OpenAI for what it is not sure of. None is for advice only: the rule
// speaks for itself.
const (
	Simulator  = "simulator"
	OpenAI     = "openai"
	Local      = "local"
	LocalFirst = "local-first"
	None       = "none"
)

// Config is one model's settings; services embed it with an environment prefix.
type Config struct {
	// Provider is simulator, openai (any endpoint with OpenAI's chat completions), for photos local
	// or local-first, for advice none.
	Provider string `env:"PROVIDER" envDefault:"simulator"`
	// BaseURL ends before /chat/completions.
	BaseURL string `env:"BASE_URL" envDefault:"https://api.openai.com/v1"`
	// Model is the name that the endpoint knows; it is part of every cache key.
	Model string `env:"MODEL"`
	// APIKey is a secret; empty for endpoints without one.
	APIKey env.Secret `env:"API_KEY"`
	// Format is json_schema, or json_object or text for endpoints that reject json_schema. Answers
	// are validated here in every case.
	Format string `env:"FORMAT" envDefault:"json_schema"`
	// Timeout bounds one try; an answer that needs repair takes two.
	Timeout time.Duration `env:"TIMEOUT" envDefault:"20s"`
	// Concurrency bounds the tries in flight in this process.
	Concurrency int `env:"CONCURRENCY" envDefault:"8"`
	// MaxOutputTokens bounds an answer; models that think before they speak need more.
	MaxOutputTokens int64 `env:"MAX_OUTPUT_TOKENS" envDefault:"1500"`
	// DailyBudgetMicroUSD is shared by all processes, per UTC day; 0 is no limit.
	DailyBudgetMicroUSD int64 `env:"DAILY_BUDGET_MICRO_USD" envDefault:"5000000"`
	// InputPrice and OutputPrice are US dollars per million tokens; the budget counts only what
	// has a price.
	InputPrice  float64 `env:"INPUT_PRICE_USD_PER_MILLION" envDefault:"0"`
	OutputPrice float64 `env:"OUTPUT_PRICE_USD_PER_MILLION" envDefault:"0"`
	// BreakerFailures in a row stop calls for BreakerOpenFor.
	BreakerFailures uint32        `env:"BREAKER_FAILURES" envDefault:"5"`
	BreakerOpenFor  time.Duration `env:"BREAKER_OPEN_FOR" envDefault:"10s"`
	// Simulator is used with Provider simulator only.
	Simulator simulator.Config `envPrefix:"SIMULATOR_"`
}

// ModelName is the name that answers, metrics and cache keys carry.
func (c Config) ModelName() string {
	if c.Provider == OpenAI || c.Provider == LocalFirst {
		return c.Model
	}
	return c.Provider
}

// Validate reports every fault at once; the provider none has none.
func (c Config) Validate() error {
	switch c.Provider {
	case None:
		return nil
	case OpenAI, Simulator, Local, LocalFirst:
	default:
		return fmt.Errorf("model provider %q is unknown", c.Provider)
	}
	var faults []error
	check := func(ok bool, fault string) {
		if !ok {
			faults = append(faults, errors.New(fault))
		}
	}
	check(c.Timeout > 0, "model timeout must be positive")
	check(c.Concurrency > 0, "model concurrency must be positive")
	check(c.MaxOutputTokens > 0, "model output tokens must be positive")
	check(c.DailyBudgetMicroUSD >= 0, "model budget must not be negative")
	check(c.InputPrice >= 0 && c.OutputPrice >= 0, "model prices must not be negative")
	check(c.BreakerFailures > 0, "model breaker failures must be positive")
	check(c.BreakerOpenFor > 0, "model breaker time must be positive")
	return errors.Join(append(faults, c.Simulator.Validate())...)
}

func (c Config) limits() modelcall.Limits {
	limits := modelcall.Limits{
		Timeout:         c.Timeout,
		Concurrency:     c.Concurrency,
		BreakerFailures: c.BreakerFailures,
		BreakerOpenFor:  c.BreakerOpenFor,
		MaxOutputTokens: c.MaxOutputTokens,
	}
	if c.Provider == OpenAI {
		limits.Price = modelcall.Price{Input: c.InputPrice, Output: c.OutputPrice}
	}
	return limits
}

func (c Config) endpoint() chatmodel.Config {
	return chatmodel.Config{
		BaseURL:         c.BaseURL,
		Model:           c.Model,
		APIKey:          c.APIKey.Reveal(),
		Format:          c.Format,
		MaxOutputTokens: c.MaxOutputTokens,
	}
}
