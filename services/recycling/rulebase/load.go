package rulebase

import (
	"bytes"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"

	"github.com/wastecoach/wastecoach/internal/wasteclass"
)

//go:embed schema.json region.schema.json sources.yaml items/*.yaml regions/*.yaml
var files embed.FS

// Load reads and checks the rules that are built into the binary.
func Load() (Base, error) { return load(files) }

// document is one class's file. Its items name their sources by id.
type document struct {
	Class wasteclass.Class `json:"class"`
	Name  Text             `json:"name"`
	Items []written        `json:"items"`
}

type written struct {
	Item
	Sources []string `json:"sources"`
}

func load(folder fs.FS) (Base, error) {
	schema, err := compile(folder, "schema.json")
	if err != nil {
		return Base{}, err
	}
	sources := map[string]Text{}
	if err := read(folder, "sources.yaml", nil, &sources); err != nil {
		return Base{}, err
	}
	var base Base
	for _, class := range wasteclass.All() {
		items, err := loadClass(folder, class, schema, sources)
		if err != nil {
			return Base{}, fmt.Errorf("reading the rules of %s: %w", class, err)
		}
		base.Items = append(base.Items, items...)
	}
	if err := check(base.Items); err != nil {
		return Base{}, err
	}
	if base.Regions, err = loadRegions(folder, sources); err != nil {
		return Base{}, err
	}
	base.Version, err = digest([]any{layout, base.Items, base.Regions})
	return base, err
}

func loadClass(
	folder fs.FS, class wasteclass.Class, schema *jsonschema.Schema, sources map[string]Text,
) ([]Item, error) {
	var doc document
	if err := read(folder, path.Join("items", string(class)+".yaml"), schema, &doc); err != nil {
		return nil, err
	}
	if doc.Class != class {
		return nil, fmt.Errorf("the file is about %s", doc.Class)
	}
	items := make([]Item, 0, len(doc.Items))
	for _, w := range doc.Items {
		item := w.Item
		item.Class, item.ClassName = class, doc.Name
		item.Default = item.Default || len(doc.Items) == 1
		var err error
		if item.Sources, err = named(w.Sources, sources); err != nil {
			return nil, fmt.Errorf("reading item %s: %w", item.ID, err)
		}
		items = append(items, item)
	}
	return items, nil
}

// named returns the sources of these ids.
func named(ids []string, sources map[string]Text) ([]Text, error) {
	titles := make([]Text, 0, len(ids))
	for _, id := range ids {
		title, ok := sources[id]
		if !ok {
			return nil, fmt.Errorf("the source %q is unknown", id)
		}
		titles = append(titles, title)
	}
	return titles, nil
}

func compile(folder fs.FS, file string) (*jsonschema.Schema, error) {
	text, err := fs.ReadFile(folder, file)
	if err != nil {
		return nil, fmt.Errorf("reading the schema of rules: %w", err)
	}
	parsed, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return nil, fmt.Errorf("parsing the schema of rules: %w", err)
	}
	name := "urn:wastecoach:schema:" + file
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource(name, parsed); err != nil {
		return nil, fmt.Errorf("adding the schema of rules: %w", err)
	}
	schema, err := compiler.Compile(name)
	if err != nil {
		return nil, fmt.Errorf("compiling the schema of rules: %w", err)
	}
	return schema, nil
}

// read decodes YAML by way of JSON, so that one schema and one set of tags hold for both.
func read(folder fs.FS, name string, schema *jsonschema.Schema, into any) error {
	text, err := fs.ReadFile(folder, name)
	if err != nil {
		return fmt.Errorf("reading rules: %w", err)
	}
	var value any
	if err := yaml.Unmarshal(text, &value); err != nil {
		return fmt.Errorf("parsing %s: %w", name, err)
	}
	if schema != nil {
		if err := schema.Validate(value); err != nil {
			return fmt.Errorf("checking %s: %w", name, err)
		}
	}
	asJSON, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("converting %s: %w", name, err)
	}
	if err := json.Unmarshal(asJSON, into); err != nil {
		return fmt.Errorf("decoding %s: %w", name, err)
	}
	return nil
}

// check holds what a schema cannot say, and reports every fault.
func check(items []Item) error {
	var faults []error
	fault := func(format string, args ...any) {
		faults = append(faults, fmt.Errorf("checking the rules: "+format, args...))
	}
	ids, owners := map[string]bool{}, map[[2]string]string{}
	defaults := map[wasteclass.Class]int{}
	for _, item := range items {
		if ids[item.ID] {
			fault("two items are called %s", item.ID)
		}
		ids[item.ID] = true
		if item.Default {
			defaults[item.Class]++
		}
		steps := map[string]bool{}
		for _, step := range item.Steps {
			if steps[step.ID] {
				fault("item %s has two steps %s", item.ID, step.ID)
			}
			steps[step.ID] = true
		}
		for _, label := range item.Labels() {
			key := [2]string{string(item.Class), label}
			if other, taken := owners[key]; taken {
				fault("%s and %s of class %s share the label %s", other, item.ID, item.Class, label)
			}
			owners[key] = item.ID
		}
	}
	for _, class := range wasteclass.All() {
		if defaults[class] != 1 {
			fault("class %s has %d default items, not 1", class, defaults[class])
		}
	}
	return errors.Join(faults...)
}
