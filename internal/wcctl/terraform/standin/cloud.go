package standin

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

// CloudVariable names a folder in which the stand-in remembers what it has made, as a cloud does
// whose user has lost the state: it then refuses to make the same twice, in AWS's words.
const CloudVariable = "AWS_STANDIN_CLOUD"

// refusals are AWS's words for what it has already; other types are made twice without a word.
var refusals = map[string]string{
	"aws_iam_role": "creating IAM Role (%s): operation error IAM: CreateRole, https response error " +
		"StatusCode: 409, RequestID: 0, EntityAlreadyExists: Role with name %[1]s already exists.",
	"aws_iam_instance_profile": "creating IAM Instance Profile (%s): operation error IAM: " +
		"CreateInstanceProfile, https response error StatusCode: 409, RequestID: 0, " +
		"EntityAlreadyExists: Instance Profile %[1]s already exists.",
	"aws_s3_bucket": "creating S3 Bucket (%s): operation error S3: CreateBucket, https response " +
		"error StatusCode: 409, RequestID: 0, BucketAlreadyOwnedByYou: ",
	"aws_subnet": "creating EC2 Subnet: operation error EC2: CreateSubnet, api error " +
		"InvalidSubnet.Conflict: The CIDR conflicts with another subnet",
	"aws_security_group": "creating Security Group (%s): operation error EC2: CreateSecurityGroup, " +
		"api error InvalidGroup.Duplicate: The security group already exists for VPC",
	"aws_vpc_security_group_ingress_rule": "creating VPC Security Group Rule: operation error EC2: " +
		"AuthorizeSecurityGroupIngress, api error InvalidPermission.Duplicate: already exists",
	"aws_vpc_security_group_egress_rule": "creating VPC Security Group Rule: operation error EC2: " +
		"AuthorizeSecurityGroupEgress, api error InvalidPermission.Duplicate: already exists",
	"aws_network_interface": "creating EC2 Network Interface: operation error EC2: " +
		"CreateNetworkInterface, api error InvalidIPAddress.InUse: Address is in use",
	"aws_instance": "creating EC2 Instance: operation error EC2: RunInstances, https response error " +
		"StatusCode: 400, RequestID: 0, api error InvalidNetworkInterface.InUse: Interface: in use.",
	"aws_route": "creating Route in Route Table with destination: operation error EC2: CreateRoute, " +
		"api error RouteAlreadyExists: The route already exists.",
}

// cloud is that folder; an empty one remembers nothing.
type cloud string

func (c cloud) file(typeName, name string) string {
	return filepath.Join(string(c), typeName, url.PathEscape(name))
}

// taken tells whether it is there already.
func (c cloud) taken(typeName, name string) bool {
	if c == "" || name == "" || refusals[typeName] == "" {
		return false
	}
	_, err := os.Stat(c.file(typeName, name))
	return err == nil
}

func (c cloud) keep(typeName, name string, state *tfprotov6.DynamicValue) error {
	if c == "" || name == "" {
		return nil
	}
	file := c.file(typeName, name)
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return err
	}
	return os.WriteFile(file, state.MsgPack, 0o600)
}

func (c cloud) forget(typeName, name string) error {
	if c == "" || name == "" {
		return nil
	}
	err := os.Remove(c.file(typeName, name))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}

func refusal(typeName, name string) []*tfprotov6.Diagnostic {
	summary := refusals[typeName]
	if summary != "" && name != "" {
		summary = fmt.Sprintf(summary+"%.0[1]s", name)
	}
	return []*tfprotov6.Diagnostic{{Severity: tfprotov6.DiagnosticSeverityError, Summary: summary}}
}

// nameOf is what a person would know a resource by: a name, its tag Name, a route's two ends.
func nameOf(kind tftypes.Type, encoded *tfprotov6.DynamicValue) (string, error) {
	value, err := encoded.Unmarshal(kind)
	if err != nil || value.IsNull() {
		return "", err
	}
	var attributes map[string]tftypes.Value
	if err := value.As(&attributes); err != nil {
		return "", err
	}
	if table, to := word(attributes["route_table_id"]), word(attributes["destination_cidr_block"]); to != "" {
		return table + "_" + to, nil
	}
	for _, name := range []string{"bucket", "name"} {
		if found := word(attributes[name]); found != "" {
			return found, nil
		}
	}
	var tags map[string]tftypes.Value
	if v, ok := attributes["tags"]; ok && v.IsKnown() && !v.IsNull() {
		if err := v.As(&tags); err != nil {
			return "", err
		}
	}
	return word(tags["Name"]), nil
}

func word(v tftypes.Value) string {
	var s string
	if !v.IsKnown() || v.IsNull() || !v.Type().Is(tftypes.String) || v.As(&s) != nil {
		return ""
	}
	return s
}
