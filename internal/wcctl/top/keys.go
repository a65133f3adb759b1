package top

import (
	"charm.land/bubbles/v2/key"
	tea "charm.land/bubbletea/v2"

	"github.com/wastecoach/wastecoach/internal/wcctl/monitor"
)

// keyMap has every key; a key means the same in all views. An uppercase letter acts on the system,
// and asks first.
type keyMap struct {
	up, down, pageUp, pageDown, home, end     key.Binding
	view, next, previous, open, back          key.Binding
	search, failed, unfinished, stalled       key.Binding
	older, newer                              key.Binding
	mark, markAll, copyID, follow             key.Binding
	reload, help, suspend, redraw, quit       key.Binding
	yes, no                                   key.Binding
	retry, cancel, archive, remove, run, mend key.Binding
	pause                                     key.Binding
}

func bind(help, what string, keys ...string) key.Binding {
	return key.NewBinding(key.WithKeys(keys...), key.WithHelp(help, what))
}

func newKeyMap() keyMap {
	return keyMap{
		up:       bind("↑ k", "up", "up", "k"),
		down:     bind("↓ j", "down", "down", "j"),
		pageUp:   bind("PgUp b", "a page up", "pgup", "b"),
		pageDown: bind("PgDn", "a page down", "pgdown", "ctrl+f"),
		home:     bind("Home g", "to the first", "home", "g"),
		end:      bind("End", "to the last", "end", "ctrl+e"),

		view:     bind("1 – 7", "a view", "1", "2", "3", "4", "5", "6", "7"),
		next:     bind("Tab →", "next view", "tab", "right", "l"),
		previous: bind("⇧Tab ←", "view before", "shift+tab", "left", "h"),
		open:     bind("Enter", "open: look closely", "enter"),
		back:     bind("Esc", "back: clear marks and search", "esc"),

		search:     bind("/", "search: id, user, class, error", "/"),
		failed:     bind("f", "failed: only those", "f"),
		unfinished: bind("u", "unfinished: only those", "u"),
		stalled:    bind("s", "stalled: only those, and orphans", "s"),
		older:      bind("n", "older jobs", "n"),
		newer:      bind("p", "newer jobs", "p"),

		mark:    bind("Space", "mark", "space"),
		markAll: bind("a", "mark all: or none", "a"),
		copyID:  bind("y", "copy: the id, to the clipboard", "y"),
		follow:  bind("w", "follow: the job to its end", "w"),
		reload:  bind("r", "reload: look again now", "r"),
		help:    bind("?", "help", "?"),
		suspend: bind("Ctrl-Z", "to the shell", "ctrl+z"),
		redraw:  bind("Ctrl-L", "draw anew", "ctrl+l"),
		quit:    bind("q", "leave", "q", "ctrl+c"),

		yes: bind("y", "yes", "y"),
		no:  bind("n", "no", "n", "esc", "q", "ctrl+c"),

		retry:   bind("R", "retry", "R"),
		cancel:  bind("C", "cancel", "C"),
		archive: bind("A", "archive", "A"),
		remove:  bind("D", "delete", "D"),
		run:     bind("N", "run now", "N"),
		mend:    bind("F", "repair", "F"),
		pause:   bind("P", "pause: or resume the queue", "P"),
	}
}

// group is a heading of the help with its keys.
type group struct {
	title string
	keys  []key.Binding
}

// groups are all keys as the help shows them.
func (k keyMap) groups(readOnly bool) []group {
	all := []group{
		{"Move", []key.Binding{k.up, k.down, k.pageUp, k.pageDown, k.home, k.end}},
		{"Views", []key.Binding{k.view, k.next, k.previous, k.open, k.back}},
		{"Find", []key.Binding{k.search, k.failed, k.unfinished, k.stalled, k.older, k.newer}},
		{"Choose", []key.Binding{k.mark, k.markAll, k.copyID, k.follow}},
		{"Act, after a question", []key.Binding{
			k.retry, k.cancel, k.archive, k.remove, k.run, k.mend, k.pause,
		}},
		{"Program", []key.Binding{k.reload, k.help, k.redraw, k.suspend, k.quit}},
	}
	if readOnly {
		all = append(all[:4], all[5:]...)
	}
	return all
}

// hints are the keys that the last line tells of, the most useful first.
func (k keyMap) hints(v view, detail, readOnly bool) []key.Binding {
	act := func(bindings ...key.Binding) []key.Binding {
		if readOnly {
			return nil
		}
		return bindings
	}
	var keys []key.Binding
	switch {
	case detail:
		keys = append([]key.Binding{k.back, k.follow, k.copyID}, act(k.retry, k.cancel, k.mend)...)
	case v == jobs:
		keys = append([]key.Binding{k.open, k.search, k.failed, k.mark}, act(k.retry, k.cancel, k.mend)...)
	case v == queues:
		keys = append(act(k.pause), k.search)
	case v == overview, v == workers, v == events:
		keys = []key.Binding{k.open, k.search}
	default:
		keys = []key.Binding{k.search}
	}
	return append(keys, k.help, k.quit)
}

// verbOf is what a key does to jobs.
func (k keyMap) verbOf(msg tea.KeyPressMsg) (monitor.Verb, bool) {
	for verb, binding := range map[monitor.Verb]key.Binding{
		monitor.Retry: k.retry, monitor.Cancel: k.cancel, monitor.Archive: k.archive,
		monitor.Delete: k.remove, monitor.RunNow: k.run, monitor.Repair: k.mend,
	} {
		if key.Matches(msg, binding) {
			return verb, true
		}
	}
	return "", false
}
