package terraform_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/hashicorp/terraform-exec/tfexec"
)

// modules is the folder of one module per target.
const modules = "../../../infra/terraform"

func newProgram(t *testing.T, dir string) *tfexec.Terraform {
	t.Helper()
	program, err := tfexec.NewTerraform(dir, "terraform")
	if err != nil {
		t.Fatal(err)
	}
	err = program.SetEnv(map[string]string{"CHECKPOINT_DISABLE": "1", "PATH": os.Getenv("PATH")})
	if err != nil {
		t.Fatal(err)
	}
	return program
}

func TestModulesAreFormatted(t *testing.T) {
	t.Parallel()
	formatted, files, err := newProgram(t, modules).FormatCheck(t.Context(), tfexec.Recursive(true))
	if err != nil {
		t.Fatal(err)
	}
	if !formatted {
		t.Errorf("terraform fmt -recursive %s would change %v", modules, files)
	}
}

// TestModules runs the modules' own tests. The package standin has those of aws, whose provider
// must be downloaded.
func TestModules(t *testing.T) {
	t.Parallel()
	entries, err := os.ReadDir(modules)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		if !entry.IsDir() || entry.Name() == "aws" {
			continue
		}
		t.Run(entry.Name(), func(t *testing.T) {
			t.Parallel()
			testModule(t, filepath.Join(modules, entry.Name()))
		})
	}
}

func testModule(t *testing.T, source string) {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(source)); err != nil {
		t.Fatal(err)
	}
	program := newProgram(t, dir)
	if err := program.Init(t.Context()); err != nil {
		t.Fatal(err)
	}
	result, err := program.Validate(t.Context())
	if err != nil || !result.Valid || len(result.Diagnostics) > 0 {
		t.Fatalf("terraform validate: %v, %+v", err, result)
	}
	var output bytes.Buffer
	if err := program.Test(t.Context(), &output); err != nil {
		t.Fatalf("terraform test: %v\n%s", err, &output)
	}
	if !bytes.Contains(output.Bytes(), []byte(`"status":"pass"`)) {
		t.Errorf("%s has no tests:\n%s", source, &output)
	}
}
