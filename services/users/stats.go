package users

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"time"
	_ "time/tzdata" // images have no time zones of their own

	"github.com/gofrs/uuid/v5"

	"github.com/wastecoach/wastecoach/internal/erasure"
	"github.com/wastecoach/wastecoach/internal/problem"
	"github.com/wastecoach/wastecoach/internal/wasteclass"
)

const (
	defaultZone = "Asia/Seoul"
	maxZone     = 64
	day         = 24 * time.Hour
	monthLayout = "2006-01"
)

var errZone = ErrInvalid.WithFields(problem.Field{
	Pointer: "tz", Code: "unknown", Detail: `is not a time zone such as "Asia/Seoul"`,
})

// Stats are what a user had answered, by the days of a time zone. A photo counts once, however often
// it, or nearly the same one, was sent.
type Stats struct {
	TimeZone string `json:"time_zone"`
	Total    int64  `json:"total"`
	// Repeats are the answers that do not count.
	Repeats int64 `json:"repeats"`
	// Classes are in the order of their counts, Months the newest first.
	Classes []ClassCount `json:"classes"`
	Months  []MonthCount `json:"months"`
	Streak  Streak       `json:"streak"`
}

// ClassCount is how much of one class there was.
type ClassCount struct {
	Class wasteclass.Class `json:"class"`
	Count int64            `json:"count"`
}

// MonthCount is one month (2026-11), with its classes.
type MonthCount struct {
	Month   string       `json:"month"`
	Count   int64        `json:"count"`
	Classes []ClassCount `json:"classes"`
}

// Streak counts days in a row with at least one answer that counts.
type Streak struct {
	// Current is the one that today, or until the day's end yesterday, belongs to.
	Current int `json:"current"`
	Longest int `json:"longest"`
	// LastDay is null for who has had nothing answered.
	LastDay *string `json:"last_day"`
}

// answeredDay is what the waste service counts for one day and class.
type answeredDay struct {
	Day     string           `json:"day"`
	Class   wasteclass.Class `json:"class"`
	Count   int64            `json:"count"`
	Repeats int64            `json:"repeats"`
}

// Stats counts by the days of a time zone; empty is defaultZone.
func (s *Service) Stats(ctx context.Context, user uuid.UUID, zone string) (Stats, error) {
	if zone == "" {
		zone = defaultZone
	}
	place, err := time.LoadLocation(zone)
	if err != nil || len(zone) > maxZone || zone == "Local" {
		return Stats{}, errZone
	}
	days, err := s.waste.answers(ctx, user, zone)
	if err != nil {
		return Stats{}, err
	}
	return newStats(days, zone, s.now().In(place))
}

// newStats sums up days that are in order; today is in their time zone.
func newStats(days []answeredDay, zone string, today time.Time) (Stats, error) {
	stats := Stats{TimeZone: zone, Months: []MonthCount{}}
	classes := map[wasteclass.Class]int64{}
	months := map[string]map[wasteclass.Class]int64{}
	var dates []time.Time
	for _, d := range days {
		date, err := time.Parse(time.DateOnly, d.Day)
		if err != nil {
			return Stats{}, fmt.Errorf("reading a day of answers: %w", err)
		}
		if len(dates) == 0 || !dates[len(dates)-1].Equal(date) {
			dates = append(dates, date)
		}
		month := date.Format(monthLayout)
		if months[month] == nil {
			months[month] = map[wasteclass.Class]int64{}
		}
		months[month][d.Class] += d.Count
		classes[d.Class] += d.Count
		stats.Total += d.Count
		stats.Repeats += d.Repeats
	}
	stats.Classes = byCount(classes)
	for _, month := range slices.Backward(slices.Sorted(maps.Keys(months))) {
		m := MonthCount{Month: month, Classes: byCount(months[month])}
		for _, c := range m.Classes {
			m.Count += c.Count
		}
		stats.Months = append(stats.Months, m)
	}
	year, month, date := today.Date()
	stats.Streak = newStreak(dates, time.Date(year, month, date, 0, 0, 0, 0, time.UTC))
	return stats, nil
}

func byCount(counts map[wasteclass.Class]int64) []ClassCount {
	list := []ClassCount{}
	for class, n := range counts {
		list = append(list, ClassCount{class, n})
	}
	slices.SortFunc(list, func(a, b ClassCount) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Class, b.Class))
	})
	return list
}

// newStreak takes days that are in order, at midnight UTC.
func newStreak(days []time.Time, today time.Time) Streak {
	var s Streak
	if len(days) == 0 {
		return s
	}
	run := 0
	for i, d := range days {
		if i > 0 && d.Sub(days[i-1]) == day {
			run++
		} else {
			run = 1
		}
		s.Longest = max(s.Longest, run)
	}
	last := days[len(days)-1]
	if today.Sub(last) <= day {
		s.Current = run
	}
	text := last.Format(time.DateOnly)
	s.LastDay = &text
	return s
}

// answers asks the waste service, which keeps them.
func (c *wasteClient) answers(
	ctx context.Context, user uuid.UUID, zone string,
) ([]answeredDay, error) {
	ctx, cancel := context.WithTimeout(ctx, c.http.Timeout)
	defer cancel()
	body, err := c.internal.Open(ctx, user, "/answers?"+url.Values{"tz": {zone}}.Encode())
	var refused *erasure.StatusError
	if errors.As(err, &refused) && refused.Status == http.StatusUnprocessableEntity {
		return nil, errZone // known here, but not to PostgreSQL
	}
	if err != nil {
		return nil, ErrHistoryUnavailable.Because(err).After(wastePause)
	}
	defer body.Close()
	var list struct {
		Days []answeredDay `json:"days"`
	}
	if err := json.NewDecoder(io.LimitReader(body, maxAnswer)).Decode(&list); err != nil {
		return nil, ErrHistoryUnavailable.Because(err).After(wastePause)
	}
	return list.Days, nil
}
