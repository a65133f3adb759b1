// Package doctor knows the faults that clusters of this kind meet, and looks for them in what
// machines and API server have to say.
package doctor

import (
	"regexp"
	"slices"
	"strings"
	"sync"
)

// Fault is one known way in which a cluster fails.
type Fault struct {
	ID    string `json:"id"`
	Title string `json:"title"`
	Cause string `json:"cause"`
	// Hint is a command to paste, or a short list of them, one per line.
	Hint string `json:"hint"`

	// signs are words of which a line must hold one; pattern, where there is one, must match it too.
	signs   []string
	pattern *regexp.Regexp
	// not are words that a line may not hold.
	not []string
	// sources are where it is looked for; empty means everywhere.
	sources []string
	// passing marks what is normal while a machine or the cluster starts, and counts if it lasts.
	passing bool
}

// catalog is every known fault; where a line shows two, the first is the better explanation.
var catalog = sync.OnceValue(func() []Fault {
	return slices.Concat(
		accessFaults(), terraformFaults(), packageFaults(), checkFaults(), joinFaults(), startFaults(), runtimeFaults(),
		imageFaults(), machineFaults(), networkFaults(), controlPlaneFaults(), factFaults(),
	)
})

// Faults is the whole catalog.
func Faults() []Fault { return slices.Clone(catalog()) }

// Explain finds the first known fault that a text shows, e.g. the output of a task that failed.
func Explain(text string) (Fault, bool) {
	lines := slices.Collect(strings.Lines(text))
	for _, fault := range catalog() {
		if len(fault.sources) > 0 {
			continue
		}
		if slices.ContainsFunc(lines, fault.matches) {
			return fault, true
		}
	}
	return Fault{}, false
}

func (f Fault) matches(line string) bool {
	holds := func(word string) bool { return strings.Contains(line, word) }
	return slices.ContainsFunc(f.signs, holds) && !slices.ContainsFunc(f.not, holds) &&
		(f.pattern == nil || f.pattern.MatchString(line))
}

// lookedForIn tells whether the fault may show itself in texts of a source.
func (f Fault) lookedForIn(source string) bool {
	return len(f.sources) == 0 && !strings.HasPrefix(source, factSource) ||
		slices.Contains(f.sources, source)
}
