// Package vision asks a model what kind of waste a photo shows.
package vision

import (
	"bytes"
	"context"
	_ "embed" // the prompt is a file
	"encoding/json"
	"errors"
	"fmt"

	"github.com/wastecoach/wastecoach/internal/localvision"
	"github.com/wastecoach/wastecoach/internal/modelcall"
	"github.com/wastecoach/wastecoach/internal/modelprovider"
	"github.com/wastecoach/wastecoach/internal/wasteclass"
)

const stage = "vision"

//go:embed prompt.txt
var prompt string

// Analyzer looks at a photo. Its errors are *modelcall.Error.
type Analyzer interface {
	Analyze(ctx context.Context, r Request) (Verdict, error)
}

// Request is one photo; JobID and Attempt identify the try at the provider.
type Request struct {
	JPEG    []byte
	Locale  string
	JobID   string
	Attempt int
}

// Verdict is a validated answer. Confidence is 0 to 1, Label is snake_case ASCII.
type Verdict struct {
	Class      wasteclass.Class `json:"class"`
	Label      string           `json:"label"`
	Material   string           `json:"material"`
	Shape      string           `json:"shape"`
	Parts      []Part           `json:"parts"`
	Confidence float64          `json:"confidence"`
	// Unsure tells that the model's confidence is not worth an answer: a better photo is.
	Unsure bool   `json:"unsure"`
	NameKO string `json:"name_ko"`
	NameEN string `json:"name_en"`
	// NoteKO and NoteEN say what to know about the verdict; empty where there is nothing.
	NoteKO        string          `json:"note_ko"`
	NoteEN        string          `json:"note_en"`
	Model         string          `json:"model"`
	PromptVersion string          `json:"prompt_version"`
	Usage         modelcall.Usage `json:"usage"`
}

// Part is a component that has to be separated from the item.
type Part struct {
	Name     string           `json:"name"`
	Material string           `json:"material"`
	Class    wasteclass.Class `json:"class"`
}

type analyzer struct {
	guard   *modelcall.Guard
	schema  *modelcall.Schema
	model   string
	version string
}

// New returns an Analyzer on the model that cfg names.
func New(cfg modelprovider.Config, deps modelprovider.Deps) (Analyzer, error) {
	switch cfg.Provider {
	case modelprovider.Local:
		return newLocal(cfg, deps)
	case modelprovider.LocalFirst:
		return newLocalFirst(cfg, deps)
	}
	guard, err := modelprovider.New(cfg, deps, stage)
	if err != nil {
		return nil, fmt.Errorf("configuring vision: %w", err)
	}
	return newAnalyzer(guard, cfg.ModelName())
}

func newAnalyzer(guard *modelcall.Guard, model string) (*analyzer, error) {
	schema, err := newSchema()
	if err != nil {
		return nil, err
	}
	return &analyzer{guard: guard, schema: schema, model: model, version: version(schema)}, nil
}

// PromptVersion changes with the prompt's or the schema's text, and with the built-in model's weights
// where they answer; it is part of cache keys.
func PromptVersion(cfg modelprovider.Config) (string, error) {
	schema, err := newSchema()
	if err != nil {
		return "", err
	}
	if cfg.Provider != modelprovider.Local && cfg.Provider != modelprovider.LocalFirst {
		return version(schema), nil
	}
	model, err := localvision.New()
	if err != nil {
		return "", err
	}
	return modelcall.Version(cfg.Provider, version(schema), model.Version()), nil
}

func version(schema *modelcall.Schema) string {
	return modelcall.Version(prompt, string(schema.JSON))
}

// Analyze returns the model's validated verdict, after one repair try where it is needed.
func (a *analyzer) Analyze(ctx context.Context, r Request) (Verdict, error) {
	if !bytes.HasPrefix(r.JPEG, []byte{0xff, 0xd8}) {
		return Verdict{}, &modelcall.Error{
			Kind: modelcall.Misconfigured, Err: errors.New("the photo is not a JPEG"),
		}
	}
	input, err := json.Marshal(map[string]string{"locale": r.Locale})
	if err != nil {
		return Verdict{}, fmt.Errorf("writing the question: %w", err)
	}
	said, usage, err := modelcall.Ask(ctx, a.guard, modelcall.Prompt{
		System: prompt, Input: input, JPEG: r.JPEG, Schema: a.schema,
		JobID: r.JobID, Stage: stage, RequestID: fmt.Sprintf("%s-%d", r.JobID, r.Attempt),
	}, answer.check)
	if err != nil {
		return Verdict{}, fmt.Errorf("analyzing photo: %w", err)
	}
	verdict := said.verdict()
	verdict.Model, verdict.PromptVersion, verdict.Usage = a.model, a.version, usage
	return verdict, nil
}
