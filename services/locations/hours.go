package locations

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"
)

const (
	day  = 24 * 60 // minutes
	week = 7 * day
)

// Span is hours on neighboring days of every week: from FirstDay to LastDay, Monday being 0, from
// Opens to Closes in minutes of the day.
type Span struct{ FirstDay, LastDay, Opens, Closes int }

var dayNames = []string{"mon", "tue", "wed", "thu", "fri", "sat", "sun"}

// spanDocument is a Span in the API.
type spanDocument struct {
	FirstDay string `json:"first_day"`
	LastDay  string `json:"last_day"`
	Opens    string `json:"opens"`
	Closes   string `json:"closes"`
}

// MarshalJSON implements json.Marshaler.
func (s Span) MarshalJSON() ([]byte, error) {
	return json.Marshal(spanDocument{
		FirstDay: dayNames[s.FirstDay], LastDay: dayNames[s.LastDay],
		Opens:  fmt.Sprintf("%02d:%02d", s.Opens/60, s.Opens%60),
		Closes: fmt.Sprintf("%02d:%02d", s.Closes/60, s.Closes%60),
	})
}

// UnmarshalJSON implements json.Unmarshaler; the cache reads what it wrote.
func (s *Span) UnmarshalJSON(text []byte) error {
	var doc spanDocument
	if err := json.Unmarshal(text, &doc); err != nil {
		return err
	}
	var fromHour, fromMinute, toHour, toMinute int
	if _, err := fmt.Sscanf(doc.Opens+" "+doc.Closes, "%d:%d %d:%d",
		&fromHour, &fromMinute, &toHour, &toMinute); err != nil {
		return fmt.Errorf("reading hours: %w", err)
	}
	*s = Span{
		FirstDay: slices.Index(dayNames, doc.FirstDay), LastDay: slices.Index(dayNames, doc.LastDay),
		Opens: fromHour*60 + fromMinute, Closes: toHour*60 + toMinute,
	}
	if s.FirstDay < 0 || s.LastDay < 0 {
		return fmt.Errorf("reading hours: %q and %q are no days", doc.FirstDay, doc.LastDay)
	}
	return nil
}

// seoul has had no summer time since 1988; a fixed zone needs no time zone data in the image.
var seoul = time.FixedZone("KST", 9*60*60)

// moment is a minute of the week in Seoul.
type moment struct{ day, minute int }

func momentOf(t time.Time) moment {
	t = t.In(seoul)
	return moment{day: (int(t.Weekday()) + 6) % 7, minute: t.Hour()*60 + t.Minute()}
}

// minutes are the minutes of a week in which a point is open.
type minutes [week]bool

// set opens or closes a point on some days; what goes beyond midnight is the next day's.
func (m *minutes) set(days weekdays, opens, closes int, open bool) {
	for d := range 7 {
		if !days.has(d) {
			continue
		}
		for minute := opens; minute < closes; minute++ {
			m[(d*day+minute)%week] = open
		}
	}
}

// spans are the same as few rectangles: hours that neighboring days share are one.
func (m *minutes) spans() []Span {
	var done, open []Span
	for d := range 7 {
		today := m.hours(d)
		var still []Span
		for _, span := range open {
			i := slices.IndexFunc(today, func(s Span) bool { return s.Opens == span.Opens && s.Closes == span.Closes })
			if i < 0 {
				done = append(done, span)
				continue
			}
			span.LastDay = d
			still = append(still, span)
			today = slices.Delete(today, i, i+1)
		}
		open = slices.Concat(still, today)
	}
	done = append(done, open...)
	slices.SortFunc(done, func(a, b Span) int {
		return slices.Compare([]int{a.FirstDay, a.Opens}, []int{b.FirstDay, b.Opens})
	})
	return done
}

// hours are one day's.
func (m *minutes) hours(d int) []Span {
	var found []Span
	for minute := 0; minute < day; {
		if !m[d*day+minute] {
			minute++
			continue
		}
		opens := minute
		for minute < day && m[d*day+minute] {
			minute++
		}
		found = append(found, Span{FirstDay: d, LastDay: d, Opens: opens, Closes: minute})
	}
	return found
}

// weekdays has bit d for day d.
type weekdays uint8

const (
	noDays   weekdays = 0
	monToFri weekdays = 0b001_1111
	weekend  weekdays = 0b110_0000
	allDays           = monToFri | weekend
)

func (w weekdays) has(d int) bool { return w>>d&1 == 1 }

// daysBetween wraps around: Saturday to Monday are three days.
func daysBetween(first, last int) weekdays {
	days := noDays
	for d := first; ; d = (d + 1) % 7 {
		days |= 1 << d
		if d == last {
			return days
		}
	}
}
