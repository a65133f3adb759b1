package modelcall

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"

	generator "github.com/invopop/jsonschema"
	validator "github.com/santhosh-tekuri/jsonschema/v6"
)

// Schema is the strict JSON schema of an answer: every property required, none added, no
// references.
type Schema struct {
	Name     string
	JSON     json.RawMessage
	compiled *validator.Schema
}

// NewSchema derives the schema of shape's type; enums gives the values of named string types.
func NewSchema(name string, shape any, enums map[reflect.Type][]any) (*Schema, error) {
	reflector := generator.Reflector{
		Anonymous:      true,
		DoNotReference: true,
		ExpandedStruct: true,
		Mapper: func(t reflect.Type) *generator.Schema {
			if values, ok := enums[t]; ok {
				return &generator.Schema{Type: "string", Enum: values}
			}
			return nil
		},
	}
	reflected := reflector.Reflect(shape)
	// Several compatible servers reject the meta-schema keyword.
	reflected.Version = ""
	text, err := json.Marshal(reflected)
	if err != nil {
		return nil, fmt.Errorf("writing schema %s: %w", name, err)
	}
	compiled, err := compile(name, string(text))
	if err != nil {
		return nil, err
	}
	return &Schema{Name: name, JSON: text, compiled: compiled}, nil
}

func compile(name, text string) (*validator.Schema, error) {
	document, err := validator.UnmarshalJSON(strings.NewReader(text))
	if err != nil {
		return nil, fmt.Errorf("reading schema %s: %w", name, err)
	}
	compiler := validator.NewCompiler()
	location := name + ".json"
	if err := compiler.AddResource(location, document); err != nil {
		return nil, fmt.Errorf("adding schema %s: %w", name, err)
	}
	compiled, err := compiler.Compile(location)
	if err != nil {
		return nil, fmt.Errorf("compiling schema %s: %w", name, err)
	}
	return compiled, nil
}

// Decode validates a model's text against the schema and stores it in the value answer points to.
func (s *Schema) Decode(text string, answer any) error {
	text = unwrap(text)
	document, err := validator.UnmarshalJSON(strings.NewReader(text))
	if err != nil {
		return fmt.Errorf("reading answer: %w", err)
	}
	if err := s.compiled.Validate(document); err != nil {
		return fmt.Errorf("checking answer: %w", err)
	}
	if err := json.Unmarshal([]byte(text), answer); err != nil {
		return fmt.Errorf("decoding answer: %w", err)
	}
	return nil
}

// unwrap removes what servers without constrained decoding put around JSON: a thinking block and
// a fence.
func unwrap(text string) string {
	if _, after, found := strings.Cut(text, "</think>"); found {
		text = after
	}
	text = strings.TrimSpace(text)
	if !strings.HasPrefix(text, "```") {
		return text
	}
	_, text, _ = strings.Cut(text, "\n")
	return strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(text), "```"))
}
