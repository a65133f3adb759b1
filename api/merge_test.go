package api

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pb33f/libopenapi"
)

var update = flag.Bool("update", false, "rewrite docs/openapi.yaml")

// docs/openapi.yaml is what clients are generated from and what a release is compared by.
func TestMergedIsKept(t *testing.T) {
	t.Parallel()
	merged, err := Merged()
	if err != nil {
		t.Fatal(err)
	}
	checkDocument(t, merged)
	path := filepath.Join("..", "docs", "openapi.yaml")
	if *update {
		if err := os.WriteFile(path, merged, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	kept, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(kept, merged) {
		t.Error("docs/openapi.yaml is not what api/*.yaml say: run `go test ./api -update`")
	}
}

// Nothing of a service's document may be lost on the way, whatever is added to it.
func TestMergedHoldsEveryOperation(t *testing.T) {
	t.Parallel()
	merged, err := Merged()
	if err != nil {
		t.Fatal(err)
	}
	all := operations(t, merged)
	count := 0
	for _, service := range Services() {
		source, err := Document(service)
		if err != nil {
			t.Fatal(err)
		}
		for route, own := range operations(t, source) {
			count++
			method, path, _ := strings.Cut(route, " ")
			got, ok := all[method+" /"+service+path]
			if !ok || got.id != own.id || got.public != own.public || got.answers != own.answers {
				t.Errorf("%s of %s is %+v, want %+v", route, service, got, own)
			}
			if got.tags != service {
				t.Errorf("%s of %s has the tags %q", route, service, got.tags)
			}
		}
	}
	if count != len(all) {
		t.Errorf("%d operations came out of %d", len(all), count)
	}
}

// operation is what must survive the merge.
type operation struct {
	id, tags string
	public   bool
	answers  int
}

func operations(t *testing.T, source []byte) map[string]operation {
	t.Helper()
	document, err := libopenapi.NewDocument(source)
	if err != nil {
		t.Fatal(err)
	}
	model, err := document.BuildV3Model()
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]operation{}
	for path, item := range model.Model.Paths.PathItems.FromOldest() {
		for method, op := range item.GetOperations().FromOldest() {
			security := op.Security
			if security == nil {
				security = model.Model.Security
			}
			found[method+" "+path] = operation{
				id: op.OperationId, tags: strings.Join(op.Tags, ","), public: len(security) == 0,
				answers: op.Responses.Codes.Len(),
			}
		}
	}
	return found
}

const (
	oneDocument = `
openapi: 3.1.0
info: {title: One, version: "1", description: The first.}
servers: [{url: /api/v1/one}]
paths:
  /things: {get: {operationId: list, responses: {"200": {description: All.}}}}
components: {schemas: {Thing: {type: object, required: [id]}}}
`
	otherDocument = `
openapi: 3.1.0
info: {title: Other, version: "1", description: The second.}
servers: [{url: /api/v1/other}]
security: [{bearer: []}]
paths:
  /things: {parameters: [], get: {responses: {"200": {description: All.}}}}
components: {schemas: {Thing: {required: [id], type: object}}}
`
)

func TestMergeAddsDocuments(t *testing.T) {
	t.Parallel()
	m, err := newMerger()
	if err != nil {
		t.Fatal(err)
	}
	if err := m.add("one", []byte(oneDocument)); err != nil {
		t.Fatal(err)
	}
	if err := m.add("other", []byte(otherDocument)); err != nil {
		t.Fatal(err)
	}
	got, err := m.yaml()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"/one/things: {get: {operationId: list,", "/other/things: {parameters: [], get:",
		"security: []", "security: [{bearer: []}]", "description: The second.",
	} {
		if !strings.Contains(string(got), want) {
			t.Errorf("%q is missing in\n%s", want, got)
		}
	}
	if n := strings.Count(string(got), "Thing:"); n != 1 {
		t.Errorf("Thing is there %d times", n)
	}
}

func TestMergeRefuses(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ name, from, to, want string }{
		{"component", "required: [id]", "required: [name]", "components/schemas/Thing"},
		{"unknown key", "components:", "webhooks:", "webhooks"},
		{"version", "openapi: 3.1.0", "openapi: 3.0.3", "3.0.3"},
		{"server", "/api/v1/other", "/api/v2/other", "/api/v1/other"},
		{"no mapping", otherDocument, "[]", "no mapping"},
		{"no YAML", "info: {", "info: {{", "parsing"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			m, err := newMerger()
			if err != nil {
				t.Fatal(err)
			}
			if err := m.add("one", []byte(oneDocument)); err != nil {
				t.Fatal(err)
			}
			err = m.add("other", []byte(strings.Replace(otherDocument, tc.from, tc.to, 1)))
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want an error with %q", err, tc.want)
			}
		})
	}
}
