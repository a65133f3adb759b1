package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"strings"

	"github.com/wastecoach/wastecoach/internal/wcctl/fleet"
	"github.com/wastecoach/wastecoach/internal/wcctl/localmachine"
	"github.com/wastecoach/wastecoach/internal/wcctl/phase"
	"github.com/wastecoach/wastecoach/internal/wcctl/preflight"
	"github.com/wastecoach/wastecoach/internal/wcctl/spec"
)

// leftovers is where each target is looked at after down.
func leftovers(s *session) phase.Leftovers {
	switch s.cluster.Spec.Target {
	case spec.Local:
		return s.localLeftovers
	case spec.AWS:
		return s.awsLeftovers
	case spec.Hosts:
	}
	return s.hostLeftovers
}

// localLeftovers are machines and what they were made of.
func (s *session) localLeftovers(context.Context, fleet.Fleet) ([]string, error) {
	lab, err := localmachine.Open(string(s.folder))
	if err != nil {
		return nil, err
	}
	machines, err := lab.List()
	if err != nil {
		return nil, err
	}
	var left []string
	for _, m := range machines {
		left = append(left, fmt.Sprintf("machine %s (%s)", m.Name, m.State))
	}
	return left, nil
}

// hostLeftovers are what a cluster leaves on machines that stay.
func (s *session) hostLeftovers(ctx context.Context, machines fleet.Fleet) ([]string, error) {
	var left []string
	var errs []error
	for _, m := range machines {
		shell, err := s.run.Dial(ctx, m, 0)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		client, ok := shell.(preflight.Client)
		if !ok {
			return nil, fmt.Errorf("no login to %s", m.Name)
		}
		facts, err := preflight.Probe(ctx, client)
		errs = append(errs, err, shell.Close())
		for _, file := range facts.Leftovers {
			left = append(left, m.Name+": "+file)
		}
		for _, record := range facts.Records {
			left = append(left, m.Name+": the record of phase "+record)
		}
		for unit, state := range facts.Units {
			if state == "active" {
				left = append(left, m.Name+": "+unit+" runs")
			}
		}
	}
	return left, errors.Join(errs...)
}

// The tags that infra/terraform/aws gives to all that it makes.
const (
	awsClusterTag = "Key=Cluster,Values="
	awsOwnerTag   = "Key=ManagedBy,Values=wcctl"
)

// awsLeftovers asks AWS itself for everything with the cluster's tag: Terraform's word is not
// enough, since what it forgot costs money.
func (s *session) awsLeftovers(ctx context.Context, _ fleet.Fleet) ([]string, error) {
	cmd := exec.CommandContext(ctx, "aws", "resourcegroupstaggingapi", "get-resources", "--output", "json",
		"--region", s.cluster.Spec.AWS.Region, "--tag-filters", awsOwnerTag,
		awsClusterTag+s.cluster.Metadata.Name) //nolint:gosec // G204: a checked name
	out, err := cmd.Output()
	if err != nil {
		return nil, &phase.Error{
			Phase: "verify", Cause: fmt.Errorf("asking AWS for what is left: %w", withStderr(err)),
			Hint: cmd.String(),
		}
	}
	var answer struct {
		Resources []struct {
			ARN string `json:"ResourceARN"`
		} `json:"ResourceTagMappingList"`
	}
	if err := json.Unmarshal(out, &answer); err != nil {
		return nil, fmt.Errorf("reading AWS's answer: %w", err)
	}
	var left []string
	for _, r := range answer.Resources {
		gone, err := s.terminated(ctx, r.ARN)
		if err != nil {
			return nil, err
		}
		if !gone {
			left = append(left, r.ARN)
		}
	}
	return left, nil
}

// terminated tells whether an instance is only still listed, as AWS does for about an hour.
func (s *session) terminated(ctx context.Context, arn string) (bool, error) {
	_, id, instance := strings.Cut(arn, ":instance/")
	if !instance {
		return false, nil
	}
	out, err := exec.CommandContext(ctx, "aws", "ec2", "describe-instances", "--output", "text",
		"--region", s.cluster.Spec.AWS.Region, "--instance-ids", id, //nolint:gosec // G204: AWS's own id
		"--query", "Reservations[].Instances[].State.Name").Output()
	if err != nil {
		err = withStderr(err)
		return strings.Contains(err.Error(), "InvalidInstanceID.NotFound"), nil
	}
	return strings.TrimSpace(string(out)) == "terminated", nil
}

// withStderr adds what a program said before it failed.
func withStderr(err error) error {
	var exit *exec.ExitError
	if errors.As(err, &exit) && len(exit.Stderr) > 0 {
		return fmt.Errorf("%w: %s", err, strings.TrimSpace(string(exit.Stderr)))
	}
	return err
}
