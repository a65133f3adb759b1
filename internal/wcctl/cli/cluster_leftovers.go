package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/wastecoach/wastecoach/internal/wcctl/awsaccount"
	"github.com/wastecoach/wastecoach/internal/wcctl/fleet"
	"github.com/wastecoach/wastecoach/internal/wcctl/localmachine"
	"github.com/wastecoach/wastecoach/internal/wcctl/phase"
	"github.com/wastecoach/wastecoach/internal/wcctl/preflight"
	"github.com/wastecoach/wastecoach/internal/wcctl/spec"
)

const awsInstallHint = "https://docs.aws.amazon.com/cli/latest/userguide/getting-started-install.html"

// leftovers is where each target is looked at after down.
func leftovers(s *session) (phase.Leftovers, error) {
	switch s.cluster.Spec.Target {
	case spec.Local:
		return s.localLeftovers, nil
	case spec.AWS:
		return s.awsLeftovers()
	case spec.Hosts:
	}
	return s.hostLeftovers, nil
}

// localLeftovers are machines and what they were made of: Terraform's word is not enough.
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
	return append(left, traces(s.cluster.Metadata.Name, string(s.folder))...), nil
}

// traces are what machines on this computer leave where nobody cleaned up: network namespaces,
// control groups, mounts, processes.
func traces(cluster, folder string) []string {
	var left []string
	lab := "wc-" + cluster
	for what, patterns := range map[string][]string{
		"network namespace": {"/run/netns/" + lab, "/run/netns/" + lab + ".*"},
		"control group":     {"/sys/fs/cgroup/" + lab + ".*", "/sys/fs/cgroup/*/" + lab + ".*"},
	} {
		for _, pattern := range patterns {
			found, _ := filepath.Glob(pattern) // the patterns are right
			for _, path := range found {
				left = append(left, what+" "+path)
			}
		}
	}
	mounts, _ := os.ReadFile("/proc/self/mountinfo") // other systems have none
	for line := range strings.Lines(string(mounts)) {
		if fields := strings.Fields(line); len(fields) > 4 && strings.HasPrefix(fields[4], folder+"/") {
			left = append(left, "mount "+fields[4])
		}
	}
	supervisor := "\x00machine\x00" + localmachine.SuperviseCommand + "\x00"
	commands, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, path := range commands {
		line, err := os.ReadFile(path)
		if err == nil && strings.Contains(string(line), supervisor) && strings.Contains(string(line), folder) {
			left = append(left, "process "+filepath.Base(filepath.Dir(path)))
		}
	}
	slices.Sort(left)
	return left
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

// awsLeftovers needs the AWS CLI, and says so before anything is deleted.
func (s *session) awsLeftovers() (phase.Leftovers, error) {
	account, err := awsaccount.Open("", s.cluster.Metadata.Name, s.cluster.Spec.AWS.Region)
	if err != nil {
		return nil, &Error{Cause: err, Hint: awsInstallHint}
	}
	return func(ctx context.Context, _ fleet.Fleet) ([]string, error) {
		left, err := account.Left(ctx)
		if err != nil {
			return nil, &phase.Error{Phase: "verify", Cause: err, Hint: "aws sts get-caller-identity"}
		}
		return left, nil
	}, nil
}
