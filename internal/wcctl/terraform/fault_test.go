package terraform_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wastecoach/wastecoach/internal/wcctl/event"
	"github.com/wastecoach/wastecoach/internal/wcctl/terraform"
)

func TestProgramFaults(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	program := func(name, text string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	old := program("old", "#!/bin/sh\necho '{\"terraform_version\": \"1.9.8\"}'\n", 0o700)
	broken := program("broken", "#!/bin/sh\necho 'no such option' >&2; exit 3\n", 0o700)
	tests := []struct{ name, program, words string }{
		{"missing", filepath.Join(dir, "missing"), "missing: no such file or directory"},
		{"no program", program("text", "text", 0o600), "text: permission denied"},
		{"too old", old, "1.9.8, but 1.11.0 or newer is needed"},
		{"broken", broken, "exit status 3"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			c, err := terraform.New(terraform.Options{
				Dir: dir, Environ: []string{terraform.ProgramVariable + "=" + test.program},
			})
			if err == nil {
				_, err = c.Plan(t.Context(), nil)
			}
			if e := asError(t, err, test.words); !strings.Contains(e.Hint, "terraform/install") {
				t.Errorf("hint %q", e.Hint)
			}
		})
	}
}

func TestFaults(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, module, words, hint string }{
		{
			name:   "syntax",
			module: `resource "terraform_data" {}`,
			words:  "initializing Terraform: Missing name for resource",
		},
		{
			name:   "variable",
			module: `variable "region" { type = string }`,
			words:  "planning the machines: No value for required variable",
		},
		{
			name: "provisioner",
			module: `resource "terraform_data" "machine" {
				provisioner "local-exec" { command = "echo no space left >&2; exit 4" }
			}`,
			words: "making the machines: terraform_data.machine: local-exec provisioner error: ",
		},
		{
			name:   "version",
			module: `terraform { required_version = ">= 99" }`,
			words:  "Unsupported Terraform Core version",
			hint:   "https://developer.hashicorp.com/terraform/install",
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, test.module, nil)
			e := asError(t, b.client().Apply(t.Context(), b), test.words)
			if e.Hint != test.hint {
				t.Errorf("hint %q, want %q", e.Hint, test.hint)
			}
			if len(e.Diagnostics) == 0 || strings.Contains(e.Error(), "\n") {
				t.Errorf("error %q with %d diagnostics", e, len(e.Diagnostics))
			}
			if len(b.plans()) != 0 {
				t.Error("a plan is left behind")
			}
		})
	}
}

// TestProvisionerWordsReachTheError: what the program has said is the cause, not its exit code.
func TestProvisionerWordsReachTheError(t *testing.T) {
	t.Parallel()
	b := setup(t, `resource "terraform_data" "machine" {
		provisioner "local-exec" { command = "echo no space left >&2; exit 4" }
	}`, nil)
	_ = asError(t, b.client().Apply(t.Context(), b), "exit status 4. Output: no space left")
	b.await(func(e event.Event) bool {
		return e.Kind == event.TaskFinished && e.Text == "failed" && !e.Changed
	})
	// The machine is tainted: the next run makes it again and says why.
	checkChanges(t, b.plan(t.Context()), []terraform.Change{{
		Address: "terraform_data.machine", Action: terraform.Replace, Reason: "tainted",
	}})
}

func TestLockedState(t *testing.T) {
	t.Parallel()
	b := setup(t, slowModule, nil)
	write(t, filepath.Join(b.dir, "slow"), "")
	holder := b.client()
	ctx, cancel := context.WithCancel(t.Context())
	failed := make(chan error)
	go func() { failed <- holder.Apply(ctx, b) }()
	defer func() {
		cancel()
		if err := <-failed; !errors.Is(err, context.Canceled) {
			t.Errorf("the holder: %v", err)
		}
	}()
	b.begun()
	_, err := b.client().Plan(t.Context(), b)
	host, hostErr := os.Hostname()
	if hostErr != nil {
		t.Fatal(hostErr)
	}
	e := asError(t, err, "@"+host+" since 20")
	if !strings.Contains(err.Error(), "(OperationTypeApply)") || e.Hint != "pgrep -a terraform" {
		t.Errorf("error %q, hint %q", err, e.Hint)
	}
}

// TestLockInABucket reads the words that terraform has for a lock file whose holder was killed.
func TestLockInABucket(t *testing.T) {
	t.Parallel()
	b := setup(t, `output "machines" { value = [] }`, nil)
	program := filepath.Join(t.TempDir(), "terraform")
	detail := `Error message: operation error S3: PutObject, StatusCode: 412, PreconditionFailed
Lock Info:
  ID:        6c1f0a3e-8d0e-6f4b-3e75-0a1f2b3c4d5e
  Path:      states/demo/terraform.tfstate
  Operation: OperationTypeApply
  Who:       kim@laptop
  Version:   1.11.4
  Created:   2026-11-23 09:00:00 +0000 UTC
  Info:      `
	script := fmt.Sprintf(`#!/bin/sh
if [ "$1" = version ]; then echo '{"terraform_version": "1.11.4"}'; exit; fi
cat <<'END'
{"@message":"Error","type":"diagnostic","diagnostic":{"severity":"error",`+
		`"summary":"Error acquiring the state lock","detail":%q}}
END
exit 1
`, detail)
	if err := os.WriteFile(program, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	c := b.client(func(o *terraform.Options) { o.Program = program })
	_, err := c.Plan(t.Context(), b)
	e := asError(t, err, "locked by kim@laptop since 2026-11-23 09:00:00 +0000 UTC")
	want := fmt.Sprintf("%s -chdir=%s force-unlock 6c1f0a3e-8d0e-6f4b-3e75-0a1f2b3c4d5e",
		program, b.dir)
	if e.Hint != want {
		t.Errorf("hint %q, want %q", e.Hint, want)
	}
}

func TestBrokenState(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, file, content, words, hint string }{
		{"torn", "terraform.tfstate", `{"version": 4, "res`, "is torn", "cp "},
		{"not stored", terraform.ErroredState, `{}`, "could not store it", "state push"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, machinesModule, variables(0, "small"))
			b.apply(t.Context())
			write(t, filepath.Join(b.dir, test.file), test.content)
			_, err := b.client().Plan(t.Context(), b)
			if e := asError(t, err, test.words); !strings.Contains(e.Hint, test.hint) {
				t.Errorf("hint %q", e.Hint)
			}
		})
	}
}

// TestEnvironment: terraform and its programs see credentials and proxies, and no other secret.
func TestEnvironment(t *testing.T) {
	t.Parallel()
	b := setup(t, `resource "terraform_data" "machine" {
		provisioner "local-exec" { command = "env > environment" }
	}`, nil)
	c := b.client(func(o *terraform.Options) {
		o.Environ = append(os.Environ(), "AWS_PROFILE=demo", "https_proxy=http://127.0.0.1:1",
			"OPENAI_API_KEY=secret", "TF_VAR_region=moon", "TF_LOG=trace")
		o.Extra = map[string]string{"WCCTL_STATE_DIR": "/tmp/state"}
	})
	if err := c.Apply(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	environment, err := os.ReadFile(filepath.Join(b.dir, "environment"))
	if err != nil {
		t.Fatal(err)
	}
	for words, want := range map[string]bool{
		"AWS_PROFILE=demo\n": true, "https_proxy=http://127.0.0.1:1\n": true,
		"WCCTL_STATE_DIR=/tmp/state\n": true, "CHECKPOINT_DISABLE=1\n": true,
		"OPENAI_API_KEY": false, "TF_VAR_region": false, "TF_LOG=trace": false,
	} {
		if strings.Contains(string(environment), words) != want {
			t.Errorf("environment holds %q: %v, want %v", words, !want, want)
		}
	}
}
