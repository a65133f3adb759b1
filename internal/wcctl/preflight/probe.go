package preflight

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/wastecoach/wastecoach/internal/wcctl/fleet"
)

//go:embed probe.sh
var probeScript string

// Client is what Probe needs of a *remote.Client.
type Client interface {
	Machine() fleet.Machine
	SSHCommand() string
	Output(ctx context.Context, command string, stdin io.Reader) (string, error)
}

// Probe looks at a machine by one command that changes nothing.
func Probe(ctx context.Context, c Client) (Facts, error) {
	ports := make([]string, len(componentPorts))
	for i, p := range componentPorts {
		ports[i] = strconv.Itoa(p.port)
	}
	before := time.Now()
	out, err := c.Output(ctx, "PORTS='"+strings.Join(ports, " ")+"' sh -s",
		strings.NewReader(probeScript))
	if err != nil {
		return Facts{}, fmt.Errorf("looking at the machine: %w", err)
	}
	f, err := parse(out)
	if err != nil {
		return Facts{}, fmt.Errorf("%s: %w", c.Machine().Name, err)
	}
	f.Machine, f.Login = c.Machine(), c.SSHCommand()
	f.Skew = skew(f.Time, before, time.Now())
	return f, nil
}

func parse(out string) (Facts, error) {
	var f Facts
	if err := json.Unmarshal([]byte(out), &f); err != nil {
		const most = 200
		return f, fmt.Errorf("reading what the machine says of itself: %w: %.*q", err, most, out)
	}
	return f, nil
}

// skew is 0 where the machine's time is one at which it may have been asked.
func skew(seconds float64, before, after time.Time) time.Duration {
	at := time.UnixMicro(int64(seconds * 1e6))
	switch {
	case at.Before(before.Add(-time.Second)): // some clocks tell only whole seconds
		return at.Sub(before)
	case at.After(after):
		return at.Sub(after)
	default:
		return 0
	}
}
