package gitops

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"

	"go.yaml.in/yaml/v3"

	"github.com/wastecoach/wastecoach/internal/wcctl/helm"
)

// header begins a file that wcctl makes.
const header = "# What Argo CD lays over the chart's values. wcctl deploy changes the image; the rest is yours.\n"

// edit lays want over a file of values: it writes only what differs from under, with the file laid over it,
// and keeps comments and whatever else the file has.
func edit(old []byte, under, want map[string]any) ([]byte, error) {
	var document yaml.Node
	if err := yaml.Unmarshal(old, &document); err != nil {
		return nil, fmt.Errorf("reading the values: %w", err)
	}
	begin := []byte{}
	if len(document.Content) == 0 {
		document = yaml.Node{Kind: yaml.DocumentNode, Content: []*yaml.Node{{Kind: yaml.MappingNode}}}
		begin = old // comments
		if len(old) == 0 {
			begin = []byte(header)
		}
	}
	root := document.Content[0]
	if root.Kind != yaml.MappingNode {
		return nil, errors.New("reading the values: they are no keys with values")
	}
	have, err := helm.ParseValues(old, "in Git")
	if err != nil {
		return nil, err
	}
	changed, err := lay(root, helm.Merge(under, have), want)
	if err != nil || !changed && len(old) > 0 {
		return old, err
	}
	out := bytes.NewBuffer(begin)
	encoder := yaml.NewEncoder(out)
	encoder.SetIndent(2)
	if err := encoder.Encode(&document); err != nil {
		return nil, fmt.Errorf("writing the values: %w", err)
	}
	return out.Bytes(), encoder.Close()
}

// lay sets in a mapping what differs between have and want.
func lay(mapping *yaml.Node, have, want map[string]any) (changed bool, err error) {
	for _, key := range slices.Sorted(maps.Keys(want)) {
		value := want[key]
		before, known := have[key]
		if known && same(before, value) {
			continue
		}
		node := child(mapping, key)
		if inner, ok := value.(map[string]any); ok && (node == nil || node.Kind == yaml.MappingNode) {
			into := cmp.Or(node, &yaml.Node{Kind: yaml.MappingNode})
			below, _ := before.(map[string]any)
			deeper, err := lay(into, below, inner)
			if err != nil {
				return false, err
			}
			if deeper && node == nil {
				add(mapping, key, into)
			}
			changed = changed || deeper
			continue
		}
		var encoded yaml.Node
		if err := encoded.Encode(value); err != nil {
			return false, fmt.Errorf("writing the value of %s: %w", key, err)
		}
		if node == nil {
			add(mapping, key, &encoded)
		} else {
			encoded.HeadComment, encoded.LineComment = node.HeadComment, node.LineComment
			*node = encoded
		}
		changed = true
	}
	return changed, nil
}

// same compares values whose numbers may be of different types, as files and programs have them.
func same(a, b any) bool {
	if reflect.DeepEqual(a, b) {
		return true
	}
	left, err := yaml.Marshal(a)
	if err != nil {
		return false
	}
	right, err := yaml.Marshal(b)
	return err == nil && bytes.Equal(left, right)
}

func child(mapping *yaml.Node, key string) *yaml.Node {
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		if mapping.Content[i].Value == key {
			return mapping.Content[i+1]
		}
	}
	return nil
}

func add(mapping *yaml.Node, key string, value *yaml.Node) {
	mapping.Content = append(mapping.Content, &yaml.Node{Kind: yaml.ScalarNode, Value: key}, value)
}
