// Package llm has a model phrase a disposal rule for one item.
package llm

import (
	"context"
	_ "embed" // the prompt is a file
	"encoding/json"
	"fmt"

	"github.com/wastecoach/wastecoach/internal/modelcall"
	"github.com/wastecoach/wastecoach/internal/modelprovider"
	"github.com/wastecoach/wastecoach/internal/wasteclass"
)

const stage = "llm"

//go:embed prompt.txt
var prompt string

// Advisor phrases advice. Its errors are *modelcall.Error; FromRule then remains as the answer.
type Advisor interface {
	Advise(ctx context.Context, r AdviceRequest) (Advice, error)
}

// AdviceRequest is a rule about an item. Its JSON, without JobID and Attempt, is what the model
// reads.
type AdviceRequest struct {
	ItemName string           `json:"item_name"`
	Class    wasteclass.Class `json:"class"`
	Steps    []Step           `json:"steps"`
	Mistakes []string         `json:"mistakes"`
	Why      string           `json:"why"`
	Parts    []string         `json:"parts"`
	Locale   string           `json:"locale"`
	Region   string           `json:"region"`
	JobID    string           `json:"-"`
	Attempt  int              `json:"-"`
}

// Step is one step of the rule; the model may drop it only when it is Optional.
type Step struct {
	ID       string `json:"id"`
	Text     string `json:"text"`
	Optional bool   `json:"optional"`
}

// Advice is checked against its rule: its steps are the rule's, in the rule's order.
type Advice struct {
	Summary       string          `json:"summary"`
	Why           string          `json:"why"`
	Steps         []AdvisedStep   `json:"steps"`
	Model         string          `json:"model"`
	PromptVersion string          `json:"prompt_version"`
	Usage         modelcall.Usage `json:"usage"`
}

// AdvisedStep is a rule's step in the model's words.
type AdvisedStep struct {
	ID   string `json:"id"`
	Text string `json:"text"`
}

type advisor struct {
	guard   *modelcall.Guard
	schema  *modelcall.Schema
	model   string
	version string
}

// New returns an Advisor on the model that cfg names; provider none answers with the rule itself.
func New(cfg modelprovider.Config, deps modelprovider.Deps) (Advisor, error) {
	if cfg.Provider == modelprovider.None {
		return ruleAdvisor{}, nil
	}
	guard, err := modelprovider.New(cfg, deps, stage)
	if err != nil {
		return nil, fmt.Errorf("configuring llm: %w", err)
	}
	schema, err := newSchema()
	if err != nil {
		return nil, err
	}
	return &advisor{
		guard: guard, schema: schema, model: cfg.ModelName(), version: version(schema),
	}, nil
}

// PromptVersion changes with the prompt's or the schema's text; it is part of cache keys.
func PromptVersion() (string, error) {
	schema, err := newSchema()
	if err != nil {
		return "", err
	}
	return version(schema), nil
}

func version(schema *modelcall.Schema) string {
	return modelcall.Version(prompt, string(schema.JSON))
}

// Advise returns the model's words, checked against the rule and repaired once if needed.
func (a *advisor) Advise(ctx context.Context, r AdviceRequest) (Advice, error) {
	input, err := json.Marshal(r)
	if err != nil {
		return Advice{}, fmt.Errorf("writing the question: %w", err)
	}
	said, usage, err := modelcall.Ask(ctx, a.guard, modelcall.Prompt{
		System: prompt, Input: input, Schema: a.schema,
		JobID: r.JobID, Stage: stage, RequestID: fmt.Sprintf("%s-%d", r.JobID, r.Attempt),
	}, func(said answer) error { return said.check(r) })
	if err != nil {
		return Advice{}, fmt.Errorf("advising on %s: %w", r.ItemName, err)
	}
	return Advice{
		Summary: said.Summary, Why: said.Why, Steps: said.Steps,
		Model: a.model, PromptVersion: a.version, Usage: usage,
	}, nil
}
