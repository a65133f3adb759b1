package modelcall

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"math"
)

// Model answers one prompt with text; one Complete is one try on the wire.
type Model interface {
	Complete(ctx context.Context, p Prompt) (Completion, error)
}

// Prompt is one question to a model.
type Prompt struct {
	// System holds the instructions, Input the data they are about.
	System string
	Input  json.RawMessage
	// JPEG is the photo the question is about; empty for text questions.
	JPEG   []byte
	Schema *Schema
	// JobID and Stage form the idempotency key, RequestID names the try in the provider's log.
	JobID     string
	Stage     string
	RequestID string
	// Repair is set when an earlier answer to this question was invalid.
	Repair *Repair
}

// IdempotencyKey is stable over retries of one stage; empty without a job.
func (p Prompt) IdempotencyKey() string {
	if p.JobID == "" {
		return ""
	}
	return p.JobID + ":" + p.Stage
}

// Repair shows a model its invalid answer and what is wrong with it.
type Repair struct {
	Answer string
	Fault  string
}

// Completion is a model's raw answer. Usage may be set even when an error comes with it.
type Completion struct {
	Text  string
	Usage Usage
}

// Usage is what a call consumed; CostMicroUSD is millionths of a US dollar.
type Usage struct {
	InputTokens  int64 `json:"input_tokens"`
	OutputTokens int64 `json:"output_tokens"`
	CostMicroUSD int64 `json:"cost_micro_usd"`
}

func (u Usage) plus(other Usage) Usage {
	return Usage{
		InputTokens:  u.InputTokens + other.InputTokens,
		OutputTokens: u.OutputTokens + other.OutputTokens,
		CostMicroUSD: u.CostMicroUSD + other.CostMicroUSD,
	}
}

// Price is what a provider charges in US dollars per million tokens.
type Price struct {
	Input  float64
	Output float64
}

// Cost returns micro-USD, rounded up: dollars per million tokens are micro-dollars per token.
func (p Price) Cost(inputTokens, outputTokens int64) int64 {
	return int64(math.Ceil(float64(inputTokens)*p.Input + float64(outputTokens)*p.Output))
}

// Version returns a short hash of everything that shapes a prompt, for cache keys.
func Version(parts ...string) string {
	hash := sha256.New()
	for _, part := range parts {
		sum := sha256.Sum256([]byte(part))
		hash.Write(sum[:])
	}
	return hex.EncodeToString(hash.Sum(nil))[:12]
}
