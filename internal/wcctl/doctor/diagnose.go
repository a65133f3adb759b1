package doctor

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/wastecoach/wastecoach/internal/wcctl/kube"
)

const (
	// recent is how old the last trace of a fault may be for the fault to count.
	recent = 15 * time.Minute
	// lasting is the same for what passes by itself while something starts: it must go on.
	lasting = 2 * time.Minute
	// startUp is how long a passing fault must have been seen.
	startUp    = 3 * time.Minute
	longestRow = 300
)

// Evidence is a text and where it comes from.
type Evidence struct {
	// Machine is empty for what the API server or this computer says.
	Machine string
	// Source is e.g. kubelet, etcd, events.
	Source string
	Text   string
	// At is the time where the text was written, when it was collected.
	At time.Time
}

// Name is the evidence's path in the archive.
func (e Evidence) Name() string {
	if e.Machine == "" {
		return "cluster/" + e.Source + ".txt"
	}
	return "machines/" + e.Machine + "/" + e.Source + ".txt"
}

// Finding is a fault that shows itself.
type Finding struct {
	ID    string `json:"id"`
	Title string `json:"title"`
	Cause string `json:"cause,omitempty"`
	Hint  string `json:"hint,omitempty"`
	// Machine and Source are where the last trace is; Line is it.
	Machine string `json:"machine,omitempty"`
	Source  string `json:"source"`
	Line    string `json:"line"`
	// First and Last are when it showed itself; they are zero where lines have no times.
	First time.Time `json:"first,omitzero"`
	Last  time.Time `json:"last,omitzero"`
	Count int       `json:"count"`
	// Current tells that it is so now; others were seen earlier.
	Current bool `json:"current"`
}

// Diagnose looks for every known fault; findings that are so now come first.
func Diagnose(evidence []Evidence) []Finding {
	var found []Finding
	for _, e := range append(slices.Clone(evidence), duplicates(evidence)...) {
		found = append(found, diagnose(e)...)
	}
	slices.SortStableFunc(found, func(a, b Finding) int {
		return cmp.Or(boolean(b.Current)-boolean(a.Current), rankOf(a.ID)-rankOf(b.ID),
			strings.Compare(a.Machine, b.Machine))
	})
	return slices.CompactFunc(found, func(a, b Finding) bool {
		return a.ID == b.ID && a.Machine == b.Machine && a.Current == b.Current
	})
}

func boolean(b bool) int {
	if b {
		return 1
	}
	return 0
}

func rankOf(id string) int {
	i := slices.IndexFunc(catalog(), func(f Fault) bool { return f.ID == id })
	if i < 0 {
		return -1
	}
	return i
}

// diagnose gives each line to the first fault that it shows: the catalogue's order is by precision.
func diagnose(e Evidence) []Finding {
	var wanted []Fault
	for _, f := range catalog() {
		if f.lookedForIn(e.Source) {
			wanted = append(wanted, f)
		}
	}
	found := map[string]*Finding{}
	var order []string
	for line := range strings.Lines(e.Text) {
		line = strings.TrimRight(line, "\r\n")
		i := slices.IndexFunc(wanted, func(f Fault) bool { return f.matches(line) })
		if i < 0 {
			continue
		}
		fault := wanted[i]
		at, _ := lineTime(line)
		f, known := found[fault.ID]
		if !known {
			f = &Finding{
				ID: fault.ID, Title: fault.Title, Cause: fault.Cause, Hint: fault.Hint,
				Machine: e.Machine, Source: e.Source, First: at,
			}
			found[fault.ID] = f
			order = append(order, fault.ID)
		}
		f.Count++
		f.Last, f.Line = at, fault.excerpt(line)
		f.Current = current(fault, f, e.At)
	}
	findings := make([]Finding, len(order))
	for i, id := range order {
		findings[i] = *found[id]
	}
	return findings
}

// current tells whether a fault that was last seen then is still one.
func current(fault Fault, f *Finding, now time.Time) bool {
	switch {
	case f.Last.IsZero() || now.IsZero():
		return true
	case fault.passing:
		return now.Sub(f.Last) < lasting && f.Last.Sub(f.First) > startUp
	}
	return now.Sub(f.Last) < recent
}

// stamps are the times that journals and container logs begin their lines with.
var stamps = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)`)

func lineTime(line string) (time.Time, bool) {
	stamp := stamps.FindString(line)
	if stamp == "" {
		return time.Time{}, false
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05-0700"} {
		if at, err := time.Parse(layout, stamp); err == nil {
			return at, true
		}
	}
	return time.Time{}, false
}

// excerpt is a line, or of a long one what stands around the sign.
func (f Fault) excerpt(line string) string {
	line = strings.TrimSpace(line)
	if len(line) <= longestRow {
		return line
	}
	at := 0
	for _, sign := range f.signs {
		if i := strings.Index(line, sign); i >= 0 {
			at = i
			break
		}
	}
	start := max(0, min(at-longestRow/3, len(line)-longestRow))
	end := start + longestRow
	text := strings.ToValidUTF8(line[start:end], "")
	if start > 0 {
		text = "… " + text
	}
	if end < len(line) {
		text += " …"
	}
	return text
}

// duplicates are the facts that only several machines together tell.
func duplicates(evidence []Evidence) []Evidence {
	owner := map[string]string{}
	var found []Evidence
	for _, e := range evidence {
		if e.Source != factSource {
			continue
		}
		for line := range strings.Lines(e.Text) {
			identity, isOne := strings.CutPrefix(strings.TrimSpace(line), "fact identity ")
			if !isOne {
				continue
			}
			first, known := owner[identity]
			if !known {
				owner[identity] = e.Machine
				continue
			}
			if first != e.Machine {
				found = append(found, Evidence{
					Machine: e.Machine, Source: factSource,
					Text: fmt.Sprintf("fact duplicate %s, as %s has", identity, first),
				})
			}
		}
	}
	return found
}

// FromConditions turns the conditions that are not fine into findings.
func FromConditions(conditions []kube.Condition) []Finding {
	var found []Finding
	for _, c := range kube.Worst(conditions) {
		if c.State == kube.Unknown && c.Name != "api-server" {
			continue
		}
		hint := c.Hint
		if strings.HasPrefix(hint, "wcctl doctor") {
			hint = "" // that is what runs
		}
		found = append(found, Finding{
			ID: "condition-" + c.Name, Title: "The condition " + c.Name + " does not hold", Hint: hint,
			Source: "conditions", Line: c.Message, First: c.Since, Last: c.Since, Count: 1, Current: true,
		})
	}
	return found
}
