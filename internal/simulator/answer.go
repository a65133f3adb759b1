package simulator

import (
	"encoding/json"
	"fmt"
)

// Names of the schemas that the simulator can answer.
const (
	VerdictSchema = "waste_verdict"
	AdviceSchema  = "disposal_advice"
)

// Answer returns the simulator's JSON text; equal questions get equal answers.
func Answer(schema string, input, jpeg []byte) (string, error) {
	var answer any
	var err error
	switch schema {
	case VerdictSchema:
		answer = lookAt(jpeg)
	case AdviceSchema:
		answer, err = phrase(input)
	default:
		err = fmt.Errorf("simulator knows no schema %q", schema)
	}
	if err != nil {
		return "", err
	}
	text, err := json.Marshal(answer)
	if err != nil {
		return "", fmt.Errorf("writing a simulated answer: %w", err)
	}
	return string(text), nil
}

type question struct {
	Locale   string `json:"locale"`
	ItemName string `json:"item_name"`
	Why      string `json:"why"`
	Steps    []step `json:"steps"`
}

type step struct {
	ID   string `json:"id"`
	Text string `json:"text"`
}

type advice struct {
	Summary string `json:"summary"`
	Why     string `json:"why"`
	Steps   []step `json:"steps"`
}

// phrase repeats the rule: a machine without a model has nothing truer to say.
func phrase(input []byte) (advice, error) {
	var asked question
	if err := json.Unmarshal(input, &asked); err != nil {
		return advice{}, fmt.Errorf("reading a simulated question: %w", err)
	}
	said := advice{
		Summary: asked.ItemName + " 버리는 방법입니다.",
		Why:     "올바르게 분리해야 재활용할 수 있습니다.",
		Steps:   asked.Steps,
	}
	if asked.Locale == "en" {
		said.Summary = "How to dispose of " + asked.ItemName + "."
		said.Why = "Only what is sorted correctly can be recycled."
	}
	if asked.Why != "" {
		said.Why = asked.Why
	}
	return said, nil
}
