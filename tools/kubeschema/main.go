// Command kubeschema makes the JSON schemas that kubeconform checks objects with: of Kubernetes' own
// kinds out of its OpenAPI document, of others out of their CustomResourceDefinitions.
//
//	kubeschema OUT SWAGGER.json [CRD.yaml …]
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"sigs.k8s.io/yaml"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) < 2 {
		return errors.New("usage: kubeschema OUT SWAGGER.json [CRD.yaml …]")
	}
	if err := os.MkdirAll(args[0], 0o755); err != nil { //nolint:gosec // schemas are public
		return fmt.Errorf("making the folder of schemas: %w", err)
	}
	if err := ownKinds(args[0], args[1]); err != nil {
		return err
	}
	for _, path := range args[2:] {
		if err := customKind(args[0], path); err != nil {
			return err
		}
	}
	return nil
}

type schema = map[string]any

const (
	refPrefix = "#/definitions/"
	kindsKey  = "x-kubernetes-group-version-kind"
)

// ownKinds writes a schema for each kind of the OpenAPI document, with all that it refers to.
func ownKinds(out, path string) error {
	var document struct {
		Definitions map[string]schema `json:"definitions"`
	}
	if err := read(path, &document); err != nil {
		return err
	}
	for name, definition := range document.Definitions {
		loosen(name, definition)
		tighten(definition)
	}
	for name, definition := range document.Definitions {
		kinds, _ := definition[kindsKey].([]any)
		for _, entry := range kinds {
			gvk, _ := entry.(schema)
			used := map[string]schema{}
			reach(schema{"$ref": refPrefix + name}, document.Definitions, used)
			whole := schema{"$ref": refPrefix + name, "definitions": used}
			if err := write(out, text(gvk["group"]), text(gvk["version"]), text(gvk["kind"]), whole); err != nil {
				return err
			}
		}
	}
	return nil
}

// customKind writes a schema for each version of a CustomResourceDefinition.
func customKind(out, path string) error {
	var crd struct {
		Spec struct {
			Group    string
			Names    struct{ Kind string }
			Versions []struct {
				Name   string
				Schema struct{ OpenAPIV3Schema schema }
			}
		}
	}
	if err := read(path, &crd); err != nil {
		return err
	}
	for _, version := range crd.Spec.Versions {
		tighten(version.Schema.OpenAPIV3Schema)
		if err := write(out, crd.Spec.Group, version.Name, crd.Spec.Names.Kind,
			version.Schema.OpenAPIV3Schema); err != nil {
			return err
		}
	}
	return nil
}

// loosen mends the two definitions that the document cannot express.
func loosen(name string, definition schema) {
	switch {
	case strings.HasSuffix(name, ".IntOrString"):
		definition["type"] = []any{"string", "integer"}
	case strings.HasSuffix(name, ".Quantity"):
		definition["type"] = []any{"string", "number"}
	}
}

// tighten refuses fields that a schema does not name, which the API server would drop or refuse.
func tighten(node any) {
	switch node := node.(type) {
	case []any:
		for _, item := range node {
			tighten(item)
		}
	case schema:
		for _, value := range node {
			tighten(value)
		}
		if node["x-kubernetes-int-or-string"] == true {
			node["type"] = []any{"string", "integer"}
		}
		_, closed := node["properties"].(schema)
		_, decided := node["additionalProperties"]
		if closed && !decided && node["x-kubernetes-preserve-unknown-fields"] != true {
			node["additionalProperties"] = false
		}
	}
}

// reach collects the definitions that a node refers to, and those that they refer to.
func reach(node any, all, used map[string]schema) {
	switch node := node.(type) {
	case []any:
		for _, item := range node {
			reach(item, all, used)
		}
	case schema:
		if name, refers := strings.CutPrefix(text(node["$ref"]), refPrefix); refers && used[name] == nil {
			used[name] = all[name]
			reach(all[name], all, used)
		}
		for _, value := range node {
			reach(value, all, used)
		}
	}
}

func text(value any) string {
	s, _ := value.(string)
	return s
}

// write names the file as kubeconform's {{.ResourceKind}}{{.KindSuffix}} does.
func write(out, group, version, kind string, content schema) error {
	name := kind + "-" + version
	if group != "" {
		first, _, _ := strings.Cut(group, ".")
		name = kind + "-" + first + "-" + version
	}
	data, err := json.Marshal(content)
	if err == nil {
		path := filepath.Join(out, strings.ToLower(name)+".json")
		err = os.WriteFile(path, data, 0o644) //nolint:gosec // schemas are public
	}
	if err != nil {
		return fmt.Errorf("writing the schema of %s: %w", name, err)
	}
	return nil
}

func read(path string, into any) error {
	data, err := os.ReadFile(path)
	switch {
	case err != nil:
	case filepath.Ext(path) == ".json": // many times faster than as YAML
		err = json.Unmarshal(data, into)
	default:
		err = yaml.Unmarshal(data, into)
	}
	if err != nil {
		return fmt.Errorf("reading %s: %w", path, err)
	}
	return nil
}
