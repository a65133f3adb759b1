package top

import (
	"strings"

	"charm.land/bubbles/v2/key"
	"charm.land/bubbles/v2/textinput"
	tea "charm.land/bubbletea/v2"

	"github.com/wastecoach/wastecoach/internal/wcctl/cells"
)

const (
	searchPrompt = " search: "
	maxSearch    = 100
)

// startSearch lets a text be typed by which the view's rows are chosen.
func (m *model) startSearch() tea.Cmd {
	if m.view == overview {
		m.show(jobs)
	}
	m.detail = nil
	input := textinput.New()
	input.Prompt = searchPrompt
	input.CharLimit = maxSearch
	input.SetVirtualCursor(false)
	input.SetValue(m.list().filter)
	input.CursorEnd()
	input.SetWidth(m.searchWidth())
	m.typing = &input
	return m.typing.Focus()
}

func (m *model) searchWidth() int { return max(m.width-len(searchPrompt)-2, 1) }

// searchCursor is behind what is typed; the input's own counts a wide letter as one column.
func (m *model) searchCursor() *tea.Cursor {
	before := string([]rune(m.typing.Value())[:m.typing.Position()])
	return tea.NewCursor(len(searchPrompt)+min(cells.Width(before), m.typing.Width()), m.height-1)
}

// onTyped takes a key or a pasted text into the search, which works as it is typed.
func (m *model) onTyped(msg tea.Msg) tea.Cmd {
	if m.typing == nil {
		return nil
	}
	if press, ok := msg.(tea.KeyPressMsg); ok {
		switch {
		case key.Matches(press, m.keys.open):
			m.typing = nil
			return nil
		case press.String() == "ctrl+c", key.Matches(press, m.keys.back):
			m.typing = nil
			return m.search("")
		case key.Matches(press, arrows):
			m.list().move(m.rows(), m.step(press), m.listHeight())
			return nil
		}
	}
	input, cmd := m.typing.Update(msg)
	m.typing = &input
	return tea.Batch(cmd, m.search(input.Value()))
}

// arrows move the cursor while a search is typed.
var arrows = key.NewBinding(key.WithKeys("up", "down", "pgup", "pgdown"))

func (m *model) search(text string) tea.Cmd {
	if text == m.list().filter {
		return nil
	}
	m.list().filter = text
	return m.asked()
}

// asked looks again where the source chooses the rows.
func (m *model) asked() tea.Cmd {
	m.settle()
	if m.view != jobs {
		return nil
	}
	m.cursors = nil
	return m.fetch()
}

// filter shows only such jobs, or all where it did so already.
func (m *model) filter(only jobFilter) tea.Cmd {
	if m.view != jobs || m.detail != nil {
		m.show(jobs)
		m.only = allJobs
	}
	if m.only == only {
		only = allJobs
	}
	m.only, m.cursors = only, nil
	return m.fetch()
}

// matches tells whether any of the texts has what is searched for.
func matches(filter string, texts ...string) bool {
	filter = strings.ToLower(strings.TrimSpace(filter))
	if filter == "" {
		return true
	}
	for _, text := range texts {
		if strings.Contains(strings.ToLower(text), filter) {
			return true
		}
	}
	return false
}
