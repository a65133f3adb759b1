package top

import tea "charm.land/bubbletea/v2"

// wheelStep is how many rows one turn of the wheel moves.
const wheelStep = 3

func (m *model) onWheel(msg tea.MouseWheelMsg) {
	by := wheelStep
	if msg.Button == tea.MouseWheelUp {
		by = -wheelStep
	}
	switch {
	case m.dialog != nil:
	case m.help != nil || m.detail != nil:
		m.scrollBy(by)
	default:
		m.list().move(m.rows(), by, m.listHeight())
	}
}

// onClick turns to a tab, puts the cursor on a row, or opens the row that has it already.
func (m *model) onClick(msg tea.MouseClickMsg) tea.Cmd {
	if m.dialog != nil || m.tooSmall() {
		return nil
	}
	if msg.Button == tea.MouseRight {
		return m.goBack()
	}
	if msg.Button != tea.MouseLeft {
		return nil
	}
	head := m.head()
	if msg.Y == len(head)-m.rules()-1 {
		if v, ok := m.tabAt(msg.X); ok {
			m.show(v)
		}
		return nil
	}
	if m.help != nil || m.detail != nil {
		return nil
	}
	row, ok := m.body().rows[msg.Y-len(head)]
	if !ok {
		return nil
	}
	l := m.list()
	if row == l.index {
		return m.open()
	}
	l.move(m.rows(), row-l.index, m.listHeight())
	return nil
}
