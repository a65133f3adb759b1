package terraform_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/wastecoach/wastecoach/internal/wcctl/terraform"
)

func TestPrepare(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "terraform")
	module := fstest.MapFS{
		"main.tf":              {Data: []byte("# one")},
		"stale.tf":             {Data: []byte("# stale")},
		"README.md":            {Data: []byte("text")},
		"aws.tftest.hcl":       {Data: []byte("# a test")},
		"tests/plan.tf":        {Data: []byte("# a test's module")},
		"templates/user.tftpl": {Data: []byte("template")},
	}
	prepare := func(backend *terraform.S3Backend) {
		t.Helper()
		err := terraform.Prepare(dir, module, map[string]any{"region": "ap-northeast-2"}, backend)
		if err != nil {
			t.Fatal(err)
		}
	}
	prepare(nil)
	checkFiles(t, dir,
		"backend_override.tf.json", "main.tf", "stale.tf", "templates/user.tftpl",
		"terraform.tfvars.json")

	delete(module, "stale.tf")
	kept := []string{
		".terraform.lock.hcl", ".terraform/providers", "terraform.tfstate",
		"terraform.tfstate.backup",
	}
	for _, name := range kept {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o700); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, name), "kept")
	}
	write(t, filepath.Join(dir, "wastecoach-1.tfplan"), "nobody applied it")
	prepare(&terraform.S3Backend{Bucket: "states", Key: "demo/terraform.tfstate", Region: "r"})
	checkFiles(t, dir, slices.Concat(kept, []string{
		"backend_override.tf.json", "main.tf", "templates/user.tftpl", "terraform.tfvars.json",
	})...)
	backend, err := os.ReadFile(filepath.Join(dir, "backend_override.tf.json"))
	if err != nil {
		t.Fatal(err)
	}
	for _, words := range []string{`"s3"`, `"use_lockfile": true`, `"encrypt": true`, `"states"`} {
		if !strings.Contains(string(backend), words) {
			t.Errorf("the backend lacks %s: %s", words, backend)
		}
	}
}

func checkFiles(t *testing.T, dir string, want ...string) {
	t.Helper()
	var got []string
	err := filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		name, err := filepath.Rel(dir, path)
		got = append(got, name)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("files\n %v, want\n %v", got, want)
	}
}

func TestPrepareKeepsPrivateKeysOut(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	err := terraform.Prepare(dir, fstest.MapFS{}, map[string]any{
		"authorized_key": "-----BEGIN OPENSSH PRIVATE KEY-----\n",
	}, nil)
	_ = asError(t, err, "a private key must not become a variable")
	checkFiles(t, dir)
}
