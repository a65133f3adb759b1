package llm

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/wastecoach/wastecoach/internal/modelcall"
	"github.com/wastecoach/wastecoach/internal/simulator"
)

const maxText = 600

type answer struct {
	Summary string        `json:"summary"`
	Why     string        `json:"why"`
	Steps   []AdvisedStep `json:"steps"`
}

func newSchema() (*modelcall.Schema, error) {
	return modelcall.NewSchema(simulator.AdviceSchema, answer{}, nil)
}

// check holds the answer against the rule.
func (a answer) check(r AdviceRequest) error {
	source := told(r)
	faults := []error{
		checkSteps(a.Steps, r.Steps),
		checkText("summary", a.Summary, r.Locale, source),
		checkText("why", a.Why, r.Locale, source),
	}
	for _, step := range a.Steps {
		faults = append(faults, checkText("step "+step.ID, step.Text, r.Locale, source))
	}
	return errors.Join(faults...)
}

// told joins every text that the model was given to speak from.
func told(r AdviceRequest) string {
	texts := append([]string{r.ItemName, r.Why, r.Region}, r.Mistakes...)
	texts = append(texts, r.Parts...)
	for _, step := range r.Steps {
		texts = append(texts, step.Text)
	}
	return strings.Join(texts, "\n")
}

// checkSteps walks the rule and the answer together, so one pass finds what is invented, repeated,
// out of order or missing.
func checkSteps(said []AdvisedStep, rule []Step) error {
	next := 0
	for _, step := range rule {
		switch {
		case next < len(said) && said[next].ID == step.ID:
			next++
		case !step.Optional:
			return fmt.Errorf("step %q of the rule is missing or out of order", step.ID)
		}
	}
	if next < len(said) {
		return fmt.Errorf("step %q is not in the rule or out of order", said[next].ID)
	}
	return nil
}

func checkText(field, text, locale, source string) error {
	if strings.TrimSpace(text) == "" {
		return fmt.Errorf("%s is empty", field)
	}
	if utf8.RuneCountInString(text) > maxText {
		return fmt.Errorf("%s is longer than %d characters", field, maxText)
	}
	for _, r := range text {
		if !unicode.IsPrint(r) && r != '\n' {
			return fmt.Errorf("%s contains %U", field, r)
		}
	}
	script, language := unicode.Hangul, "Korean"
	if locale == "en" {
		script, language = unicode.Latin, "English"
	}
	if !strings.ContainsFunc(text, func(r rune) bool { return unicode.Is(script, r) }) {
		return fmt.Errorf("%s is not in %s", field, language)
	}
	return checkFacts(field, text, source)
}

// facts are what a model must not invent: figures and addresses.
var facts = regexp.MustCompile(`\d+(?:[.,:]\d+)*|(?i:https?://|www\.)[^\s]*`)

func checkFacts(field, text, source string) error {
	known := make(map[string]bool)
	for _, fact := range facts.FindAllString(source, -1) {
		known[fact] = true
	}
	for _, fact := range facts.FindAllString(text, -1) {
		if !known[fact] {
			return fmt.Errorf("%s says %q, which the rule does not", field, fact)
		}
	}
	return nil
}
