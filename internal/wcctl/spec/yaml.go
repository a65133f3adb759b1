package spec

import (
	"bytes"
	"encoding/json"
	"fmt"

	"go.yaml.in/yaml/v3"
)

// YAML writes the cluster as a file, its keys in the order of the types.
func (c *Cluster) YAML() ([]byte, error) {
	// JSON is YAML, so the node keeps the order that encoding/json gives.
	text, err := json.Marshal(c)
	if err != nil {
		return nil, fmt.Errorf("encoding the cluster: %w", err)
	}
	var root yaml.Node
	if err := yaml.Unmarshal(text, &root); err != nil {
		return nil, fmt.Errorf("encoding the cluster: %w", err)
	}
	asBlocks(&root)
	var out bytes.Buffer
	encoder := yaml.NewEncoder(&out)
	encoder.SetIndent(2)
	if err := encoder.Encode(&root); err != nil {
		return nil, fmt.Errorf("encoding the cluster: %w", err)
	}
	return out.Bytes(), nil
}

func asBlocks(node *yaml.Node) {
	node.Style = 0
	for _, child := range node.Content {
		asBlocks(child)
	}
}
