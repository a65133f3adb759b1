package api

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/pb33f/libopenapi"
	validator "github.com/pb33f/libopenapi-validator"
	"go.yaml.in/yaml/v3"
)

func TestDocumentsAreValidOpenAPI(t *testing.T) {
	t.Parallel()
	for _, name := range append(Services(), shared) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			source, err := Document(name)
			if err != nil {
				t.Fatal(err)
			}
			checkDocument(t, source)
		})
	}
}

func checkDocument(t *testing.T, source []byte) {
	t.Helper()
	document, err := libopenapi.NewDocument(source)
	if err != nil {
		t.Fatalf("parsing: %v", err)
	}
	if version := document.GetVersion(); !strings.HasPrefix(version, "3.1.") {
		t.Errorf("openapi is %q, want 3.1", version)
	}
	// Building the model resolves every reference; the schema check does not.
	if _, err := document.BuildV3Model(); err != nil {
		t.Fatalf("building the model: %v", err)
	}
	check, errs := validator.NewValidator(document)
	if len(errs) > 0 {
		t.Fatalf("making a validator: %v", errs)
	}
	if ok, faults := check.ValidateDocument(); !ok {
		for _, fault := range faults {
			t.Error(fault)
		}
	}
}

// Each document stands alone, so each repeats the shared components: one name, one meaning.
func TestComponentsOfOneNameAreEqual(t *testing.T) {
	t.Parallel()
	first := map[string]string{} // component to the document that it was first seen in
	seen := map[string]any{}
	for _, name := range append([]string{shared}, Services()...) {
		for component, value := range components(t, name) {
			if other, ok := first[component]; !ok {
				first[component], seen[component] = name, value
			} else if !reflect.DeepEqual(seen[component], value) {
				t.Errorf("%s differs between %s.yaml and %s.yaml", component, other, name)
			}
		}
	}
}

func components(t *testing.T, name string) map[string]any {
	t.Helper()
	source, err := Document(name)
	if err != nil {
		t.Fatal(err)
	}
	var document struct {
		Components map[string]map[string]any `yaml:"components"`
	}
	if err := yaml.Unmarshal(source, &document); err != nil {
		t.Fatalf("parsing %s: %v", name, err)
	}
	all := map[string]any{}
	for kind, named := range document.Components {
		for component, value := range named {
			all["components/"+kind+"/"+component] = value
		}
	}
	return all
}

func TestServicesHaveNoSharedDocument(t *testing.T) {
	t.Parallel()
	if slices.Contains(Services(), shared) {
		t.Errorf("Services() = %v holds %q, which is no service", Services(), shared)
	}
}

func TestJSONEqualsYAML(t *testing.T) {
	t.Parallel()
	for _, name := range append(Services(), shared) {
		converted, err := JSON(name)
		if err != nil {
			t.Fatal(err)
		}
		if !json.Valid(converted) {
			t.Errorf("%s: not valid JSON", name)
		}
		checkDocument(t, converted)
	}
}

func TestJSONOfUnknownService(t *testing.T) {
	t.Parallel()
	if _, err := JSON("nobody"); err == nil || !strings.Contains(err.Error(), "nobody") {
		t.Errorf("JSON(nobody) = %v, want an error that names it", err)
	}
}

func TestToJSON(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ name, yaml, want string }{
		{"order", "b: 1\na: 2\n", `{"b":1,"a":2}`},
		{"status keys", "200: ok\n404: no\n", `{"200":"ok","404":"no"}`},
		{"time stays text", "at: 2026-01-02T03:04:05Z\n", `{"at":"2026-01-02T03:04:05Z"}`},
		{"quoted number stays text", `v: "1"`, `{"v":"1"}`},
		{"scalars", "a: null\nb: true\nc: 1.5\nd: 0x10\n", `{"a":null,"b":true,"c":1.5,"d":16}`},
		{"alias", "a: &x [1, 2]\nb: *x\n", `{"a":[1,2],"b":[1,2]}`},
		{"no HTML escapes", "a: <b> & 분리배출\n", `{"a":"<b> & 분리배출"}`},
		{"empty", "a: {}\nb: []\n", `{"a":{},"b":[]}`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			got, err := toJSON([]byte(tc.yaml))
			if err != nil {
				t.Fatal(err)
			}
			if string(got) != tc.want {
				t.Errorf("toJSON = %s, want %s", got, tc.want)
			}
		})
	}
}

func TestToJSONRefuses(t *testing.T) {
	t.Parallel()
	for _, source := range []string{"a: [", "a: &x {b: 1}\nc: {<<: *x}\n", ""} {
		if got, err := toJSON([]byte(source)); err == nil {
			t.Errorf("toJSON(%q) = %s, want an error", source, got)
		}
	}
}
