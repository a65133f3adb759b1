package vision

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/wastecoach/wastecoach/internal/modelcall"
	"github.com/wastecoach/wastecoach/internal/simulator"
	"github.com/wastecoach/wastecoach/internal/wasteclass"
)

const (
	maxText  = 80
	maxLabel = 60
)

// answer is what the model fills in; its tags keep to the keywords that strict mode supports.
type answer struct {
	Class      wasteclass.Class `json:"class"`
	Label      string           `json:"label"`
	Material   string           `json:"material"`
	Shape      string           `json:"shape"`
	Parts      []Part           `json:"parts" jsonschema:"maxItems=8"`
	Confidence float64          `json:"confidence" jsonschema:"minimum=0,maximum=1"`
	NameKO     string           `json:"name_ko"`
	NameEN     string           `json:"name_en"`
}

func newSchema() (*modelcall.Schema, error) {
	var classes []any
	for _, class := range wasteclass.All() {
		classes = append(classes, string(class))
	}
	return modelcall.NewSchema(simulator.VerdictSchema, answer{}, map[reflect.Type][]any{
		reflect.TypeFor[wasteclass.Class](): classes,
	})
}

// check holds what strict mode cannot express: lengths, and text that is safe to show and store.
func (a answer) check() error {
	faults := []error{
		text("material", a.Material), text("shape", a.Shape),
		text("name_ko", a.NameKO), text("name_en", a.NameEN),
	}
	if label(a.Label) == "" {
		faults = append(faults, errors.New("label has no ASCII letter or digit"))
	}
	for _, part := range a.Parts {
		faults = append(faults, text("part name", part.Name), text("part material", part.Material))
	}
	return errors.Join(faults...)
}

func text(field, value string) error {
	if strings.TrimSpace(value) == "" {
		return fmt.Errorf("%s is empty", field)
	}
	if utf8.RuneCountInString(value) > maxText {
		return fmt.Errorf("%s is longer than %d characters", field, maxText)
	}
	for _, r := range value {
		if !unicode.IsPrint(r) {
			return fmt.Errorf("%s contains %U", field, r)
		}
	}
	return nil
}

// label brings "Glass Bottle", "glass-bottle" and the like to snake_case; what a photo's text may
// have smuggled into it does not survive.
func label(raw string) string {
	words := strings.FieldsFunc(strings.ToLower(raw), func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9')
	})
	joined := strings.Join(words, "_")
	return strings.TrimRight(joined[:min(len(joined), maxLabel)], "_")
}

func (a answer) verdict() Verdict {
	parts := a.Parts
	if parts == nil {
		parts = []Part{}
	}
	return Verdict{
		Class: a.Class, Label: label(a.Label), Material: a.Material, Shape: a.Shape, Parts: parts,
		Confidence: a.Confidence, NameKO: a.NameKO, NameEN: a.NameEN,
	}
}
