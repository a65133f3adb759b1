package spec_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	generator "github.com/invopop/jsonschema"
	validator "github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"

	"github.com/wastecoach/wastecoach/internal/wcctl/spec"
)

var update = flag.Bool("update", false, "rewrite the schema, the page and the commented files")

const module = "github.com/wastecoach/wastecoach/"

// golden compares a file with what it should be, or rewrites it.
func golden(t *testing.T, path string, want []byte) {
	t.Helper()
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, want, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s is out of date: go test ./internal/wcctl/spec -update", path)
	}
}

func TestTheSchemaIsThatOfTheTypes(t *testing.T) {
	t.Parallel()
	text, err := json.MarshalIndent(generate(t), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	text = append(text, '\n')
	golden(t, "wastecoach.schema.json", text)
	golden(t, filepath.Join(docs, "wastecoach.schema.json"), text)
}

// docs is where people and editors find the schema and the page.
var docs = filepath.Join("..", "..", "..", "docs", "cluster")

// generate makes the schema from the types and their comments.
func generate(t *testing.T) *generator.Schema {
	t.Helper()
	r := &generator.Reflector{Anonymous: true, ExpandedStruct: true}
	// The comments' base is the module, so the folder is named as from its root.
	comments := &generator.Reflector{}
	if err := comments.AddGoComments(module+"internal/wcctl/spec", "."); err != nil {
		t.Fatal(err)
	}
	r.LookupComment = func(of reflect.Type, field string) string {
		key := of.PkgPath() + "." + of.Name()
		if field == "" {
			return sentence(comments.CommentMap[key])
		}
		// The comment speaks of the Go field; the schema's reader knows the key.
		text := sentence(comments.CommentMap[key+"."+field])
		if rest, ok := strings.CutPrefix(text, field+" "); ok {
			named, _ := of.FieldByName(field)
			name, _, _ := strings.Cut(named.Tag.Get("json"), ",")
			return name + " " + rest
		}
		return text
	}
	s := r.Reflect(&spec.Cluster{})
	s.Title = "wastecoach.yaml"
	conditions(s.Definitions["Spec"])
	emptyBlocks(s)
	addDefaults(s)
	return s
}

// sentence is a doc comment without its line breaks.
func sentence(comment string) string { return strings.Join(strings.Fields(comment), " ") }

// conditions ask for exactly the block that target names.
func conditions(s *generator.Schema) {
	for _, target := range spec.Targets() {
		then := &generator.Schema{Properties: generator.NewProperties()}
		for _, other := range spec.Targets() {
			if other != target {
				then.Properties.Set(string(other), generator.FalseSchema)
			}
		}
		if target == spec.AWS {
			notRead := &generator.Schema{Properties: generator.NewProperties()}
			notRead.Properties.Set("user", generator.FalseSchema)
			notRead.Properties.Set("bastion", generator.FalseSchema)
			then.Properties.Set("ssh", notRead)
		}
		if target == spec.Local {
			then.Properties.Set("ssh", &generator.Schema{
				AnyOf: []*generator.Schema{{Type: "null"}, {Type: "object", MaxProperties: ptr(uint64(0))}},
			})
		} else {
			then.Required = []string{string(target)}
		}
		when := &generator.Schema{Properties: generator.NewProperties(), Required: []string{"target"}}
		when.Properties.Set("target", &generator.Schema{Const: string(target)})
		s.AllOf = append(s.AllOf, &generator.Schema{If: when, Then: then})
	}
}

func ptr[T any](v T) *T { return &v }

// emptyBlocks lets a block without required keys be empty, as it is when all its keys are
// commented out.
func emptyBlocks(root *generator.Schema) {
	for _, s := range root.Definitions {
		for pair := s.Properties.Oldest(); pair != nil; pair = pair.Next() {
			name, isRef := strings.CutPrefix(pair.Value.Ref, "#/$defs/")
			if isRef && len(root.Definitions[name].Required) == 0 {
				ref := &generator.Schema{Ref: pair.Value.Ref}
				pair.Value.Ref = ""
				pair.Value.AnyOf = []*generator.Schema{ref, {Type: "null"}}
			}
		}
	}
}

// addDefaults writes those defaults that depend on no other key.
func addDefaults(root *generator.Schema) {
	for _, path := range spec.Paths() {
		values := defaults(path)
		text := fmt.Sprint(values[0].value)
		if values[0].value == nil || len(values) > 1 || text == exampleUser ||
			strings.Contains(text, exampleName) {
			continue
		}
		typeName, key := owner(path)
		property, _ := root.Definitions[typeName].Properties.Get(key)
		property.Default = values[0].value
	}
}

func compile(t *testing.T) *validator.Schema {
	t.Helper()
	doc, err := validator.UnmarshalJSON(bytes.NewReader(spec.Schema()))
	if err != nil {
		t.Fatal(err)
	}
	c := validator.NewCompiler()
	if err := c.AddResource("wastecoach.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("wastecoach.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// asJSON turns YAML into what the validator reads.
func asJSON(t *testing.T, text string) any {
	t.Helper()
	var v any
	if err := yaml.Unmarshal([]byte(text), &v); err != nil {
		t.Fatal(err)
	}
	encoded, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := validator.UnmarshalJSON(bytes.NewReader(encoded))
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

// TestTheSchemaAgreesWithLoad: what Load takes is valid, and a fault of the shape is none.
func TestTheSchemaAgreesWithLoad(t *testing.T) {
	t.Parallel()
	schema := compile(t)
	for _, text := range accepted(t) {
		if _, faults := check(text); spec.Stops(faults) {
			t.Errorf("Load refuses an example: %v\n%s", faults, text)
		}
		if err := schema.Validate(asJSON(t, text)); err != nil {
			t.Errorf("the schema refuses what Load takes: %v\n%s", err, text)
		}
	}
	for name, text := range misshapen {
		if _, faults := check(text); !spec.Stops(faults) {
			t.Errorf("%s: Load takes it", name)
		}
		if err := schema.Validate(asJSON(t, text)); err == nil {
			t.Errorf("%s: the schema takes it", name)
		}
	}
}
