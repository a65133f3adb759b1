package terraform

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"strings"

	tfjson "github.com/hashicorp/terraform-json"
)

// orphan is a resource that AWS has and the state does not: a run was killed after it was made and
// before that was stored.
type orphan struct {
	// words are AWS's for not making it twice.
	words string
	// id is what `terraform import` calls it: a word, or a command that finds it.
	id func(values map[string]any, region string) string
}

// orphans are the types that AWS refuses to make twice. Of the others it makes a second one, which
// `wcctl down` finds by its tags.
func orphans() map[string]orphan {
	return map[string]orphan{
		"aws_iam_role":                        {"EntityAlreadyExists", attribute("name")},
		"aws_iam_instance_profile":            {"EntityAlreadyExists", attribute("name")},
		"aws_s3_bucket":                       {"BucketAlreadyOwnedByYou", attribute("bucket")},
		"aws_subnet":                          {"InvalidSubnet.Conflict", tagged("subnet")},
		"aws_security_group":                  {"InvalidGroup.Duplicate", tagged("security-group")},
		"aws_vpc_security_group_ingress_rule": {"InvalidPermission.Duplicate", tagged("security-group-rule")},
		"aws_vpc_security_group_egress_rule":  {"InvalidPermission.Duplicate", tagged("security-group-rule")},
		"aws_network_interface":               {"InvalidIPAddress.InUse", tagged("network-interface")},
		"aws_instance":                        {"InvalidNetworkInterface.InUse", instance},
		"aws_route":                           {"RouteAlreadyExists", route},
	}
}

func stringOf(values map[string]any, name string) string {
	s, _ := values[name].(string)
	return s
}

func attribute(name string) func(map[string]any, string) string {
	return func(values map[string]any, _ string) string { return stringOf(values, name) }
}

// nameTag is what the module gives to all that has no name of its own.
func nameTag(values map[string]any) string {
	tags, _ := values["tags"].(map[string]any)
	return stringOf(tags, "Name")
}

func tagged(kind string) func(map[string]any, string) string {
	return func(values map[string]any, region string) string {
		name := nameTag(values)
		if name == "" {
			return ""
		}
		return fmt.Sprintf(`"$(aws ec2 describe-tags --region %s --filters Name=resource-type,Values=%s `+
			`Name=key,Values=Name 'Name=value,Values=%s' --query 'Tags[0].ResourceId' --output text)"`,
			region, kind, name)
	}
}

// instance passes over those that were terminated: AWS lists them for another hour.
func instance(values map[string]any, region string) string {
	name := nameTag(values)
	if name == "" {
		return ""
	}
	return fmt.Sprintf(`"$(aws ec2 describe-instances --region %s --filters 'Name=tag:Name,Values=%s' `+
		`Name=instance-state-name,Values=pending,running,stopping,stopped `+
		`--query 'Reservations[0].Instances[0].InstanceId' --output text)"`, region, name)
}

func route(values map[string]any, _ string) string {
	table, to := stringOf(values, "route_table_id"), stringOf(values, "destination_cidr_block")
	if table == "" || to == "" {
		return ""
	}
	return table + "_" + to
}

// adoptions are the commands that give the state what AWS has already, then the way on.
func (c *Client) adoptions(ctx context.Context, faults []Diagnostic) string {
	var commands []string
	var planned map[string]*tfjson.StateResource
	for _, fault := range faults {
		kind, _, _ := strings.Cut(fault.Address, ".")
		known, ok := orphans()[kind]
		if !ok || !strings.Contains(fault.String(), known.words) {
			continue
		}
		if planned == nil {
			planned = c.plannedValues(ctx)
		}
		resource := planned[fault.Address]
		if resource == nil {
			continue
		}
		if id := known.id(resource.AttributeValues, c.variable("region")); id != "" {
			commands = append(commands, c.command(fmt.Sprintf("import '%s' %s", fault.Address, id)))
		}
	}
	if len(commands) == 0 {
		return ""
	}
	return strings.Join(append(commands, "wcctl up"), "\n")
}

// plannedValues are what the plan in hand makes, by address; none where it cannot be read.
func (c *Client) plannedValues(ctx context.Context) map[string]*tfjson.StateResource {
	values := map[string]*tfjson.StateResource{}
	if c.planned == nil {
		return values
	}
	var shown *tfjson.Plan
	err := locked(func() (err error) {
		shown, err = c.tf.ShowPlanFile(ctx, c.planned.file)
		return err
	})
	if err != nil {
		fmt.Fprintf(c.log, "reading the plan for its names: %v\n", err)
		return values
	}
	if shown.PlannedValues == nil || shown.PlannedValues.RootModule == nil {
		return values
	}
	for _, r := range shown.PlannedValues.RootModule.Resources {
		values[r.Address] = r
	}
	return values
}

// variable is what the module was given.
func (c *Client) variable(name string) string {
	var values map[string]any
	if content, err := os.ReadFile(c.path(variablesFile)); err == nil {
		_ = json.Unmarshal(content, &values) // a hint without it is better than none
	}
	return stringOf(values, name)
}

// makeStateBucket makes the bucket that shall hold the state.
func (c *Client) makeStateBucket() string {
	var file struct {
		Terraform struct {
			Backend struct {
				S3 struct{ Bucket, Region string }
			}
		}
	}
	if content, err := os.ReadFile(c.path(backendFile)); err == nil {
		_ = json.Unmarshal(content, &file) // as above
	}
	s3 := file.Terraform.Backend.S3
	return fmt.Sprintf("aws s3 mb s3://%s --region %s\n"+
		"aws s3api put-bucket-versioning --bucket %s --versioning-configuration Status=Enabled",
		s3.Bucket, s3.Region, s3.Bucket)
}

// bucketName is how the provider names the bucket of an error.
var bucketName = regexp.MustCompile(`S3 Bucket \(([a-z0-9.-]+)\)`)

// emptyBucket deletes what keeps a bucket from being deleted.
func emptyBucket(fault string) string {
	match := bucketName.FindStringSubmatch(fault)
	if match == nil {
		return "aws s3 ls"
	}
	return "aws s3 rm --recursive s3://" + match[1]
}
