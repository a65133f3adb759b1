package standin_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	tfjson "github.com/hashicorp/terraform-json"

	"github.com/wastecoach/wastecoach/internal/wcctl/spec"
)

// TestPolicies: what must hold of everything that terraform makes.
func TestPolicies(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(map[string]any){
		"by default": func(map[string]any) {},
		"otherwise": func(v map[string]any) {
			v["workers"] = 5
			v["instance_type"] = "m7i.large"
			v["zone_id"] = "Z0123456789ABCDEFGHIJ"
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			values := variables()
			change(values)
			for _, fault := range faults(applied(t, values)) {
				t.Error(fault)
			}
		})
	}
}

// TestPoliciesFindFaults breaks each policy once.
func TestPoliciesFindFaults(t *testing.T) {
	t.Parallel()
	tests := []struct {
		words          string
		file, old, new string
	}{
		{
			"opens port 6443 to everybody", "security.tf",
			"cidr_ipv4         = each.value.cidr", `cidr_ipv4 = "0.0.0.0/0"`,
		},
		{"opens port 22 to everybody", "security.tf", "https = 443", "ssh = 22"},
		{
			"opens port 2379 to worker", "security.tf",
			`from = "control-plane", protocol = "tcp", ports = [2379`,
			`from = "worker", protocol = "tcp", ports = [2379`,
		},
		{
			"2 public addresses", "edge.tf",
			`resource "aws_eip" "edge" {`,
			"resource \"aws_eip\" \"second\" {}\nresource \"aws_eip\" \"edge\" {",
		},
		{
			"a public address by itself", "network.tf",
			"map_public_ip_on_launch = false", "map_public_ip_on_launch = true",
		},
		{"is not spec.VPCSubnet", "network.tf", `"10.42.0.0/16"`, `"10.43.0.0/16"`},
		{"is not encrypted", "machines.tf", "encrypted             = true", "encrypted = false"},
		{"is not gp3", "machines.tf", `"gp3"`, `"gp2"`},
		{"answers IMDSv1", "machines.tf", `= "required"`, `= "optional"`},
		{"IMDS over 2 hops", "machines.tf", "hop_limit = 1", "hop_limit = 2"},
		{"has no cpu_credits", "machines.tf", "local.burstable ? [var.cpu_credits] : []", "[]"},
		{
			"rules of its own", "security.tf",
			"  vpc_id      = aws_vpc.cluster.id\n",
			"  vpc_id = aws_vpc.cluster.id\n  egress = []\n",
		},
		{
			"is not private", "storage.tf",
			"block_public_policy     = true", "block_public_policy = false",
		},
		{"takes old signatures", "storage.tf", "s3:signatureAge", "s3:max-keys"},
		{"may be read without TLS", "storage.tf", "aws:SecureTransport", "aws:SourceVpc"},
		{"after 30 days", "storage.tf", "days = 30", "days = 60"},
		{"grants everything", "iam.tf", `"s3:ListBucket"`, `"s3:*"`},
	}
	var edits []edit
	for _, test := range tests {
		edits = append(edits, edit{test.file, test.old, test.new})
	}
	found := strings.Join(faults(applied(t, variables(), edits...)), "\n")
	for _, test := range tests {
		if !strings.Contains(found, test.words) {
			t.Errorf("%q is not found in\n%s", test.words, found)
		}
	}
}

// faults are the broken policies, one line each.
func faults(resources []*tfjson.StateResource) []string {
	var found []string
	count := map[string]int{}
	groups := groupNames(resources)
	for _, r := range resources {
		count[r.Type]++
		for _, fault := range faultsOf(r, groups) {
			found = append(found, r.Address+" "+fault)
		}
	}
	if n := count["aws_eip"]; n != 1 {
		found = append(found, fmt.Sprintf("there are %d public addresses", n))
	}
	for _, paid := range []string{"aws_nat_gateway", "aws_lb", "aws_elb", "aws_alb"} {
		if count[paid] > 0 {
			found = append(found, "there is a "+paid)
		}
	}
	for _, wanted := range []string{
		"aws_s3_bucket_public_access_block", "aws_s3_bucket_lifecycle_configuration",
		"aws_s3_bucket_cors_configuration", "aws_s3_bucket_policy",
	} {
		if count[wanted] != 1 {
			found = append(found, "the photos have no "+wanted)
		}
	}
	return found
}

func faultsOf(r *tfjson.StateResource, groups map[string]string) []string {
	v := values{r.AttributeValues}
	switch r.Type {
	case "aws_vpc_security_group_ingress_rule":
		return ingressFaults(v, groups)
	case "aws_security_group":
		return when(v.at("ingress") != nil || v.at("egress") != nil, "has rules of its own")
	case "aws_vpc":
		return when(v.text("cidr_block") != spec.VPCSubnet, "is not spec.VPCSubnet")
	case "aws_subnet":
		return when(v.at("map_public_ip_on_launch") != false, "gives a public address by itself")
	case "aws_instance":
		return instanceFaults(v)
	case "aws_s3_bucket_public_access_block":
		return when(v.at("block_public_acls") != true || v.at("block_public_policy") != true ||
			v.at("ignore_public_acls") != true || v.at("restrict_public_buckets") != true,
			"is not private")
	case "aws_s3_bucket_lifecycle_configuration":
		return when(v.text("rule.0.expiration.0.days") != "30", "does not forget after 30 days")
	case "aws_s3_bucket_policy":
		policy := v.text("policy")
		return slices.Concat(
			when(!strings.Contains(policy, `"s3:signatureAge":"900000"`), "takes old signatures"),
			when(!strings.Contains(policy, `"aws:SecureTransport":"false"`), "may be read without TLS"),
		)
	case "aws_iam_role_policy":
		return when(strings.Contains(v.text("policy"), `:*"`), "grants everything of a service")
	}
	return nil
}

// groupNames are the security groups' keys by id.
func groupNames(resources []*tfjson.StateResource) map[string]string {
	names := map[string]string{}
	for _, r := range resources {
		if r.Type == "aws_security_group" {
			names[values{r.AttributeValues}.text("id")] = fmt.Sprint(r.Index)
		}
	}
	return names
}

func ingressFaults(v values, groups map[string]string) []string {
	from, to := v.text("from_port"), v.text("to_port")
	source := groups[v.text("referenced_security_group_id")]
	web := from == to && (from == "80" || from == "443")
	etcd := strings.HasPrefix(from, "23")
	return slices.Concat(
		when(v.text("cidr_ipv4") == "0.0.0.0/0" && !web, fmt.Sprintf("opens port %s to everybody", from)),
		when(etcd && source != "control-plane", fmt.Sprintf("opens port %s to %s", from, source)),
	)
}

func instanceFaults(v values) []string {
	return slices.Concat(
		when(v.at("root_block_device.0.encrypted") != true, "is not encrypted"),
		when(v.at("root_block_device.0.volume_type") != "gp3", "is not gp3"),
		when(v.at("metadata_options.0.http_tokens") != "required", "answers IMDSv1"),
		when(v.text("metadata_options.0.http_put_response_hop_limit") != "1",
			"answers IMDS over "+v.text("metadata_options.0.http_put_response_hop_limit")+" hops"),
		when(strings.HasPrefix(v.text("instance_type"), "t") &&
			v.at("credit_specification.0.cpu_credits") == nil, "has no cpu_credits"),
		when(v.at("associate_public_ip_address") == true, "has a public address of its own"),
	)
}

func when(broken bool, fault string) []string {
	if !broken {
		return nil
	}
	return []string{fault}
}

// values are a resource's planned attributes.
type values struct{ attributes map[string]any }

// at follows a path such as root_block_device.0.encrypted; what is not there is nil.
func (v values) at(path string) any {
	var value any = v.attributes
	for step := range strings.SplitSeq(path, ".") {
		switch at := value.(type) {
		case map[string]any:
			value = at[step]
		case []any:
			if len(at) == 0 {
				return nil
			}
			value = at[0]
		}
	}
	return value
}

func (v values) text(path string) string {
	value := v.at(path)
	if n, ok := value.(json.Number); ok {
		return n.String()
	}
	return fmt.Sprint(value)
}
