// Package apitest holds handlers and their OpenAPI document together in tests.
package apitest

import (
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"sync"

	"github.com/pb33f/libopenapi"
	validator "github.com/pb33f/libopenapi-validator"
	"github.com/pb33f/libopenapi-validator/config"
	"github.com/pb33f/libopenapi-validator/router"
	"github.com/pb33f/libopenapi/datamodel"
	v3 "github.com/pb33f/libopenapi/datamodel/high/v3"
)

// Contract is an OpenAPI 3.1 document and the record of what tests have seen of it. One Contract
// serves all tests of a package, parallel ones too.
type Contract struct {
	model    *v3.Document
	basePath string
	check    validator.Validator
	routes   router.Router

	// openMaps are the schemas that allow any name, which the validator's strict mode reports.
	openMaps map[position]bool

	mu   sync.Mutex
	seen map[answer]bool
}

// answer is one documented status of one operation.
type answer struct {
	Method string
	Path   string // as in the document, below the first server's path
	Status string // a code, a range such as 4XX, or default
}

// String returns "GET /things/{id} 200".
func (a answer) String() string { return a.Method + " " + a.Path + " " + a.Status }

// New reads a self-contained OpenAPI document in YAML or JSON.
func New(document []byte) (*Contract, error) {
	silent := slog.New(slog.DiscardHandler) // every fault comes back as an error, too
	settings := datamodel.NewDocumentConfiguration()
	settings.Logger = silent
	parsed, err := libopenapi.NewDocumentWithConfiguration(document, settings)
	if err != nil {
		return nil, fmt.Errorf("parsing the document: %w", err)
	}
	built, err := parsed.BuildV3Model()
	if err != nil {
		return nil, fmt.Errorf("building the document's model: %w", err)
	}
	check, errs := validator.NewValidator(parsed,
		config.WithLogger(silent),
		config.WithFormatAssertions(),
		// Documents let clients meet unknown properties; handlers may not send undocumented ones.
		config.WithStrictMode(),
		config.WithRejectUndeclaredRequestBody(),
	)
	if len(errs) > 0 {
		return nil, fmt.Errorf("making a validator: %w", errs[0])
	}
	openMaps, err := findOpenMaps(document)
	if err != nil {
		return nil, err
	}
	return &Contract{
		openMaps: openMaps,
		model:    &built.Model,
		basePath: basePath(&built.Model),
		check:    check,
		routes:   router.NewRouter(&built.Model, router.WithPathOnlyMatching()),
		seen:     map[answer]bool{},
	}, nil
}

// Must is for a package-level Contract: apitest.Must(api.Document("waste")). It panics on err.
func Must(document []byte, err error) *Contract {
	if err != nil {
		panic(err)
	}
	c, err := New(document)
	if err != nil {
		panic(err)
	}
	return c
}

// basePath is the path of the first server, which handlers have and documented paths lack.
func basePath(model *v3.Document) string {
	if len(model.Servers) == 0 {
		return ""
	}
	server, err := url.Parse(model.Servers[0].URL)
	if err != nil {
		return ""
	}
	return strings.TrimSuffix(server.Path, "/")
}

// operation is one method of one path, as documented.
type operation struct {
	method, path string
	*v3.Operation
}

func (c *Contract) operations() []operation {
	if c.model.Paths == nil {
		return nil
	}
	var all []operation
	for path, item := range c.model.Paths.PathItems.FromOldest() {
		for method, op := range item.GetOperations().FromOldest() {
			all = append(all, operation{strings.ToUpper(method), path, op})
		}
	}
	return all
}

// answers lists every documented status of every operation, in the document's order.
func (c *Contract) answers() []answer {
	var all []answer
	for _, op := range c.operations() {
		if op.Responses == nil {
			continue
		}
		for status := range op.Responses.Codes.KeysFromOldest() {
			all = append(all, answer{op.method, op.path, status})
		}
		if op.Responses.Default != nil {
			all = append(all, answer{op.method, op.path, "default"})
		}
	}
	return all
}
