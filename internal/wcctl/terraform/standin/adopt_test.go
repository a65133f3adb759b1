package standin_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wastecoach/wastecoach/internal/testprogram"
	"github.com/wastecoach/wastecoach/internal/wcctl/terraform"
	"github.com/wastecoach/wastecoach/internal/wcctl/terraform/standin"
)

// lost are resources that were made and not stored: one of each type that AWS refuses to make twice.
var lost = []string{
	`aws_iam_role.machine["control"]`,
	`aws_iam_instance_profile.machine["control"]`,
	`aws_s3_bucket.photos`,
	`aws_subnet.private`,
	`aws_security_group.machine["control-plane"]`,
	`aws_vpc_security_group_ingress_rule.cluster["etcd-from-itself"]`,
	`aws_vpc_security_group_egress_rule.all["worker"]`,
	`aws_network_interface.machine["demo-control-plane"]`,
	`aws_instance.machine["demo-control-plane"]`,
	`aws_route.internet`,
}

// TestLostResourcesAreAdopted: after a run that was killed before it could store its state, the
// hints' commands, pasted as they are, lead to a cluster whose plan is empty.
func TestLostResourcesAreAdopted(t *testing.T) {
	t.Parallel()
	dir, environ := setup(t, variables())
	environ = append(environ, standin.CloudVariable+"="+t.TempDir(), "PATH="+fakeAWS(t)+":"+os.Getenv("PATH"))
	if err := newClient(t, dir, environ).Apply(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	shell(t, environ, "terraform -chdir="+dir+" state rm '"+strings.Join(lost, "' '")+"'")
	adopted := map[string]bool{}
	for range lost {
		err := newClient(t, dir, environ).Apply(t.Context(), nil)
		if err == nil {
			break
		}
		for _, command := range imports(t, err) {
			shell(t, environ, command)
			adopted[strings.Split(command, "'")[1]] = true
		}
	}
	for _, address := range lost {
		if !adopted[address] {
			t.Errorf("%s was not adopted", address)
		}
	}
	if changes, err := newClient(t, dir, environ).Plan(t.Context(), nil); err != nil || len(changes) != 0 {
		t.Errorf("the plan in the end: %v, %v", changes, err)
	}
}

// imports are the hint's commands before the last, which goes on.
func imports(t *testing.T, err error) []string {
	t.Helper()
	var e *terraform.Error
	if !errors.As(err, &e) {
		t.Fatal(err)
	}
	commands := strings.Split(e.Hint, "\n")
	last := len(commands) - 1
	if commands[last] != "wcctl up" || last == 0 {
		t.Fatalf("%v\nhint: %s", err, e.Hint)
	}
	return commands[:last]
}

func shell(t *testing.T, environ []string, command string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "sh", "-c", command)
	cmd.Env = environ
	if output, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", command, err, output)
	}
}

// fakeAWS is a folder with an aws that answers a search by the tag Name with that name: the stand-in
// knows its resources by it.
func fakeAWS(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	script := `#!/bin/sh
for word; do
	case $word in
	Name=value,Values=*) echo "${word#Name=value,Values=}" ;;
	Name=tag:Name,Values=*) echo "${word#Name=tag:Name,Values=}" ;;
	esac
done
`
	testprogram.Write(t, filepath.Join(dir, "aws"), script)
	return dir
}
