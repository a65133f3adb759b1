package top

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"charm.land/bubbles/v2/key"
	"charm.land/bubbles/v2/textinput"
	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/colorprofile"

	"github.com/wastecoach/wastecoach/internal/job"
	"github.com/wastecoach/wastecoach/internal/wcctl/monitor"
)

// view is one of the tabs.
type view int

const (
	overview view = iota
	jobs
	queues
	workers
	services
	cluster
	events
	viewCount
)

var viewNames = [viewCount]string{
	"Overview", "Jobs", "Queues", "Workers", "Services", "Cluster", "Events",
}

// parts are what of the picture a view shows.
var parts = [viewCount]monitor.Part{
	"", monitor.Jobs, monitor.Queues, monitor.Workers, monitor.Services, monitor.Cluster, monitor.Events,
}

// viewNamed is the view of a name in any case; without one it is the first.
func viewNamed(name string) (view, error) {
	if name == "" {
		return overview, nil
	}
	for v, known := range viewNames {
		if strings.EqualFold(known, name) {
			return view(v), nil
		}
	}
	return 0, fmt.Errorf("there is no view %q; there are %s", name, strings.Join(Views(), ", "))
}

// Views are the names of the views, in the order of their keys.
func Views() []string {
	names := make([]string, viewCount)
	for v, name := range viewNames {
		names[v] = strings.ToLower(name)
	}
	return names
}

// ValidView tells why a view does not exist.
func ValidView(name string) error {
	_, err := viewNamed(name)
	return err
}

// jobFilter is which jobs are shown.
type jobFilter int

const (
	allJobs jobFilter = iota
	failedJobs
	unfinishedJobs
	stalledJobs
)

var filterNames = map[jobFilter]string{
	failedJobs: "failed only", unfinishedJobs: "unfinished only", stalledJobs: "stalled only",
}

// page is how many jobs are asked for.
const page = 200

// noticeFor is how long the last line tells of what was done.
const noticeFor = 8 * time.Second

type notice struct {
	text  string
	bad   bool
	until time.Time
}

// model is all that the screen is made of. Update changes it, View reads it, and what takes time is
// in commands.
type model struct {
	ctx      context.Context
	source   Source
	readOnly bool
	now      func() time.Time

	width, height int
	dark, rich    bool
	paint         paint
	keys          keyMap

	feed feed
	// clock numbers the ticks: a new one begins when the focus comes back.
	clock   int
	blurred bool

	view    view
	lists   [viewCount]list
	only    jobFilter
	cursors []string // those of the pages of jobs before this one
	detail  *detail
	help    *scroll
	dialog  *dialog
	// typing is set while a search is typed.
	typing *textinput.Model
	notice notice
	// acting tells what is being done.
	acting string
}

func newModel(ctx context.Context, source Source, readOnly bool, now func() time.Time) *model {
	m := &model{
		ctx: ctx, source: source, readOnly: readOnly, now: now, dark: true, keys: newKeyMap(),
		width: 80, height: 24,
	}
	m.paint = newPaint(m.dark, m.rich)
	return m
}

// Init implements tea.Model.
func (m *model) Init() tea.Cmd {
	return tea.Batch(tea.RequestBackgroundColor, m.nextTick(), m.fetch())
}

// Update implements tea.Model.
func (m *model) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	cmd := m.dispatch(msg)
	return m, cmd
}

func (m *model) dispatch(msg tea.Msg) tea.Cmd {
	switch msg := msg.(type) {
	case tick:
		return m.onTick(msg)
	case fetched:
		return m.onFetched(msg)
	case acted:
		return m.onActed(msg)
	case tea.KeyPressMsg:
		return m.onKey(msg)
	case tea.PasteMsg:
		return m.onTyped(msg)
	case tea.MouseClickMsg:
		return m.onClick(msg)
	case tea.FocusMsg:
		return m.onFocus()
	case tea.ResumeMsg:
		return m.fetch()
	case tea.BlurMsg:
		m.blurred = true
	case tea.MouseWheelMsg:
		m.onWheel(msg)
	case tea.WindowSizeMsg:
		m.onResize(msg)
	case tea.BackgroundColorMsg:
		m.dark = msg.IsDark()
		m.paint = newPaint(m.dark, m.rich)
	case tea.ColorProfileMsg:
		m.rich = msg.Profile >= colorprofile.ANSI256
		m.paint = newPaint(m.dark, m.rich)
	}
	return nil
}

func (m *model) onResize(size tea.WindowSizeMsg) {
	if size.Width > 0 && size.Height > 0 { // some terminals do not tell
		m.width, m.height = size.Width, size.Height
	}
	if m.typing != nil {
		m.typing.SetWidth(m.searchWidth())
	}
	m.settle()
}

func (m *model) onFocus() tea.Cmd {
	waited := m.paused()
	m.blurred = false
	if !waited {
		return nil
	}
	m.clock++
	return tea.Batch(m.nextTick(), m.fetch())
}

// onKey hands a key to what is in front.
func (m *model) onKey(msg tea.KeyPressMsg) tea.Cmd {
	switch {
	case m.dialog != nil:
		return m.onDialogKey(msg)
	case m.typing != nil:
		return m.onTyped(msg)
	}
	k := m.keys
	switch {
	case key.Matches(msg, k.quit):
		return tea.Quit
	case key.Matches(msg, k.suspend):
		return tea.Suspend
	case key.Matches(msg, k.redraw):
		return tea.ClearScreen
	case key.Matches(msg, k.back):
		return m.goBack()
	case key.Matches(msg, k.help):
		m.toggleHelp()
	case key.Matches(msg, k.reload):
		return m.fetch()
	case key.Matches(msg, k.view):
		m.show(view(msg.Code - '1'))
	case key.Matches(msg, k.next):
		m.show((m.view + 1) % viewCount)
	case key.Matches(msg, k.previous):
		m.show((m.view + viewCount - 1) % viewCount)
	case m.help != nil:
		m.scrollBy(m.step(msg))
	default:
		return m.onViewKey(msg)
	}
	return nil
}

// onViewKey is for the keys that mean something to what is shown.
func (m *model) onViewKey(msg tea.KeyPressMsg) tea.Cmd {
	k := m.keys
	if verb, ok := k.verbOf(msg); ok {
		m.askFor(verb)
		return nil
	}
	switch {
	case key.Matches(msg, k.pause):
		m.askForQueue()
	case key.Matches(msg, k.copyID):
		return m.copyID()
	case key.Matches(msg, k.follow):
		return m.follow()
	case key.Matches(msg, k.search):
		return m.startSearch()
	case key.Matches(msg, k.failed):
		return m.filter(failedJobs)
	case key.Matches(msg, k.unfinished):
		return m.filter(unfinishedJobs)
	case key.Matches(msg, k.stalled):
		return m.filter(stalledJobs)
	case m.detail != nil:
		m.scrollBy(m.step(msg))
	case key.Matches(msg, k.open):
		return m.open()
	case key.Matches(msg, k.mark):
		m.toggleMark()
	case key.Matches(msg, k.markAll):
		if m.view == jobs {
			m.list().markAll(m.rows())
		}
	case key.Matches(msg, k.older):
		return m.turn(true)
	case key.Matches(msg, k.newer):
		return m.turn(false)
	default:
		m.list().move(m.rows(), m.step(msg), m.listHeight())
	}
	return nil
}

// farther than any list is long.
const farther = 1 << 20

// step is how far a key moves.
func (m *model) step(msg tea.KeyPressMsg) int {
	k, height := m.keys, max(m.listHeight()-1, 1)
	switch {
	case key.Matches(msg, k.up):
		return -1
	case key.Matches(msg, k.down):
		return 1
	case key.Matches(msg, k.pageUp):
		return -height
	case key.Matches(msg, k.pageDown):
		return height
	case key.Matches(msg, k.home):
		return -farther
	case key.Matches(msg, k.end):
		return farther
	}
	return 0
}

func (m *model) list() *list { return &m.lists[m.view] }

// settle holds the cursors on their rows after these have moved.
func (m *model) settle() {
	m.list().settle(m.rows(), m.listHeight())
	m.scrollBy(0)
}

// show turns to a view.
func (m *model) show(v view) {
	m.view, m.detail, m.help = v, nil, nil
	m.settle()
}

// goBack undoes one thing: what is in front first.
func (m *model) goBack() tea.Cmd {
	l := m.list()
	switch {
	case m.help != nil:
		m.help = nil
	case m.detail != nil:
		m.detail = nil
	case len(l.marks) > 0:
		l.marks = nil
	case l.filter != "":
		l.filter = ""
		return m.asked()
	case m.view == jobs && m.only != allJobs:
		return m.filter(m.only)
	case m.view == jobs && len(m.cursors) > 0:
		m.cursors = nil
		return m.fetch()
	}
	m.settle()
	return nil
}

func (m *model) toggleMark() {
	if m.view == jobs {
		m.list().toggle(m.rows())
	}
	m.list().move(m.rows(), 1, m.listHeight())
}

// say puts a text on the last line for a while.
func (m *model) say(bad bool, format string, args ...any) {
	m.notice = notice{fmt.Sprintf(format, args...), bad, m.now().Add(noticeFor)}
}

// forget takes the notice away when its time is over.
func (m *model) forget() {
	if m.now().After(m.notice.until) {
		m.notice = notice{}
	}
}

// query is what of the jobs is asked for.
func (m *model) query() monitor.JobQuery {
	q := monitor.JobQuery{Text: m.lists[jobs].filter, Limit: page}
	switch m.only {
	case failedJobs:
		q.Status = []job.Status{job.Failed}
	case unfinishedJobs:
		q.Status = []job.Status{job.AwaitingUpload, job.Queued, job.Processing}
	case stalledJobs:
		q.Stalled = true
	case allJobs:
	}
	if len(m.cursors) > 0 {
		q.Before = m.cursors[len(m.cursors)-1]
	}
	return q
}

// turn goes to older or newer jobs.
func (m *model) turn(older bool) tea.Cmd {
	next := m.feed.picture.Jobs.Next
	switch {
	case m.view != jobs || m.feed.busy && older && slices.Contains(m.cursors, next):
		return nil
	case older && next != "":
		m.cursors = append(m.cursors, next)
	case !older && len(m.cursors) > 0:
		m.cursors = m.cursors[:len(m.cursors)-1]
	default:
		return nil
	}
	m.lists[jobs] = list{filter: m.lists[jobs].filter}
	return m.fetch()
}
