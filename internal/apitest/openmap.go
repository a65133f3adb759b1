package apitest

import (
	"fmt"

	"go.yaml.in/yaml/v3"
)

// position is where a schema begins in the document.
type position struct{ line, column int }

// findOpenMaps finds the schemas whose additionalProperties is true or a schema.
func findOpenMaps(document []byte) (map[position]bool, error) {
	var root yaml.Node
	if err := yaml.Unmarshal(document, &root); err != nil {
		return nil, fmt.Errorf("parsing the document: %w", err)
	}
	found := map[position]bool{}
	collectOpenMaps(&root, found)
	return found, nil
}

func collectOpenMaps(node *yaml.Node, found map[position]bool) {
	if node.Kind == yaml.MappingNode {
		for i := 0; i+1 < len(node.Content); i += 2 {
			key, value := node.Content[i], node.Content[i+1]
			open := value.Kind == yaml.MappingNode || value.Value == "true"
			if key.Value == "additionalProperties" && open {
				found[position{node.Line, node.Column}] = true
			}
		}
	}
	for _, child := range node.Content {
		collectOpenMaps(child, found)
	}
}
