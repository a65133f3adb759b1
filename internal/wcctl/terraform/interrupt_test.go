package terraform_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/wastecoach/wastecoach/internal/testprogram"
	"github.com/wastecoach/wastecoach/internal/wcctl/event"
	"github.com/wastecoach/wastecoach/internal/wcctl/terraform"
)

// deadline is far more than any of these commands takes.
const deadline = time.Minute

// slowModule makes a quick machine, then one that takes an hour as long as the file slow exists.
const slowModule = `
resource "terraform_data" "quick" {
  provisioner "local-exec" { command = "echo quick >> marks" }
}
resource "terraform_data" "slow" {
  depends_on = [terraform_data.quick]
  provisioner "local-exec" {
    command = "if [ -e slow ]; then echo begun $$ && exec sleep 3600; fi && echo slow >> marks"
  }
}
output "machines" { value = [] }
`

// begun waits until the slow machine is being made and returns its provisioner's process.
func (b *bundle) begun() int {
	b.t.Helper()
	e := b.await(func(e event.Event) bool {
		return e.Kind == event.Note && strings.HasPrefix(e.Text, "begun ")
	})
	pid, err := strconv.Atoi(strings.TrimPrefix(e.Text, "begun "))
	if err != nil {
		b.t.Fatal(err)
	}
	return pid
}

// until waits for a condition; at the deadline it shows the log.
func until(t *testing.T, log *safeBuffer, condition func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	end := time.After(deadline)
	for !condition() {
		select {
		case <-tick.C:
		case <-end:
			t.Fatalf("it did not happen:\n%s", log)
		}
	}
}

// resume lets the slow machine be quick, applies again and checks what was made how often.
func (b *bundle) resume() {
	b.t.Helper()
	state, err := os.ReadFile(filepath.Join(b.dir, "terraform.tfstate"))
	if err != nil || !json.Valid(state) {
		b.t.Fatalf("the state is not readable: %v\n%s", err, state)
	}
	if err := os.Remove(filepath.Join(b.dir, "slow")); err != nil {
		b.t.Fatal(err)
	}
	b.apply(b.t.Context())
	if b.marks() != "quick\nslow\n" {
		b.t.Errorf("made %q", b.marks())
	}
	checkChanges(b.t, b.plan(b.t.Context()), nil)
}

func TestCancelledApplyGoesOn(t *testing.T) {
	t.Parallel()
	b := setup(t, slowModule, nil)
	write(t, filepath.Join(b.dir, "slow"), "")
	ctx, cancel := context.WithCancel(t.Context())
	failed := make(chan error)
	go func() { failed <- b.client().Apply(ctx, b) }()
	pid := b.begun()
	cancel()
	err := <-failed
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("canceled: %v", err)
	}
	if e := asError(t, err, "making the machines"); e.Hint != "wcctl up" {
		t.Errorf("hint %q", e.Hint)
	}
	until(t, b.log, func() bool { return errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) })
	if changes := b.plan(t.Context()); len(changes) == 0 {
		t.Error("an interrupted apply leaves work to plan")
	}
	b.resume()
}

// killedHelper is the environment variable that makes TestMain's child apply and be killed.
const killedHelper = "TERRAFORM_TEST_APPLY_IN"

// TestKilledApply is the child of TestKilledRunGoesOn.
func TestKilledApply(t *testing.T) { //nolint:paralleltest // it is a process of its own
	dir := os.Getenv(killedHelper)
	if dir == "" {
		t.Skip("only TestKilledRunGoesOn starts it, to kill it")
	}
	b := &bundle{t: t, dir: dir, log: &safeBuffer{}}
	_ = b.client(func(o *terraform.Options) { o.Log = os.Stderr }).Apply(t.Context(), b)
}

func TestKilledRunGoesOn(t *testing.T) {
	t.Parallel()
	b := setup(t, slowModule, nil)
	write(t, filepath.Join(b.dir, "slow"), "")
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestKilledApply$")
	child.Env = append(os.Environ(), killedHelper+"="+b.dir)
	log := &safeBuffer{}
	child.Stdout, child.Stderr = log, log
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	begun := regexp.MustCompile(`begun (\d+)\n`)
	until(t, log, func() bool { return begun.MatchString(log.String()) })
	// Terraform dies with its parent; what it has started does not.
	orphan, err := strconv.Atoi(begun.FindStringSubmatch(log.String())[1])
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Kill(orphan, syscall.SIGKILL) //nolint:errcheck // it may have ended
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = child.Wait()
	b.resume()
}

// TestPatience shows that a terraform deaf to SIGINT is killed in the end.
func TestPatience(t *testing.T) {
	t.Parallel()
	b := setup(t, slowModule, nil)
	deaf := filepath.Join(t.TempDir(), "terraform")
	script := `#!/bin/sh
case $1 in
version) echo '{"terraform_version": "1.11.0"}' ;;
init) trap '' INT; echo deaf >&2; while :; do sleep 0.05; done ;;
esac
`
	testprogram.Write(t, deaf, script)
	ctx, cancel := context.WithCancel(t.Context())
	c := b.client(func(o *terraform.Options) {
		o.Program, o.Patience = deaf, 200*time.Millisecond
	})
	failed := make(chan error)
	go func() {
		_, err := c.Plan(ctx, b)
		failed <- err
	}()
	until(t, b.log, func() bool { return strings.Contains(b.log.String(), "deaf") })
	begin := time.Now()
	cancel()
	if err := <-failed; !errors.Is(err, context.Canceled) {
		t.Errorf("deaf: %v", err)
	}
	if took := time.Since(begin); took < 200*time.Millisecond || took > deadline {
		t.Errorf("it was killed after %s", took)
	}
}
