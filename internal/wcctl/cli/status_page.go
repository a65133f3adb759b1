package cli

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/wastecoach/wastecoach/internal/wcctl/cells"
	"github.com/wastecoach/wastecoach/internal/wcctl/kube"
)

// statusPage is the text of `wcctl status`.
func statusPage(con *console, cluster string, report kube.Report) string {
	style := newTheme(con.colored(con.out))
	p := &page{width: con.width(con.out)}
	p.line("", fmt.Sprintf("%s at %s, %s", cluster, report.Server,
		report.At.Local().Format(time.DateTime)), style.title)
	p.gap()
	conditionTable(p, style, report)
	if len(report.Nodes) > 0 {
		p.gap()
		nodeTable(p, style, report)
	}
	if len(report.Certificates) > 0 {
		p.gap()
		certificateTable(p, style, report.Certificates)
	}
	return p.String()
}

const columnGap = 2

// columns are the widths of a table's columns but the last, which takes the rest of the line.
func columns(rows [][]string) []int {
	var widths []int
	for _, row := range rows {
		for i, cell := range row[:len(row)-1] {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], len(cell))
		}
	}
	return widths
}

// tableLine pads all cells but the last, which is wrapped under itself.
func tableLine(p *page, widths []int, row []string, style func(...string) string) {
	prefix := ""
	for i, cell := range row[:len(row)-1] {
		prefix += fmt.Sprintf("%-*s", widths[i]+columnGap, cell)
	}
	if style == nil {
		style = asIs
	}
	p.line(prefix, row[len(row)-1], style)
}

func conditionTable(p *page, style theme, report kube.Report) {
	rows := [][]string{{"CONDITION", "STATE", "SINCE", "MESSAGE"}}
	for _, c := range report.Conditions {
		state := strings.ReplaceAll(string(c.State), "_", " ")
		rows = append(rows, []string{c.Name, state, ageOf(report.At, c.Since), c.Message})
	}
	widths := columns(rows)
	tableLine(p, widths, rows[0], nil)
	for i, c := range report.Conditions {
		tableLine(p, widths, rows[i+1], stateStyle(style, c.State))
		if c.State != kube.OK && c.Hint != "" {
			for hint := range strings.Lines(c.Hint) {
				hintLine(p, sum(widths), hint, style.faint)
			}
		}
	}
}

func sum(widths []int) int {
	total := 0
	for _, w := range widths {
		total += w + columnGap
	}
	return total
}

// hintLine is not wrapped: it is there to be pasted.
func hintLine(p *page, indent int, hint string, style func(...string) string) {
	text := "try: " + cells.Clean(strings.TrimSpace(hint))
	p.WriteString(strings.Repeat(" ", indent) + style(text) + "\n")
}

func stateStyle(style theme, state kube.State) func(...string) string {
	switch state {
	case kube.OK:
		return asIs
	case kube.Warning, kube.NotEnforced:
		return style.warning
	default:
		return style.bad
	}
}

func nodeTable(p *page, style theme, report kube.Report) {
	rows := [][]string{{"NODE", "ROLE", "VERSION", "AGE", "CPU", "MEMORY", "STATUS"}}
	for _, n := range report.Nodes {
		rows = append(rows, []string{
			n.Name, string(n.Role), cmp.Or(n.Version, "-"), ageOf(report.At, n.Created),
			share(n.CPUMilli, n.CPUTotalMilli), share(n.MemoryBytes, n.MemoryTotalBytes), nodeStatus(n),
		})
	}
	widths := columns(rows)
	tableLine(p, widths, rows[0], nil)
	for i, n := range report.Nodes {
		paint := asIs
		switch {
		case !n.Ready:
			paint = style.bad
		case n.Cordoned:
			paint = style.warning
		}
		tableLine(p, widths, rows[i+1], paint)
	}
}

func nodeStatus(n kube.Node) string {
	status := "Ready"
	switch {
	case n.Version == "":
		status = "no node"
	case !n.Ready:
		status = "NotReady" // the condition says why
	}
	if n.Cordoned {
		status += ", cordoned"
	}
	return status
}

// share is a part in percent; a dash where it is not known.
func share(part, whole int64) string {
	if part == 0 || whole == 0 {
		return "-"
	}
	const percent = 100
	return fmt.Sprintf("%d%%", (part*percent+whole/2)/whole)
}

// certificateTable has a line per machine, with what ends first there.
func certificateTable(p *page, style theme, certificates []kube.Certificate) {
	first := map[string]kube.Certificate{}
	number := map[string]int{}
	var order []string
	for _, c := range certificates {
		if c.Authority {
			continue // they outlive what they sign by years
		}
		if known, found := first[c.Machine]; !found {
			order = append(order, c.Machine)
			first[c.Machine] = c
		} else if c.DaysLeft < known.DaysLeft {
			first[c.Machine] = c
		}
		number[c.Machine]++
	}
	rows := [][]string{{"CERTIFICATES", "NUMBER", "DAYS LEFT", "FIRST TO END"}}
	for _, machine := range order {
		name := machine
		if name == "" {
			name = "(from here)"
		}
		c := first[machine]
		rows = append(rows, []string{name, fmt.Sprint(number[machine]), fmt.Sprint(c.DaysLeft), c.Name})
	}
	widths := columns(rows)
	tableLine(p, widths, rows[0], nil)
	for i, machine := range order {
		tableLine(p, widths, rows[i+1], stateStyle(style, first[machine].State()))
	}
}

// ageOf is e.g. 45s, 12m, 3h or 4d.
func ageOf(now, since time.Time) string {
	const day = 24 * time.Hour
	age := now.Sub(since)
	switch {
	case since.IsZero():
		return "-"
	case age < time.Minute:
		return fmt.Sprintf("%ds", max(int(age.Seconds()), 0))
	case age < 2*time.Hour:
		return fmt.Sprintf("%dm", int(age.Minutes()))
	case age < 2*day:
		return fmt.Sprintf("%dh", int(age.Hours()))
	}
	return fmt.Sprintf("%dd", int(age/day))
}

// writeLine prints one JSON document on one line.
func writeLine(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return fmt.Errorf("printing the answer: %w", err)
	}
	return nil
}
