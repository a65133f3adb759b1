package llm

import "context"

// RuleModel is the Model of advice that no model wrote.
const RuleModel = "rule"

// FromRule is the advice that the rule itself gives: complete, in the rule's own words.
func FromRule(r AdviceRequest) Advice {
	advice := Advice{Summary: r.ItemName + " 배출 방법", Why: r.Why, Model: RuleModel}
	if r.Locale == "en" {
		advice.Summary = "How to dispose of " + r.ItemName
	}
	advice.Steps = make([]AdvisedStep, 0, len(r.Steps))
	for _, step := range r.Steps {
		advice.Steps = append(advice.Steps, AdvisedStep{ID: step.ID, Text: step.Text})
	}
	return advice
}

type ruleAdvisor struct{}

func (ruleAdvisor) Advise(_ context.Context, r AdviceRequest) (Advice, error) {
	return FromRule(r), nil
}
