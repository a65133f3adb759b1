// Package awsaccount asks AWS itself what it has of a cluster: what Terraform forgot costs money.
package awsaccount

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strings"
)

// Account looks at one cluster's account and region through the AWS CLI, which `wcctl` needs for
// its logins anyway.
type Account struct {
	program, cluster, region string
}

// Open finds the AWS CLI, the first one in PATH where program is empty.
func Open(program, cluster, region string) (*Account, error) {
	if program == "" {
		program = "aws"
	}
	path, err := exec.LookPath(program)
	if err != nil {
		return nil, fmt.Errorf("looking for the AWS CLI: %w", err)
	}
	return &Account{program: path, cluster: cluster, region: region}, nil
}

// Left lists what is still there, each with the command that deletes it where one is enough. What
// AWS lists for a while after it was deleted is not there.
func (a *Account) Left(ctx context.Context) ([]string, error) {
	arns, err := a.tagged(ctx)
	if err != nil {
		return nil, err
	}
	var left []string
	for _, arn := range arns {
		if line, there := a.look(ctx, arn); there {
			left = append(left, line)
		}
	}
	roles, err := a.roles(ctx)
	return append(left, roles...), err
}

// tagged are the resources with the module's tags, and those that Kubernetes made with its own:
// volumes of claims and their snapshots.
func (a *Account) tagged(ctx context.Context) ([]string, error) {
	var arns []string
	for _, filters := range [][]string{
		{"Key=ManagedBy,Values=wcctl", "Key=Cluster,Values=" + a.cluster},
		{"Key=kubernetes.io/cluster/" + a.cluster},
	} {
		arguments := append([]string{
			"resourcegroupstaggingapi", "get-resources", "--output", "json", "--tag-filters",
		}, filters...)
		out, err := a.run(ctx, arguments...)
		if err != nil {
			return nil, fmt.Errorf("asking AWS for what is left: %w", err)
		}
		var answer struct {
			Resources []struct {
				ARN string `json:"ResourceARN"`
			} `json:"ResourceTagMappingList"`
		}
		if err := json.Unmarshal(out, &answer); err != nil {
			return nil, fmt.Errorf("reading AWS's answer: %w", err)
		}
		for _, r := range answer.Resources {
			if !slices.Contains(arns, r.ARN) {
				arns = append(arns, r.ARN)
			}
		}
	}
	return arns, nil
}

// kind is how the AWS CLI describes and deletes what an ARN names.
type kind struct{ describe, remove string }

func kinds() map[string]kind {
	return map[string]kind{
		"elastic-ip": {"describe-addresses --allocation-ids", "release-address --allocation-id"},
		"instance":   {"describe-instances --instance-ids", "terminate-instances --instance-ids"},
		"internet-gateway": {
			"describe-internet-gateways --internet-gateway-ids",
			"delete-internet-gateway --internet-gateway-id",
		},
		"network-interface": {
			"describe-network-interfaces --network-interface-ids",
			"delete-network-interface --network-interface-id",
		},
		"route-table": {"describe-route-tables --route-table-ids", "delete-route-table --route-table-id"},
		"security-group": {
			"describe-security-groups --group-ids", "delete-security-group --group-id",
		},
		// It goes with its group.
		"security-group-rule": {"describe-security-group-rules --security-group-rule-ids", ""},
		"snapshot":            {"describe-snapshots --snapshot-ids", "delete-snapshot --snapshot-id"},
		"subnet":              {"describe-subnets --subnet-ids", "delete-subnet --subnet-id"},
		"volume":              {"describe-volumes --volume-ids", "delete-volume --volume-id"},
		"vpc":                 {"describe-vpcs --vpc-ids", "delete-vpc --vpc-id"},
	}
}

// look tells whether a resource is there, and words it. One that cannot be looked at counts as there.
func (a *Account) look(ctx context.Context, arn string) (line string, there bool) {
	parts := strings.SplitN(arn, ":", 6) // arn:partition:service:region:account:resource
	if len(parts) < 6 {
		return arn, true
	}
	name := parts[5]
	if parts[2] == "s3" {
		_, err := a.run(ctx, "s3api", "head-bucket", "--bucket", name)
		line = fmt.Sprintf("bucket %s (aws s3 rb --force s3://%s)", name, name)
		return line, err == nil || !strings.Contains(err.Error(), "(404)")
	}
	typeName, id, _ := strings.Cut(name, "/")
	known, ok := kinds()[typeName]
	if !ok || parts[2] != "ec2" {
		return arn, true
	}
	out, err := a.run(ctx, append(append([]string{"ec2"}, strings.Fields(known.describe)...), id)...)
	if err != nil && strings.Contains(err.Error(), ".NotFound") || terminated(out) {
		return "", false
	}
	line = typeName + " " + id
	if known.remove != "" {
		line += fmt.Sprintf(" (aws ec2 %s %s --region %s)", known.remove, id, a.region)
	}
	return line, true
}

// terminated tells whether an answer shows an instance that is only still listed.
func terminated(answer []byte) bool {
	var a struct {
		Reservations []struct {
			Instances []struct{ State struct{ Name string } }
		}
	}
	if json.Unmarshal(answer, &a) != nil || len(a.Reservations) == 0 {
		return false
	}
	for _, r := range a.Reservations {
		for _, instance := range r.Instances {
			if instance.State.Name != "terminated" {
				return false
			}
		}
	}
	return true
}

// roles asks for them by name: what belongs to no region, the search by tags leaves out.
func (a *Account) roles(ctx context.Context) ([]string, error) {
	var left []string
	for _, role := range []string{"control", "worker"} {
		name := a.cluster + "-" + a.region + "-" + role
		for what, arguments := range map[string][]string{
			"instance profile": {"get-instance-profile", "--instance-profile-name", name},
			"role":             {"get-role", "--role-name", name},
		} {
			_, err := a.run(ctx, append([]string{"iam"}, arguments...)...)
			switch {
			case err == nil:
				left = append(left, what+" "+name)
			case !strings.Contains(err.Error(), "NoSuchEntity"):
				return nil, fmt.Errorf("asking AWS for the %s %s: %w", what, name, err)
			}
		}
	}
	slices.Sort(left)
	return left, nil
}

// run runs the AWS CLI; an error ends with what it said.
func (a *Account) run(ctx context.Context, arguments ...string) ([]byte, error) {
	arguments = append(arguments, "--region", a.region)
	out, err := exec.CommandContext(ctx, a.program, arguments...).Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return out, fmt.Errorf("aws %s: %w: %s",
			strings.Join(arguments, " "), err, strings.TrimSpace(string(exit.Stderr)))
	}
	return out, err
}
