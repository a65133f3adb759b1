package doctor

import (
	"bufio"
	"context"
	_ "embed" // the script
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/wastecoach/wastecoach/internal/wcctl/fleet"
	"github.com/wastecoach/wastecoach/internal/wcctl/kube"
	"github.com/wastecoach/wastecoach/internal/wcctl/redact"
	"github.com/wastecoach/wastecoach/internal/wcctl/remote"
)

//go:embed collect.sh
var script string

const (
	// machineTimeout bounds one machine: an ill one may answer slowly, a dead one never.
	machineTimeout = 90 * time.Second
	clusterTimeout = 60 * time.Second
)

// Sources of what the API server tells.
const (
	sourceNodes  = "nodes"
	sourcePods   = "pods"
	sourceEvents = "events"
)

// Options say what to look at.
type Options struct {
	Fleet fleet.Fleet
	// Run reaches the machines.
	Run kube.Run
	// Cluster is nil where there is no kubeconfig yet.
	Cluster *kube.Cluster
	// Wanted is what the conditions compare with.
	Wanted kube.Options
	// Logs is the folder of wcctl's own run logs.
	Logs string
	// Hours is how far back journals are read; 2 where it is 0.
	Hours int
	// Progress hears what was done; it may be nil.
	Progress func(text string)
}

// Missing is what could not be collected, and why.
type Missing struct {
	What string `json:"what"`
	Why  string `json:"why"`
	Hint string `json:"hint,omitempty"`
}

// Collection is everything that was found.
type Collection struct {
	At       time.Time
	Evidence []Evidence
	Report   *kube.Report
	Missing  []Missing
}

// Collect asks machines and API server at once. What does not answer is in Missing; the rest counts.
func Collect(ctx context.Context, opts Options) Collection {
	if opts.Hours == 0 {
		opts.Hours = 2
	}
	if opts.Progress == nil {
		opts.Progress = func(string) {}
	}
	c := &collector{Options: opts}
	var wg sync.WaitGroup
	for _, m := range opts.Fleet {
		wg.Go(func() { c.machine(ctx, m) })
	}
	wg.Go(func() { c.cluster(ctx) })
	wg.Go(c.runLogs)
	wg.Wait()
	c.found.At = time.Now()
	return c.found
}

type collector struct {
	Options
	mu    sync.Mutex
	found Collection
}

func (c *collector) add(evidence ...Evidence) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, e := range evidence {
		e.Text = redact.Text(e.Text)
		c.found.Evidence = append(c.found.Evidence, e)
	}
}

func (c *collector) miss(what string, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	m := Missing{What: what, Why: redact.Text(err.Error())}
	var login *remote.Error
	if errors.As(err, &login) {
		m.Hint = login.Hint
	}
	if m.Hint == "" {
		if fault, known := Explain(m.Why); known {
			m.Hint = fault.Hint
		}
	}
	c.found.Missing = append(c.found.Missing, m)
}

func (c *collector) machine(ctx context.Context, m fleet.Machine) {
	ctx, cancel := context.WithTimeout(ctx, machineTimeout)
	defer cancel()
	asked := time.Now()
	output, err := c.Run(ctx, m, fmt.Sprintf("HOURS=%d\n%s", c.Hours, script))
	if err != nil {
		c.miss(m.Name, err)
		// Half of a machine's story is better than none.
		if output == "" {
			return
		}
	}
	sections, now := parseSections(m.Name, output)
	for i := range sections {
		if sections[i].Source == factSource && !now.IsZero() {
			sections[i].Text += fmt.Sprintf("fact clock-offset %d\n", offset(now, asked, time.Now()))
		}
	}
	c.add(sections...)
	c.Progress(fmt.Sprintf("%s: %d texts", m.Name, len(sections)))
}

// offset is by how many whole seconds a machine's clock is off: its answer came between two times.
func offset(now, asked, answered time.Time) int {
	const rounding = time.Second
	switch {
	case now.Before(asked.Add(-rounding)):
		return -int(asked.Sub(now) / time.Second)
	case now.After(answered):
		return int(now.Sub(answered) / time.Second)
	}
	return 0
}

// parseSections reads what collect.sh prints; now is the machine's own clock.
func parseSections(machine, output string) (sections []Evidence, now time.Time) {
	var text strings.Builder
	name := ""
	flush := func() {
		if name != "" && strings.TrimSpace(text.String()) != "" {
			sections = append(sections, Evidence{Machine: machine, Source: name, Text: text.String()})
		}
		text.Reset()
	}
	lines := bufio.NewScanner(strings.NewReader(output))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		line := lines.Text()
		if strings.HasPrefix(line, "==> ") && strings.HasSuffix(line, " <==") {
			flush()
			name = strings.TrimSuffix(strings.TrimPrefix(line, "==> "), " <==")
			continue
		}
		if seconds, found := strings.CutPrefix(line, "fact now "); found && name == factSource {
			if n, err := strconv.ParseInt(seconds, 10, 64); err == nil {
				now = time.Unix(n, 0)
			}
		}
		text.WriteString(line + "\n")
	}
	flush()
	for i := range sections {
		sections[i].At = now
	}
	return merge(sections), now
}

// merge joins sections of one name: a part of the control plane has a log per start.
func merge(sections []Evidence) []Evidence {
	var merged []Evidence
	at := map[string]int{}
	for _, s := range sections {
		if i, found := at[s.Source]; found {
			merged[i].Text += s.Text
			continue
		}
		at[s.Source] = len(merged)
		merged = append(merged, s)
	}
	return merged
}
