package spec

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"reflect"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Parse reads a file strictly. What it could not read is a fault each; the rest is in the cluster,
// which has no defaults yet.
func Parse(data []byte) (*Cluster, []Fault) {
	c := &Cluster{lines: map[string]int{}}
	p := &parser{lines: c.lines}
	if root := p.document(data); root != nil {
		p.value(root, "", reflect.ValueOf(c).Elem())
	}
	return c, p.faults
}

// parser fills Go values from YAML nodes and remembers where each key stood.
type parser struct {
	lines  map[string]int
	faults []Fault
}

func (p *parser) fault(line int, path, hint, format string, args ...any) {
	p.faults = append(p.faults,
		Fault{Path: path, Line: line, Text: fmt.Sprintf(format, args...), Hint: hint})
}

// document returns the one document of a file.
func (p *parser) document(data []byte) *yaml.Node {
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	var first, second yaml.Node
	switch err := decoder.Decode(&first); {
	case errors.Is(err, io.EOF):
		p.fault(1, "", "", "the file is empty")
		return nil
	case err != nil:
		p.syntax(err)
		return nil
	}
	if err := decoder.Decode(&second); err == nil {
		p.fault(second.Line, "", "keep one, without ---", "the file holds more than one document")
	} else if !errors.Is(err, io.EOF) {
		p.syntax(err)
	}
	if len(first.Content) == 0 {
		p.fault(1, "", "", "the file is empty")
		return nil
	}
	return first.Content[0]
}

var yamlLine = regexp.MustCompile(`^(?:yaml: )?(?:line (\d+): )?`)

func (p *parser) syntax(err error) {
	text := err.Error()
	found := yamlLine.FindStringSubmatch(text)
	line, _ := strconv.Atoi(found[1]) // 0 where the library names none
	p.fault(line, "", "", "is no YAML: %s", text[len(found[0]):])
}

// value reads node into v.
func (p *parser) value(node *yaml.Node, path string, v reflect.Value) {
	if node.Kind == yaml.AliasNode {
		node = node.Alias
	}
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		p.value(node, path, v.Elem())
	case reflect.Struct:
		// A block whose keys are all commented out is an empty block.
		if !isNull(node) && p.holds(node, path, yaml.MappingNode, "", "a block of keys") {
			p.mapping(node, path, v)
		}
	case reflect.Map:
		if !isNull(node) && p.holds(node, path, yaml.MappingNode, "", "a block of keys") {
			p.table(node, path, v)
		}
	case reflect.Interface:
		if err := node.Decode(v.Addr().Interface()); err != nil {
			p.fault(node.Line, path, "", "cannot be read: %v", err)
		}
	case reflect.Slice:
		if p.holds(node, path, yaml.SequenceNode, "", "a list") {
			p.list(node, path, v)
		}
	case reflect.String:
		if p.holds(node, path, yaml.ScalarNode, "!!str", "text") {
			v.SetString(node.Value)
		}
	case reflect.Bool:
		if p.holds(node, path, yaml.ScalarNode, "!!bool", "true or false") {
			v.SetBool(strings.EqualFold(node.Value, "true"))
		}
	case reflect.Int:
		p.number(node, path, "!!int", "a whole number", v)
	case reflect.Float64:
		p.number(node, path, "!!int !!float", "a number", v)
	default:
		p.fault(node.Line, path, "", "has the unsupported type %s", v.Type())
	}
}

func (p *parser) number(node *yaml.Node, path, tags, what string, v reflect.Value) {
	if !p.holds(node, path, yaml.ScalarNode, tags, what) {
		return
	}
	if err := node.Decode(v.Addr().Interface()); err != nil {
		p.fault(node.Line, path, "", "%s is too large", node.Value)
	}
}

// holds reports a node of another kind than wanted. Tags may name several.
func (p *parser) holds(node *yaml.Node, path string, kind yaml.Kind, tags, what string) bool {
	if node.Kind == kind && (tags == "" || strings.Contains(tags, node.ShortTag())) {
		return true
	}
	switch {
	case isNull(node):
		p.fault(node.Line, path, "remove the key, or give it "+what, "has no value")
	case node.Kind == yaml.ScalarNode && tags == "!!str":
		p.fault(node.Line, path, fmt.Sprintf("write it in quotes: %q", node.Value),
			"%s is no text", node.Value)
	default:
		p.fault(node.Line, path, "", "must be %s, not %s", what, describe(node))
	}
	return false
}

func isNull(node *yaml.Node) bool {
	return node.Kind == yaml.ScalarNode && node.ShortTag() == "!!null"
}

func describe(node *yaml.Node) string {
	switch node.Kind {
	case yaml.MappingNode:
		return "a block of keys"
	case yaml.SequenceNode:
		return "a list"
	case yaml.AliasNode:
		return "*" + node.Value
	default:
		return strconv.Quote(node.Value)
	}
}

func (p *parser) list(node *yaml.Node, path string, v reflect.Value) {
	v.Set(reflect.MakeSlice(v.Type(), len(node.Content), len(node.Content)))
	for i, item := range node.Content {
		at := fmt.Sprintf("%s[%d]", path, i)
		p.lines[at] = item.Line
		p.value(item, at, v.Index(i))
	}
}

// table reads a block whose keys are not ours to choose.
func (p *parser) table(node *yaml.Node, path string, v reflect.Value) {
	v.Set(reflect.MakeMap(v.Type()))
	for i := 0; i+1 < len(node.Content); i += 2 {
		key, value := node.Content[i], reflect.New(v.Type().Elem()).Elem()
		at := join(path, key.Value)
		if first := p.lines[at]; first > 0 {
			p.fault(key.Line, at, "keep one of them", "stands in line %d already", first)
			continue
		}
		p.lines[at] = key.Line
		p.value(node.Content[i+1], at, value)
		v.SetMapIndex(reflect.ValueOf(key.Value), value)
	}
}

func (p *parser) mapping(node *yaml.Node, path string, v reflect.Value) {
	keys := keysOf(v.Type())
	seen := map[string]int{}
	for i := 0; i+1 < len(node.Content); i += 2 {
		key, value := node.Content[i], node.Content[i+1]
		if key.Kind != yaml.ScalarNode {
			p.fault(key.Line, path, "", "a key must be a word, not %s", describe(key))
			continue
		}
		at := join(path, key.Value)
		field, known := keys[key.Value]
		switch first, again := seen[key.Value]; {
		case again:
			p.fault(key.Line, at, "keep one of them", "stands in line %d already", first)
			continue
		case !known:
			p.fault(key.Line, at, suggestKey(path, key.Value, keys), "is not a known key")
		default:
			p.lines[at] = key.Line
			p.value(value, at, v.Field(field))
		}
		seen[key.Value] = key.Line
	}
}

// keysOf returns the index of each field by its key.
func keysOf(t reflect.Type) map[string]int {
	keys := map[string]int{}
	for i := range t.NumField() {
		if name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ","); name != "" {
			keys[name] = i
		}
	}
	return keys
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}
