package top

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"charm.land/bubbles/v2/key"
	tea "charm.land/bubbletea/v2"
	"charm.land/lipgloss/v2"

	"github.com/wastecoach/wastecoach/internal/job"
	"github.com/wastecoach/wastecoach/internal/wcctl/cells"
	"github.com/wastecoach/wastecoach/internal/wcctl/monitor"
)

const (
	leastWidth, leastHeight = 40, 10
	// tall is a screen that has lines to spare for rules and a title.
	tall = 16
	wide = 120
)

func (m *model) tooSmall() bool { return m.width < leastWidth || m.height < leastHeight }

// View implements tea.Model.
func (m *model) View() tea.View {
	v := tea.NewView(m.screen())
	v.AltScreen = true
	v.MouseMode = tea.MouseModeCellMotion
	v.ReportFocus = true
	v.WindowTitle = m.windowTitle()
	v.ProgressBar = m.progressBar()
	if m.typing != nil && !m.tooSmall() {
		v.Cursor = m.searchCursor()
	}
	return v
}

// windowTitle is short: a taskbar shows its beginning.
func (m *model) windowTitle() string {
	if m.followed() {
		j := m.detail.job.Job
		return fmt.Sprintf("%d %% %s · wcctl top", j.Progress, stateWord(j))
	}
	counts := m.feed.picture.Jobs.Counts
	return fmt.Sprintf("wcctl top · %s running · %s failed",
		count(counts[job.Processing]), count(counts[job.Failed]))
}

func (m *model) followed() bool { return m.detail != nil && m.detail.got && m.detail.follow }

// progressBar is the terminal's own, for a job that is followed.
func (m *model) progressBar() *tea.ProgressBar {
	if !m.followed() {
		return nil
	}
	j := m.detail.job.Job
	state := tea.ProgressBarDefault
	if j.Stalled || j.Orphan {
		state = tea.ProgressBarWarning
	}
	return tea.NewProgressBar(state, j.Progress)
}

// screen is all lines of the terminal.
func (m *model) screen() string {
	if m.tooSmall() {
		return fmt.Sprintf("wcctl top needs %d×%d,\nthis is %d×%d.",
			leastWidth, leastHeight, m.width, m.height)
	}
	head, foot := m.head(), m.foot()
	lines := slices.Concat(head, m.body().lines)
	room := m.height - len(foot)
	lines = lines[:min(len(lines), room)]
	for len(lines) < room {
		lines = append(lines, "")
	}
	lines = append(lines, foot...)
	for i, line := range lines {
		lines[i] = cells.Cut(line, m.width) // what a view gave too wide would break all below it
	}
	text := strings.Join(lines, "\n")
	if m.dialog != nil {
		return m.over(text)
	}
	return text
}

// rules is how many lines are drawn below the tabs.
func (m *model) rules() int {
	if m.height < tall {
		return 0
	}
	return 1
}

// head is the title, the tabs and a rule, or the tabs alone.
func (m *model) head() []string {
	if m.height < tall {
		state := m.state()
		return []string{m.ends(m.tabs(), state)}
	}
	title := " " + m.paint.bold.of("Waste Coach") + "  " + m.paint.faint.of(cells.Clean(m.feed.picture.Source))
	return []string{m.ends(title, m.state()), m.tabs(), m.rule()}
}

func (m *model) rule() string { return m.paint.faint.of(strings.Repeat("─", m.width)) }

// ends puts a text at each end of a line; the right one is whole.
func (m *model) ends(left, right string) string {
	room := m.width - cells.Width(right) - 2
	return cells.Fit(left, room) + " " + right + " "
}

// state tells how old the picture is.
func (m *model) state() string {
	p := m.paint
	var list []string
	if m.readOnly && m.width >= narrow {
		list = append(list, p.faint.of("read-only"))
	}
	age, stale := m.stale()
	switch {
	case m.feed.at.IsZero() && m.feed.err == nil:
		list = append(list, p.warn.of("connecting"))
	case m.feed.at.IsZero():
		list = append(list, p.bad.of("no answer")+m.again())
	case m.paused():
		list = append(list, p.warn.of("paused"))
	case stale && m.width < narrow:
		list = append(list, p.bad.of("! "+seconds(age)))
	case stale:
		list = append(list, p.bad.of("stale "+seconds(age))+m.again())
	case len(m.feed.picture.Faults) > 0:
		text := "partly stale"
		if m.width < narrow {
			text = "! partly"
		}
		list = append(list, p.warn.of(text))
	default:
		list = append(list, p.good.of("●")+" live")
	}
	if m.height >= tall {
		list = append(list, m.now().Format(time.TimeOnly))
	}
	return strings.Join(list, "  ")
}

// again tells when the next try is.
func (m *model) again() string {
	left := m.feed.next.Sub(m.now())
	if m.width < narrow || m.feed.busy || left <= 0 {
		return ""
	}
	return m.paint.faint.of(" again in " + cells.Elapsed(left))
}

// tabs are the views' names where they fit, else their numbers and the name of this one.
func (m *model) tabs() string {
	var b strings.Builder
	for _, t := range m.tabSpans() {
		b.WriteString(t.styled + cells.Spaces(t.after))
	}
	return b.String()
}

// span is where a tab is.
type span struct {
	styled       string
	width, after int
}

func (m *model) tabSpans() []span {
	p := m.paint
	spans := make([]span, viewCount)
	for v := range viewCount {
		number, name := fmt.Sprintf("%d", v+1), " "+viewNames[v]
		if m.width < 76 && v != m.view {
			name = ""
		}
		mark := ""
		if _, fault := m.feed.picture.Faults[parts[v]]; fault {
			mark = "!"
		}
		text := " " + number + name + mark + " "
		s := span{styled: text, width: cells.Width(text)}
		switch {
		case v == m.view:
			s.styled = p.tab.of(text)
		case mark != "":
			s.styled = " " + p.accent.of(number) + name + p.bad.of(mark) + " "
		default:
			s.styled = " " + p.accent.of(number) + name + " "
		}
		spans[v] = s
	}
	return spans
}

func (m *model) tabAt(x int) (view, bool) {
	at := 0
	for v, s := range m.tabSpans() {
		if x >= at && x < at+s.width {
			return view(v), true
		}
		at += s.width + s.after
	}
	return 0, false
}

// foot is the last line: what is typed, what was done, or what can be done; a rule above it.
func (m *model) foot() []string {
	p, line := m.paint, ""
	switch {
	case m.typing != nil:
		line = m.typing.View()
	case m.acting != "":
		line = " " + p.warn.of(m.acting+" …")
	case m.notice.text != "":
		k := p.good
		if m.notice.bad {
			k = p.warn
		}
		line = " " + k.of(cells.Cut(m.notice.text, m.width-2))
	case m.feed.err != nil && m.height < tall && !m.feed.at.IsZero():
		line = " " + p.bad.of(cells.Cut("! "+cells.Clean(monitor.Explain(m.feed.err)), m.width-2))
	default:
		line = m.hintLine()
	}
	if m.height < tall {
		return []string{line}
	}
	return []string{m.rule(), line}
}

// hintLine is as many keys as fit; the last two, help and leave, always are.
func (m *model) hintLine() string {
	hints := m.keys.hints(m.view, m.detail != nil, m.readOnly)
	if m.help != nil {
		hints = []key.Binding{m.keys.back, m.keys.help, m.keys.quit}
	}
	width := func(b key.Binding) int {
		return cells.Width(b.Help().Key) + 1 + cells.Width(hintWord(b)) + 3
	}
	always := hints[len(hints)-2:]
	room := m.width - 1
	for _, b := range always {
		room -= width(b)
	}
	var shown []key.Binding
	for _, b := range hints[:len(hints)-2] {
		if room -= width(b); room < 0 {
			break
		}
		shown = append(shown, b)
	}
	var list []string
	for _, b := range slices.Concat(shown, always) {
		list = append(list, m.paint.key.of(b.Help().Key)+" "+m.paint.faint.of(hintWord(b)))
	}
	return " " + strings.Join(list, m.paint.faint.of(" · "))
}

// hintWord is the beginning of what a key does, up to the first detail.
func hintWord(b key.Binding) string {
	word, _, _ := strings.Cut(b.Help().Desc, ":")
	return word
}

func (m *model) bodyHeight() int { return m.height - len(m.head()) - len(m.foot()) }

// body is what is between head and foot.
func (m *model) body() pane {
	height := m.bodyHeight()
	switch {
	case m.help != nil:
		return m.scrolled(m.helpLines(), m.help.top, height)
	case m.detail != nil:
		return m.scrolled(m.detailLines(), m.detail.scroll.top, height)
	case m.feed.at.IsZero():
		return m.waiting()
	}
	out := pane{}
	out.add(m.above()...)
	room := height - len(out.lines)
	switch m.view {
	case overview:
		m.drawOverview(&out, room)
	case jobs:
		m.drawJobs(&out, room)
	case queues:
		m.drawQueues(&out, room)
	case workers:
		m.drawWorkers(&out, room)
	case services:
		m.drawServices(&out, room)
	case cluster:
		m.drawCluster(&out, room)
	case events:
		m.drawEvents(&out, room)
	case viewCount:
	}
	return out
}

// listHeight is how many rows of the view's list are seen.
func (m *model) listHeight() int {
	height := m.bodyHeight()
	if m.help != nil || m.detail != nil || m.view == overview {
		return height
	}
	room := height - len(m.above()) - 1
	return max(room-m.panelHeight(room, len(m.rows())), 1)
}

// waiting is the screen before the first picture.
func (m *model) waiting() pane {
	text := []string{"Looking at the system …"}
	if m.feed.err != nil {
		text = wrap(capital(cells.Clean(monitor.Explain(m.feed.err))), m.width-4)
		text = append(text, "", "It is tried again, until it answers.")
		text[0] = m.paint.bad.of("! ") + text[0]
	}
	return m.middle(text)
}

// middle puts lines in the middle of the body.
func (m *model) middle(text []string) pane {
	widest := 0
	for _, line := range text {
		widest = max(widest, cells.Width(line))
	}
	out := pane{}
	for range max((m.bodyHeight()-len(text))/2, 0) {
		out.add("")
	}
	for _, line := range text {
		out.add(cells.Spaces((m.width-widest)/2) + line)
	}
	return out
}

// above are the lines over a view: what is wrong with it, and what of it is shown.
func (m *model) above() []string {
	var lines []string
	p := m.paint
	if m.feed.err != nil && m.height >= tall {
		text := "connection lost: " + cells.Clean(monitor.Explain(m.feed.err))
		lines = append(lines, " "+p.bad.of("! "+cells.Cut(text, m.width-4)))
	}
	if f, ok := m.feed.picture.Faults[parts[m.view]]; ok {
		lines = append(lines, " "+p.bad.of("! "+cells.Cut(m.faultText(f), m.width-4)))
	}
	if line := m.shownLine(); line != "" {
		lines = append(lines, cells.Cut(" "+line, m.width-1))
	}
	return lines
}

func (m *model) faultText(f monitor.Fault) string {
	read := "never read"
	if !f.ReadAt.IsZero() {
		read = "stale " + seconds(m.now().Sub(f.ReadAt))
	}
	return join(" · ", cells.Clean(f.Message), read, cells.Clean(f.Hint))
}

// shownLine tells what of the view is shown.
func (m *model) shownLine() string {
	p, filter := m.paint, ""
	if text := m.list().filter; text != "" && m.typing == nil {
		filter = "search " + p.warn.of(cells.Clean(text))
	}
	if m.view == jobs {
		return m.jobsLine(filter, m.width-2)
	}
	return filter
}

// over draws the dialog upon a screen.
func (m *model) over(text string) string {
	const widest, border = 72, 6
	width := min(m.width-border, widest)
	answer := m.paint.key.of("any key") + " goes on"
	if m.dialog.action != nil {
		answer = m.paint.key.of("y") + " yes   " + m.paint.key.of("n") + " no"
	}
	box := lipgloss.NewStyle().Border(lipgloss.RoundedBorder()).Padding(0, 1).
		Render(strings.Join(append(m.dialogLines(width), answer), "\n"))
	layer := lipgloss.NewLayer(box)
	layer.X((m.width - layer.Width()) / 2).Y((m.height - layer.Height()) / 2).Z(1)
	return lipgloss.NewCompositor(lipgloss.NewLayer(text), layer).Render()
}

// dialogLines are a dialog's without its answer. Where there is little room, some of what it is about
// has to be counted instead of named.
func (m *model) dialogLines(width int) []string {
	d := m.dialog
	k := m.paint.bold
	if d.action == nil {
		k = m.paint.bad
	}
	lines := []string{k.of(cells.Cut(d.title, width))}
	var texts []string
	for _, line := range d.texts {
		texts = append(texts, wrap(line, width)...)
	}
	const border, answer = 2, 1
	room := m.height - border - answer - len(lines)
	if most := room - min(len(d.subjects), 1); len(texts) > most {
		texts = append(texts[:most-1], "…")
	}
	room -= len(texts)
	if spare := room - len(d.subjects); spare >= 3 { // air
		lines = append(lines, "")
		texts = append(append([]string{""}, texts...), "")
	}
	for i, subject := range d.subjects {
		if i == room-1 && i < len(d.subjects)-1 {
			lines = append(lines, m.paint.faint.of(fmt.Sprintf("  … and %d more", len(d.subjects)-i)))
			break
		}
		lines = append(lines, cells.Cut("  "+subject, width))
	}
	return slices.Concat(lines, texts)
}
