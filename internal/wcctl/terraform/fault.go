package terraform

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"regexp"
	"strings"
)

// Error is how a command fails: what was done, what terraform said of it, and what to try.
type Error struct {
	// Act is what was being done, e.g. "making the machines".
	Act string
	// Diagnostics are terraform's own explanations.
	Diagnostics []Diagnostic
	Cause       error
	// Hint is a command to paste, or a short list of them, one per line.
	Hint string
}

// Error implements error: terraform's first explanation, else the cause.
func (e *Error) Error() string { return e.Act + ": " + e.Cause.Error() }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }

// String is the diagnostic on one line.
func (d Diagnostic) String() string {
	parts := []string{d.Address, d.Summary, d.Detail}
	text := make([]string, 0, len(parts))
	for _, part := range parts {
		if part = strings.Join(strings.Fields(part), " "); part != "" {
			text = append(text, strings.TrimSuffix(part, ":"))
		}
	}
	return strings.Join(text, ": ")
}

// explain makes a failed command an Error. A canceled one is errors.Is(err, context.Canceled).
func (c *Client) explain(
	ctx context.Context, act string, err error, s *stream, stderr *tail,
) error {
	fault := &Error{Act: act, Diagnostics: s.faults}
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		fault.Cause = context.Cause(ctx)
		fault.Hint = "wcctl up"
		return fault
	case len(s.faults) > 0:
		fault.Cause = errors.New(s.faults[0].String())
		if more := len(s.faults) - 1; more > 0 {
			fault.Cause = fmt.Errorf("%w (and %d more in the log)", fault.Cause, more)
		}
	case errors.As(err, &exit) && stderr.text() != "":
		fault.Cause = fmt.Errorf("terraform: %w: %s", exit, stderr.text())
	default:
		fault.Cause = err
	}
	c.advise(ctx, fault)
	return fault
}

// advise adds the hint of the first known fault, and words a lock and what exists already in full.
func (c *Client) advise(ctx context.Context, fault *Error) {
	text := fault.Cause.Error()
	if strings.Contains(text, "Error acquiring the state lock") {
		c.adviseLock(fault)
		return
	}
	if fault.Hint = c.adoptions(ctx, fault.Diagnostics); fault.Hint != "" {
		return
	}
	for _, known := range c.knownFaults(text) {
		if strings.Contains(text, known.words) {
			fault.Hint = known.hint
			return
		}
	}
}

type knownFault struct{ words, hint string }

// knownFaults are what users meet, by words of terraform and of AWS.
func (c *Client) knownFaults(text string) []knownFault {
	login := "aws sts get-caller-identity"
	// A copy has the backend that is asked for, the folder that the user knows may not.
	migrate := c.command("init -migrate-state")
	if c.options.Dry {
		migrate = "wcctl up"
	}
	return []knownFault{
		{"Saved plan is stale", "wcctl up"},
		{"Backend configuration changed", migrate},
		{"Backend configuration block has changed", migrate},
		{"S3 bucket does not exist", c.makeStateBucket()},
		{"Failed to query available provider", "TF_CLI_CONFIG_FILE=/path/to/mirror.tfrc wcctl up"},
		{"Failed to install provider", "TF_CLI_CONFIG_FILE=/path/to/mirror.tfrc wcctl up"},
		{"Unsupported Terraform Core version", installHint},
		{"No valid credential sources found", login},
		{"ExpiredToken", login},
		{"InvalidClientTokenId", login},
		{"UnauthorizedOperation", login},
		{"AccessDenied", login},
		{"VcpuLimitExceeded", "aws service-quotas list-service-quotas --service-code ec2"},
		{"AddressLimitExceeded", "aws ec2 describe-addresses"},
		{"BucketNotEmpty", emptyBucket(text)},
	}
}

// lockLine is a line of the description that terraform gives of a lock.
var lockLine = regexp.MustCompile(`(?m)^\s*(ID|Operation|Who|Created):\s+(.*?)\s*$`)

// adviseLock tells who holds the state and how to go on.
func (c *Client) adviseLock(fault *Error) {
	lock := map[string]string{}
	text := fault.Cause.Error()
	if len(fault.Diagnostics) > 0 {
		text = fault.Diagnostics[0].Detail
	}
	for _, match := range lockLine.FindAllStringSubmatch(text, -1) {
		lock[match[1]] = match[2]
	}
	if lock["ID"] == "" {
		return
	}
	fault.Cause = fmt.Errorf(
		"the state is locked by %s since %s (%s): another run is at work, or was killed",
		lock["Who"], lock["Created"], lock["Operation"],
	)
	fault.Hint = "pgrep -a terraform"
	// A lock file in a bucket outlives its holder; a local one ends with it.
	if !strings.Contains(text, "resource temporarily unavailable") {
		fault.Hint = c.command("force-unlock " + lock["ID"])
	}
}

// command is a terraform command to paste.
func (c *Client) command(arguments string) string {
	return fmt.Sprintf("%s -chdir=%s %s", c.program, c.options.Shown, arguments)
}
