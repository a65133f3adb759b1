package api

import (
	"bytes"
	"encoding/json"
	"fmt"

	"go.yaml.in/yaml/v3"
)

// toJSON converts node by node: decoding into maps would sort the keys, and would turn the status
// code keys into numbers and unquoted times into time values, neither of which JSON can hold.
func toJSON(document []byte) ([]byte, error) {
	var root yaml.Node
	if err := yaml.Unmarshal(document, &root); err != nil {
		return nil, fmt.Errorf("parsing YAML: %w", err)
	}
	var out bytes.Buffer
	if err := writeNode(&out, &root); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

func writeNode(out *bytes.Buffer, node *yaml.Node) error {
	switch node.Kind {
	case yaml.DocumentNode:
		return writeNode(out, node.Content[0])
	case yaml.AliasNode:
		return writeNode(out, node.Alias)
	case yaml.MappingNode:
		return writeList(out, '{', '}', len(node.Content)/2, func(i int) error {
			key, value := node.Content[2*i], node.Content[2*i+1]
			if key.Tag == "!!merge" {
				return fmt.Errorf("line %d: merge keys are not supported", key.Line)
			}
			if err := writeValue(out, key.Value); err != nil {
				return err
			}
			out.WriteByte(':')
			return writeNode(out, value)
		})
	case yaml.SequenceNode:
		return writeList(out, '[', ']', len(node.Content), func(i int) error {
			return writeNode(out, node.Content[i])
		})
	case yaml.ScalarNode:
		return writeScalar(out, node)
	default:
		return fmt.Errorf("line %d: unknown kind of node", node.Line)
	}
}

func writeList(out *bytes.Buffer, opening, closing byte, n int, item func(int) error) error {
	out.WriteByte(opening)
	for i := range n {
		if i > 0 {
			out.WriteByte(',')
		}
		if err := item(i); err != nil {
			return err
		}
	}
	out.WriteByte(closing)
	return nil
}

func writeScalar(out *bytes.Buffer, node *yaml.Node) error {
	switch node.ShortTag() {
	case "!!null", "!!bool", "!!int", "!!float":
		var value any
		if err := node.Decode(&value); err != nil {
			return fmt.Errorf("line %d: %w", node.Line, err)
		}
		return writeValue(out, value)
	default:
		return writeValue(out, node.Value)
	}
}

func writeValue(out *bytes.Buffer, value any) error {
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return fmt.Errorf("encoding %v: %w", value, err)
	}
	out.Truncate(out.Len() - 1) // Encode ends with a newline
	return nil
}
