// Package api holds the OpenAPI 3.1 documents, which are the contract with the clients.
package api

import (
	"embed"
	"fmt"
	"slices"
	"strings"
)

// shared is the document that holds nothing but the components that all documents repeat.
const shared = "shared"

//go:embed *.yaml
var documents embed.FS

// Services lists the services that have a document, sorted.
func Services() []string {
	entries, err := documents.ReadDir(".")
	if err != nil {
		panic(err) // an embedded root that cannot be listed is a broken build
	}
	var services []string
	for _, entry := range entries {
		if name := strings.TrimSuffix(entry.Name(), ".yaml"); name != shared {
			services = append(services, name)
		}
	}
	slices.Sort(services)
	return services
}

// Document returns a service's document as it was written, in YAML.
func Document(service string) ([]byte, error) {
	document, err := documents.ReadFile(service + ".yaml")
	if err != nil {
		return nil, fmt.Errorf("reading the API document of %s: %w", service, err)
	}
	return document, nil
}

// JSON returns a service's document as compact JSON, its keys in the order they were written.
func JSON(service string) ([]byte, error) {
	document, err := Document(service)
	if err != nil {
		return nil, err
	}
	converted, err := toJSON(document)
	if err != nil {
		return nil, fmt.Errorf("converting the API document of %s: %w", service, err)
	}
	return converted, nil
}
