package top

import "slices"

// list is the cursor, the marks and the scroll of a view. It holds on to keys, not to lines: what is
// below the cursor stays below it when the rows move.
type list struct {
	cursor string
	index  int
	top    int
	marks  map[string]bool
	filter string
}

// settle takes the view's rows of now in; height is how many are seen.
func (l *list) settle(keys []string, height int) {
	if i := slices.Index(keys, l.cursor); i >= 0 {
		if l.top > 0 {
			l.top += i - l.index // the row stays where the eye is
		}
		l.index = i
	}
	for key := range l.marks {
		if !slices.Contains(keys, key) {
			delete(l.marks, key) // nothing is done to what is not seen
		}
	}
	l.move(keys, 0, height)
}

// move takes the cursor by rows.
func (l *list) move(keys []string, by, height int) {
	l.index = max(0, min(l.index+by, len(keys)-1))
	l.cursor = ""
	if len(keys) > 0 {
		l.cursor = keys[l.index]
	}
	height = max(height, 1)
	l.top = max(0, min(l.top, l.index, len(keys)-height))
	l.top = max(l.top, l.index-height+1)
}

// window is the range of rows that height lines show.
func (l *list) window(n, height int) (from, to int) {
	return min(l.top, n), min(l.top+max(height, 0), n)
}

func (l *list) toggle(keys []string) {
	if len(keys) == 0 {
		return
	}
	if l.marks == nil {
		l.marks = map[string]bool{}
	}
	if key := keys[l.index]; l.marks[key] {
		delete(l.marks, key)
	} else {
		l.marks[key] = true
	}
}

// markAll marks every row, or none where all are marked.
func (l *list) markAll(keys []string) {
	if len(l.marks) == len(keys) {
		l.marks = nil
		return
	}
	l.marks = make(map[string]bool, len(keys))
	for _, key := range keys {
		l.marks[key] = true
	}
}

// chosen are the marked rows, or the one below the cursor.
func (l *list) chosen(keys []string) []string {
	if len(keys) == 0 {
		return nil
	}
	if len(l.marks) == 0 {
		return []string{keys[l.index]}
	}
	return slices.DeleteFunc(slices.Clone(keys), func(key string) bool { return !l.marks[key] })
}

func (l *list) mark(p paint, key string, under bool) string {
	cursor, mark := " ", " "
	if under {
		cursor = p.accent.of("▸")
	}
	if l.marks[key] {
		mark = p.warn.of("●")
	}
	return cursor + mark + " "
}
