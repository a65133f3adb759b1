package api

import (
	"bytes"
	"fmt"
	"slices"

	"go.yaml.in/yaml/v3"
)

// prefix is what the ingress routes to the services.
const prefix = "/api/v1"

// head is what the merged document has of its own.
const head = `openapi: 3.1.0
info:
  title: Waste Coach
  version: "1"
  license:
    name: Apache-2.0
    identifier: Apache-2.0
  description: >-
    All services in one document: log in, send a photo of waste, poll its analysis, read the rules
    and find collection points.
servers:
  - url: ` + prefix + `
`

var methods = []string{"get", "put", "post", "delete", "options", "head", "patch", "trace"}

// Merged returns all services' documents as one, in YAML. Each operation has the tag of its service
// and says itself who may call it.
func Merged() ([]byte, error) {
	m, err := newMerger()
	if err != nil {
		return nil, err
	}
	for _, service := range Services() {
		document, err := Document(service)
		if err != nil {
			return nil, err
		}
		if err := m.add(service, document); err != nil {
			return nil, fmt.Errorf("merging the API document of %s: %w", service, err)
		}
	}
	return m.yaml()
}

// merger works on nodes, which keep the order and the style that people wrote.
type merger struct{ root, tags, paths, components *yaml.Node }

func newMerger() (*merger, error) {
	root, err := parse([]byte(head))
	if err != nil {
		return nil, err
	}
	m := &merger{root: root, tags: list(), paths: mapping(), components: mapping()}
	set(root, "tags", m.tags)
	set(root, "paths", m.paths)
	set(root, "components", m.components)
	return m, nil
}

func (m *merger) yaml() ([]byte, error) {
	var out bytes.Buffer
	encoder := yaml.NewEncoder(&out)
	encoder.SetIndent(2)
	if err := encoder.Encode(m.root); err != nil {
		return nil, fmt.Errorf("encoding the merged API document: %w", err)
	}
	return out.Bytes(), nil
}

func (m *merger) add(service string, document []byte) error {
	root, err := parse(document)
	if err != nil {
		return err
	}
	for key := range pairs(root) {
		switch key {
		case "openapi", "info", "servers", "tags", "security", "paths", "components":
		default:
			return fmt.Errorf("there is no rule how to merge %q", key)
		}
	}
	if got, want := text(child(root, "openapi")), text(child(m.root, "openapi")); got != want {
		return fmt.Errorf("it is OpenAPI %s, the others are %s", got, want)
	}
	tag := mapping()
	set(tag, "name", scalar(service))
	set(tag, "description", child(child(root, "info"), "description"))
	m.tags.Content = append(m.tags.Content, tag)
	if err := m.addPaths(service, root); err != nil {
		return err
	}
	return m.addComponents(child(root, "components"))
}

func (m *merger) addPaths(service string, root *yaml.Node) error {
	servers := child(root, "servers")
	if servers == nil || len(servers.Content) != 1 ||
		text(child(servers.Content[0], "url")) != prefix+"/"+service {
		return fmt.Errorf("its one server is not %s/%s", prefix, service)
	}
	security := child(root, "security")
	if security == nil {
		security = list() // an empty one says that anybody may call
	}
	for path, item := range pairs(child(root, "paths")) {
		for method, operation := range pairs(item) {
			if !slices.Contains(methods, method) {
				continue
			}
			set(operation, "tags", list(scalar(service)))
			if child(operation, "security") == nil {
				set(operation, "security", security)
			}
		}
		set(m.paths, "/"+service+path, item)
	}
	return nil
}

func (m *merger) addComponents(components *yaml.Node) error {
	for kind, named := range pairs(components) {
		all := child(m.components, kind)
		if all == nil {
			all = mapping()
			set(m.components, kind, all)
		}
		for name, component := range pairs(named) {
			other := child(all, name)
			if other == nil {
				set(all, name, component)
				continue
			}
			same, err := equal(other, component)
			if err != nil {
				return err
			}
			if !same {
				return fmt.Errorf("components/%s/%s differs from that of another document", kind, name)
			}
		}
	}
	return nil
}
