package standin_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"testing"

	"github.com/wastecoach/wastecoach/internal/wcctl/terraform/standin"
)

var (
	archive = flag.String("package", "", "archive of @cdktf/provider-aws that the schema is read from")
	update  = flag.Bool("update", false, "rewrite the golden files")
)

func TestMain(m *testing.M) {
	served, err := standin.Serve()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	if !served {
		os.Exit(m.Run())
	}
}

// TestSchemaIsThePackages compares the kept schema with the package, or rewrites it:
//
//	npm pack @cdktf/provider-aws@21.22.1
//	go test ./internal/wcctl/terraform/standin -run ThePackages -package FILE -update
func TestSchemaIsThePackages(t *testing.T) {
	t.Parallel()
	if *archive == "" {
		t.Skip("-package names no archive: it has 37 MB and is fetched only to change the schema")
	}
	schema, err := standin.Reduce(*archive, module)
	if err != nil {
		t.Fatal(err)
	}
	want, err := json.MarshalIndent(schema, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	want = append(want, '\n')
	const golden = "aws.json"
	if *update {
		if err := os.WriteFile(golden, want, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s is not what %s says; run with -update", golden, *archive)
	}
}
