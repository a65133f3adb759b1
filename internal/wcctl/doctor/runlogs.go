package doctor

import (
	"bufio"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/wastecoach/wastecoach/internal/wcctl/event"
)

const (
	// keptRuns is how many of wcctl's last run logs go into the archive.
	keptRuns = 3
	// mostOfLog bounds what is read of one.
	mostOfLog = 4 << 20
)

// runLogs adds wcctl's own last logs. Only the newest is searched for faults, and only if its run
// failed: what an older one met may be mended since.
func (c *collector) runLogs() {
	paths, err := filepath.Glob(filepath.Join(c.Logs, "*.log"))
	if err != nil || c.Logs == "" {
		return
	}
	slices.Sort(paths)
	for i, path := range slices.Backward(paths[max(0, len(paths)-keptRuns):]) {
		text, err := os.ReadFile(path)
		if err != nil {
			c.miss(path, err)
			continue
		}
		text = text[max(0, len(text)-mostOfLog):]
		newest := i == min(len(paths), keptRuns)-1
		source := archivedLog + filepath.Base(path)
		if newest && runFailed(string(text)) {
			source = runLog + filepath.Base(path)
		}
		c.add(Evidence{Source: source, Text: string(text)})
	}
}

// archivedLog begins the names of texts that are kept but not searched.
const archivedLog = runLog + "earlier/"

// runLog begins the names of wcctl's own logs.
const runLog = "wcctl/"

// runFailed tells whether a run's log tells of a phase that failed and no run that finished after.
func runFailed(text string) bool {
	failed := false
	lines := bufio.NewScanner(strings.NewReader(text))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		_, found, isEvent := strings.Cut(lines.Text(), "event {")
		if !isEvent {
			continue
		}
		var e event.Event
		if json.Unmarshal([]byte("{"+found), &e) != nil {
			continue
		}
		switch e.Kind {
		case event.PhaseFailed:
			failed = true
		case event.PhaseFinished:
			failed = false
		}
	}
	return failed
}
