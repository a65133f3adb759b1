package spec_test

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	generator "github.com/invopop/jsonschema"

	"github.com/wastecoach/wastecoach/internal/wcctl/spec"
)

// What defaults hold that come from other keys.
const (
	exampleName = "NAME"
	exampleUser = "USER"
)

// defaultValue is what Default writes, with the targets that it holds for.
type defaultValue struct {
	value   any
	targets []string
}

// defaults are what is used where path is left out, one element per different value; the first is
// without value where there is none.
func defaults(path string) []defaultValue {
	var found []defaultValue
	for _, target := range spec.Targets() {
		c := &spec.Cluster{Metadata: spec.Metadata{Name: exampleName}}
		c.Spec.Target = target
		c.Spec.AWS, c.Spec.Hosts, c.Spec.Local = nil, nil, nil
		switch target {
		case spec.AWS:
			c.Spec.AWS = &spec.AWSTarget{}
		case spec.Hosts:
			c.Spec.SSH.Bastion = &spec.Bastion{}
			if path != "spec.ssh.user" {
				c.Spec.SSH.User = exampleUser
			}
			c.Spec.Hosts = &spec.HostsTarget{Workers: []spec.Host{{Edge: true}, {}}}
		case spec.Local:
		}
		spec.Default(c, releases)
		// The second worker stands for all: the first may be the edge.
		value := at(reflect.ValueOf(c).Elem(), strings.ReplaceAll(path, "[]", "[1]"))
		if !value.IsValid() || value.IsZero() || value.Kind() == reflect.Struct ||
			value.Kind() == reflect.Pointer || value.Kind() == reflect.Slice || required[path] {
			continue
		}
		if n := len(found); n > 0 && found[n-1].value == value.Interface() {
			found[n-1].targets = append(found[n-1].targets, string(target))
			continue
		}
		found = append(found, defaultValue{value.Interface(), []string{string(target)}})
	}
	if len(found) == 0 {
		return []defaultValue{{}}
	}
	return found
}

// required are keys that this test writes because Default reads them.
var required = map[string]bool{"metadata.name": true, "spec.target": true}

// at follows path from v; the answer is invalid where a block is missing.
func at(v reflect.Value, path string) reflect.Value {
	for key := range strings.SplitSeq(path, ".") {
		name, index, listed := strings.Cut(key, "[")
		if v.Kind() == reflect.Pointer {
			v = v.Elem()
		}
		if !v.IsValid() {
			return v
		}
		v = fieldOf(v, name)
		if listed {
			if v.Len() < 2 || index != "1]" {
				return reflect.Value{}
			}
			v = v.Index(1)
		}
	}
	return v
}

func fieldOf(v reflect.Value, key string) reflect.Value {
	for i := range v.NumField() {
		if name, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ","); name == key {
			return v.Field(i)
		}
	}
	return reflect.Value{}
}

// owner names the type that has the last key of path.
func owner(path string) (typeName, key string) {
	t := reflect.TypeFor[spec.Cluster]()
	keys := strings.Split(strings.ReplaceAll(path, "[]", ""), ".")
	for _, key := range keys[:len(keys)-1] {
		t = fieldOf(reflect.New(t).Elem(), key).Type()
		for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
			t = t.Elem()
		}
	}
	return t.Name(), keys[len(keys)-1]
}

const (
	tableBegin = "<!-- go test ./internal/wcctl/spec -update writes what follows -->\n"
	tableEnd   = "<!-- until here -->\n"
)

// TestThePageIsThatOfTheTypes keeps the table of keys in docs/cluster/configuration.md.
func TestThePageIsThatOfTheTypes(t *testing.T) {
	t.Parallel()
	path := filepath.Join(docs, "configuration.md")
	page, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(page), tableBegin)
	_, after, ended := strings.Cut(rest, tableEnd)
	if !ok || !ended {
		t.Fatalf("%s has lost the marks of its table", path)
	}
	golden(t, path, []byte(before+tableBegin+table(generate(t))+tableEnd+after))
}

// table has a row for each key, read from the schema.
func table(root *generator.Schema) string {
	var b strings.Builder
	b.WriteString("| key | type | default | meaning |\n|---|---|---|---|\n")
	for _, path := range spec.Paths() {
		typeName, key := owner(path)
		of := root
		if typeName != "Cluster" {
			of = root.Definitions[typeName]
		}
		property, _ := of.Properties.Get(key)
		needed := ""
		for _, r := range of.Required {
			if r == key {
				needed = "**required**"
			}
		}
		meaning := property.Description
		if ref := refOf(property); meaning == "" && ref != "" {
			meaning = root.Definitions[ref].Description
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", path, typeOf(property),
			strings.TrimSpace(needed+" "+defaultText(path)), strings.ReplaceAll(meaning, "|", `\|`))
	}
	return b.String()
}

func defaultText(path string) string {
	found := defaults(path)
	if found[0].value == nil {
		return ""
	}
	if len(found) == 1 {
		return fmt.Sprintf("`%v`", found[0].value)
	}
	parts := make([]string, len(found))
	for i, f := range found {
		parts[i] = fmt.Sprintf("%s: `%v`", strings.Join(f.targets, ", "), f.value)
	}
	return strings.Join(parts, "; ")
}

func refOf(s *generator.Schema) string {
	if len(s.AnyOf) > 0 {
		s = s.AnyOf[0]
	}
	return strings.TrimPrefix(s.Ref, "#/$defs/")
}

func typeOf(s *generator.Schema) string {
	switch {
	case refOf(s) != "":
		return "block"
	case s.Type == "array" && s.Items.Ref != "":
		return "list of blocks"
	case s.Type == "array":
		return "list of text"
	case len(s.Enum) > 0:
		words := make([]string, len(s.Enum))
		for i, w := range s.Enum {
			words[i] = fmt.Sprintf("`%v`", w)
		}
		return strings.Join(words, ", ")
	}
	name := map[string]string{
		"string": "text", "integer": "whole number", "number": "number", "boolean": "true or false",
		"object": "table",
	}[s.Type]
	least, most := s.Minimum.String(), s.Maximum.String()
	switch {
	case least != "" && most != "":
		name += ", " + least + " to " + most
	case least != "":
		name += ", at least " + least
	}
	return name
}
