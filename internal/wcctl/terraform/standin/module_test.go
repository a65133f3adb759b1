package standin_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-exec/tfexec"
	tfjson "github.com/hashicorp/terraform-json"

	"github.com/wastecoach/wastecoach/internal/wcctl/spec"
	"github.com/wastecoach/wastecoach/internal/wcctl/terraform"
	"github.com/wastecoach/wastecoach/internal/wcctl/terraform/standin"
)

// module is the folder that all tests here are about.
const module = "../../../../infra/terraform/aws"

// edit is a change of one of the module's files; the tests show with it that they can fail.
type edit struct{ file, old, new string }

// variables are what wcctl hands to the module: those of a wastecoach.yaml, and its public key.
func variables() map[string]any {
	c := &spec.Cluster{
		Metadata: spec.Metadata{Name: "demo"},
		Spec: spec.Spec{Target: spec.AWS, AWS: &spec.AWSTarget{
			APIAllowedCIDRs: []string{"198.51.100.7/32", "203.0.113.0/24"},
		}},
	}
	spec.Default(c, spec.Releases{})
	values := c.Variables()
	values["authorized_key"] = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDemo+demo/demo wcctl"
	return values
}

// setup prepares the module in a folder, edited, and returns the folder and the environment.
func setup(t *testing.T, values map[string]any, edits ...edit) (string, []string) {
	t.Helper()
	source := t.TempDir()
	if err := os.CopyFS(source, os.DirFS(module)); err != nil {
		t.Fatal(err)
	}
	for _, e := range edits {
		name := filepath.Join(source, e.file)
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Count(string(text), e.old) == 0 {
			t.Fatalf("%s no longer holds %q", e.file, e.old)
		}
		edited := strings.ReplaceAll(string(text), e.old, e.new)
		if err := os.WriteFile(name, []byte(edited), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	dir := filepath.Join(t.TempDir(), "terraform")
	if err := terraform.Prepare(dir, os.DirFS(source), values, nil); err != nil {
		t.Fatal(err)
	}
	config, err := standin.Install(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return dir, append(os.Environ(), "TF_CLI_CONFIG_FILE="+config)
}

func newClient(t *testing.T, dir string, environ []string) *terraform.Client {
	t.Helper()
	c, err := terraform.New(terraform.Options{Dir: dir, Environ: environ})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// applied makes the module's resources, in no cloud, and returns them with all their values.
func applied(t *testing.T, values map[string]any, edits ...edit) []*tfjson.StateResource {
	t.Helper()
	dir, environ := setup(t, values, edits...)
	if err := newClient(t, dir, environ).Apply(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	program, err := tfexec.NewTerraform(dir, "terraform")
	if err != nil {
		t.Fatal(err)
	}
	env := map[string]string{}
	for _, pair := range environ {
		name, value, _ := strings.Cut(pair, "=")
		env[name] = value
	}
	if err := program.SetEnv(tfexec.CleanEnv(env)); err != nil {
		t.Fatal(err)
	}
	state, err := program.Show(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return state.Values.RootModule.Resources
}

// diagnostics are all that terraform has against a plan.
func diagnostics(t *testing.T, values map[string]any, edits ...edit) string {
	t.Helper()
	dir, environ := setup(t, values, edits...)
	_, err := newClient(t, dir, environ).Plan(t.Context(), nil)
	var e *terraform.Error
	if !errors.As(err, &e) {
		t.Fatalf("terraform finds no fault: %v", err)
	}
	var all strings.Builder
	for _, d := range e.Diagnostics {
		fmt.Fprintln(&all, d)
	}
	return all.String()
}

// TestSchemaFindsFaults: terraform checks the module against the provider's real schema. Faults
// that terraform tells in one go are made in one go.
func TestSchemaFindsFaults(t *testing.T) {
	t.Parallel()
	type fault struct {
		words string
		edit  edit
	}
	tests := map[string][]fault{
		"names and blocks": {
			{`An argument named "source_dest_chek" is not expected here`, edit{
				"machines.tf", "source_dest_check =", "source_dest_chek =",
			}},
			{`The argument "bucket" is required`, edit{
				"storage.tf", "cors_configuration\" \"photos\" {\n  bucket = aws_s3_bucket.photos.id",
				"cors_configuration\" \"photos\" {",
			}},
			{`At least 1 "rule" blocks are required`, edit{
				"storage.tf", "  rule {\n    object_ownership = \"BucketOwnerEnforced\"\n  }\n", "",
			}},
			{`does not support resource type "aws_route53_line"`, edit{
				"dns.tf", "aws_route53_record", "aws_route53_line",
			}},
		},
		"blocks": {
			{`Blocks of type "metadata" are not expected here`, edit{
				"machines.tf", "metadata_options {", "metadata {",
			}},
			{`No more than 1 "root_block_device" blocks are allowed`, edit{
				"machines.tf", "  root_block_device {", "  root_block_device {}\n  root_block_device {",
			}},
		},
		"references": {
			{"This object has no argument, nested block", edit{
				"outputs.tf", "aws_eip.edge.public_ip", "aws_eip.edge.public_address",
			}},
		},
		"values": {
			{"a number is required", edit{"storage.tf", "days = 30", `days = "a month"`}},
			{"the provider alone sets arn", edit{
				"network.tf", "enable_dns_support   = true", `arn = "arn:aws:x"`,
			}},
		},
		"offer": {
			{"ap-northeast-2 has no t4g.medium", edit{
				"network.tf", "length(self.locations) > 0", "length(self.locations) > 99",
			}},
		},
		"circle": {
			{"Cycle: ", edit{
				"security.tf", `description = "Machines of ${var.cluster}: ${each.key}"`,
				"description = aws_vpc_security_group_egress_rule.all[each.key].id",
			}},
		},
	}
	for name, faults := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var edits []edit
			for _, f := range faults {
				edits = append(edits, f.edit)
			}
			found := diagnostics(t, variables(), edits...)
			for _, f := range faults {
				if !strings.Contains(found, f.words) {
					t.Errorf("terraform does not say %q but\n%s", f.words, found)
				}
			}
		})
	}
}

func TestVariablesAreChecked(t *testing.T) {
	t.Parallel()
	type wrong struct {
		value any
		words string
	}
	// Each round is one plan.
	for i, round := range []map[string]wrong{
		{
			"cluster":           {"Demo", "1 to 40 lower-case letters"},
			"region":            {"ap-northeast-2a", "without a zone's letter"},
			"instance_type":     {"medium", "Write an EC2 instance type"},
			"cpu_credits":       {"some", "Write standard or unlimited"},
			"workers":           {0, "1 to 100 workers"},
			"volume_gib":        {8, "10 to 16384 GiB"},
			"api_allowed_cidrs": {[]string{}, "at least your own address"},
			"endpoint":          {"198.51.100.7", "Write a DNS name"},
			"zone_id":           {"example.org", "begins with Z"},
			"photos_bucket":     {"My.Photos", "A bucket's name has"},
			"allowed_origins":   {[]string{"app.example.org"}, "Write origins"},
			"authorized_key":    {"AAAAC3NzaC1lZDI1NTE5", "Write one public key"},
		},
		{"api_allowed_cidrs": {[]string{"198.51.100.7"}, "Write IPv4 networks"}},
		{"api_allowed_cidrs": {[]string{"2001:db8::/32"}, "Write IPv4 networks"}},
		{"api_allowed_cidrs": {[]string{"0.0.0.0/0"}, "opens the API server to everybody"}},
	} {
		t.Run(fmt.Sprint("round ", i), func(t *testing.T) {
			t.Parallel()
			values := variables()
			for name, w := range round {
				values[name] = w.value
			}
			found := diagnostics(t, values)
			for name, w := range round {
				if !strings.Contains(found, w.words) {
					t.Errorf("%s = %v: terraform does not say %q but\n%s", name, w.value, w.words, found)
				}
			}
		})
	}
}
