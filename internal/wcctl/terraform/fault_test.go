package terraform_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/wastecoach/wastecoach/internal/testprogram"
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
	// Who only looks takes no lock, and so waits for nobody.
	dry := b.client(func(o *terraform.Options) { o.Dry = true })
	if changes, err := dry.Plan(t.Context(), b); err != nil || len(changes) == 0 {
		t.Errorf("a dry plan while another applies: %v, %v", changes, err)
	}
	_ = asError(t, dry.Apply(t.Context(), b), "this client only plans")
	_ = asError(t, dry.Destroy(t.Context(), b), "this client only plans")
	if err := dry.Close(); err != nil {
		t.Error(err)
	}
}

// TestLockInABucket reads the words that terraform has for a lock file whose holder was killed.
func TestLockInABucket(t *testing.T) {
	t.Parallel()
	b := setup(t, `output "machines" { value = [] }`, nil)
	detail := `Error message: operation error S3: PutObject, StatusCode: 412, PreconditionFailed
Lock Info:
  ID:        6c1f0a3e-8d0e-6f4b-3e75-0a1f2b3c4d5e
  Path:      states/demo/terraform.tfstate
  Operation: OperationTypeApply
  Who:       kim@laptop
  Version:   1.11.4
  Created:   2026-11-23 09:00:00 +0000 UTC
  Info:      `
	program := says(t, "Error acquiring the state lock", detail)
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
	const torn = `{"version": 4, "res`
	tests := []struct{ name, file, content, words, hint string }{
		{"torn", "terraform.tfstate", torn, "is torn", "cp SHOWN/terraform.tfstate.backup SHOWN/"},
		{"empty", "terraform.tfstate", "", "is torn", "cp SHOWN/terraform.tfstate.backup SHOWN/"},
		{"not stored", terraform.ErroredState, `{}`, "could not store it", "-chdir=SHOWN state push"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, machinesModule, variables(0, "small"))
			b.apply(t.Context())
			write(t, filepath.Join(b.dir, "terraform.tfstate.backup"), `{}`)
			write(t, filepath.Join(b.dir, test.file), test.content)
			// A copy of the folder is worked on, and gone when somebody reads this.
			const shown = "/home/kim/.wastecoach/terraform"
			c := b.client(func(o *terraform.Options) { o.Dry, o.Shown = true, shown })
			_, err := c.Plan(t.Context(), b)
			e := asError(t, err, test.words)
			want := strings.ReplaceAll(test.hint, "SHOWN", shown)
			if !strings.Contains(e.Hint, want) || strings.Contains(e.Hint+err.Error(), b.dir) {
				t.Errorf("error %q, hint %q, want %q", err, e.Hint, want)
			}
		})
	}
}

// TestTornStateIsRestored: where machines may be made twice, a run that was killed while it wrote
// its state goes on by itself.
func TestTornStateIsRestored(t *testing.T) {
	t.Parallel()
	const torn = `{"version": 4, "res`
	const backup = "terraform.tfstate.backup"
	tests := []struct {
		name, file, content string
		backup              bool
		told                string
		changes             int
	}{
		// The backup knows the control plane and not the worker, which is made once more.
		{"with a backup", "terraform.tfstate", torn, true, "its backup was put back", 2},
		{"emptied", "terraform.tfstate", "", true, "its backup was put back", 2},
		{"without a backup", "terraform.tfstate", torn, false, "what it knew is made once more", 3},
		{"record of the backend", ".terraform/terraform.tfstate", torn, true, "", 0},
		{"empty record of the backend", ".terraform/terraform.tfstate", "", true, "", 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, machinesModule, variables(0, "small"))
			b.apply(t.Context())
			b.prepare(machinesModule, variables(1, "small"))
			b.apply(t.Context())
			if !test.backup {
				if err := os.Remove(filepath.Join(b.dir, backup)); err != nil {
					t.Fatal(err)
				}
			}
			write(t, filepath.Join(b.dir, test.file), test.content)
			c := b.client(func(o *terraform.Options) { o.Repeatable = true })
			changes, err := c.Plan(t.Context(), b)
			if err != nil || len(changes) != test.changes {
				t.Fatalf("%v, planned %v", err, changes)
			}
			if err := c.Apply(t.Context(), b); err != nil {
				t.Fatal(err)
			}
			checkMachines(t, b, []string{"control-plane", "worker-1"})
			checkChanges(t, b.plan(t.Context()), nil)
			if test.told != "" {
				b.await(func(e event.Event) bool {
					return e.Kind == event.Warning && strings.Contains(e.Text, test.told)
				})
				kept, err := os.ReadFile(filepath.Join(b.dir, "terraform.tfstate.torn"))
				if err != nil || string(kept) != test.content {
					t.Errorf("the torn state was not kept: %q, %v", kept, err)
				}
			}
		})
	}
}

// says is a terraform that fails each command but `version` with one explanation.
func says(t *testing.T, summary, detail string) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "terraform")
	script := fmt.Sprintf(`#!/bin/sh
if [ "$1" = version ]; then echo '{"terraform_version": "1.11.4"}'; exit; fi
cat <<'END'
{"@message":"Error","type":"diagnostic","diagnostic":{"severity":"error","summary":%q,"detail":%q}}
END
exit 1
`, summary, detail)
	testprogram.Write(t, program, script)
	return program
}

// TestHints reads words of AWS and of Terraform that need an account to be heard.
func TestHints(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, summary, dry, hint string }{
		{
			"no state bucket", "S3 bucket does not exist", "",
			"aws s3 mb s3://states --region ap-northeast-2\n" +
				"aws s3api put-bucket-versioning --bucket states " +
				"--versioning-configuration Status=Enabled",
		},
		{
			"photos", "deleting S3 Bucket (demo-photos-1): operation error S3: DeleteBucket, " +
				"api error BucketNotEmpty: The bucket is not empty", "",
			"aws s3 rm --recursive s3://demo-photos-1",
		},
		{
			"another backend", "Backend configuration changed", "",
			"PROGRAM -chdir=DIR init -migrate-state",
		},
		{"another backend, in a copy", "Backend configuration changed", "/shown", "wcctl up"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "terraform")
			backend := &terraform.S3Backend{
				Bucket: "states", Key: "demo/terraform.tfstate", Region: "ap-northeast-2",
			}
			if err := terraform.Prepare(dir, fstest.MapFS{}, nil, backend); err != nil {
				t.Fatal(err)
			}
			program := says(t, test.summary, "")
			c, err := terraform.New(terraform.Options{
				Dir: dir, Program: program, Shown: test.dry, Dry: test.dry != "",
			})
			if err != nil {
				t.Fatal(err)
			}
			_, err = c.Plan(t.Context(), nil)
			e := asError(t, err, test.summary)
			want := strings.NewReplacer("PROGRAM", program, "DIR", dir).Replace(test.hint)
			if e.Hint != want {
				t.Errorf("hint %q, want %q", e.Hint, want)
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
