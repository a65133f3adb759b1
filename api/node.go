package api

import (
	"errors"
	"fmt"
	"iter"
	"reflect"

	"go.yaml.in/yaml/v3"
)

// parse returns the mapping that a document consists of.
func parse(document []byte) (*yaml.Node, error) {
	var root yaml.Node
	if err := yaml.Unmarshal(document, &root); err != nil {
		return nil, fmt.Errorf("parsing YAML: %w", err)
	}
	if root.Kind != yaml.DocumentNode || root.Content[0].Kind != yaml.MappingNode {
		return nil, errors.New("the document is no mapping")
	}
	return root.Content[0], nil
}

func scalar(text string) *yaml.Node { return &yaml.Node{Kind: yaml.ScalarNode, Value: text} }

func mapping() *yaml.Node { return &yaml.Node{Kind: yaml.MappingNode} }

func list(items ...*yaml.Node) *yaml.Node {
	return &yaml.Node{Kind: yaml.SequenceNode, Content: items}
}

// pairs iterates over a mapping in the order of its keys; anything else has none.
func pairs(node *yaml.Node) iter.Seq2[string, *yaml.Node] {
	return func(yield func(string, *yaml.Node) bool) {
		if node == nil || node.Kind != yaml.MappingNode {
			return
		}
		for i := 0; i+1 < len(node.Content); i += 2 {
			if !yield(node.Content[i].Value, node.Content[i+1]) {
				return
			}
		}
	}
}

// child returns what a mapping has for a key, or nil.
func child(node *yaml.Node, key string) *yaml.Node {
	for name, value := range pairs(node) {
		if name == key {
			return value
		}
	}
	return nil
}

// set gives a mapping's key a value.
func set(node *yaml.Node, key string, value *yaml.Node) {
	for i := 0; i+1 < len(node.Content); i += 2 {
		if node.Content[i].Value == key {
			node.Content[i+1] = value
			return
		}
	}
	node.Content = append(node.Content, scalar(key), value)
}

// text returns what a scalar says; anything else says nothing.
func text(node *yaml.Node) string {
	if node == nil {
		return ""
	}
	return node.Value
}

// equal compares what two nodes say, not how they are written.
func equal(a, b *yaml.Node) (bool, error) {
	var left, right any
	if err := a.Decode(&left); err != nil {
		return false, fmt.Errorf("line %d: %w", a.Line, err)
	}
	if err := b.Decode(&right); err != nil {
		return false, fmt.Errorf("line %d: %w", b.Line, err)
	}
	return reflect.DeepEqual(left, right), nil
}
