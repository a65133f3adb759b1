package users

import (
	"net/http"
	"reflect"
	"testing"
	"time"

	"github.com/gofrs/uuid/v5"

	"github.com/wastecoach/wastecoach/internal/erasure"
	"github.com/wastecoach/wastecoach/internal/wasteclass"
)

func erasureOf(user uuid.UUID) erasure.Request { return erasure.Request{UserID: user} }

func onDays(days ...string) []answeredDay {
	list := make([]answeredDay, len(days))
	for i, d := range days {
		list[i] = answeredDay{Day: d, Class: wasteclass.Glass, Count: 1}
	}
	return list
}

func TestStreak(t *testing.T) {
	t.Parallel()
	today := time.Date(2026, 3, 2, 23, 59, 0, 0, time.FixedZone("KST", 9*60*60))
	for name, tt := range map[string]struct {
		days             []string
		current, longest int
	}{
		"none":                      {nil, 0, 0},
		"today":                     {[]string{"2026-03-02"}, 1, 1},
		"until yesterday":           {[]string{"2026-02-28", "2026-03-01"}, 2, 2},
		"broken yesterday":          {[]string{"2026-02-27", "2026-02-28"}, 0, 2},
		"over the end of a month":   {[]string{"2026-02-27", "2026-02-28", "2026-03-01", "2026-03-02"}, 4, 4},
		"the longest was before":    {[]string{"2026-01-01", "2026-01-02", "2026-01-03", "2026-03-02"}, 1, 3},
		"two classes on one day":    {[]string{"2026-03-01", "2026-03-01", "2026-03-02"}, 2, 2},
		"a gap inside":              {[]string{"2026-02-27", "2026-03-01", "2026-03-02"}, 2, 2},
		"over the end of the year":  {[]string{"2025-12-31", "2026-01-01"}, 0, 2},
		"a day with summer time":    {[]string{"1988-05-07", "1988-05-08", "1988-05-09"}, 0, 3},
		"long ago and then nothing": {[]string{"2020-02-29"}, 0, 1},
	} {
		stats, err := newStats(onDays(tt.days...), defaultZone, today)
		if err != nil || stats.Streak.Current != tt.current || stats.Streak.Longest != tt.longest {
			t.Errorf("%s: %+v, %v; want %d and %d", name, stats.Streak, err, tt.current, tt.longest)
		}
		if last := stats.Streak.LastDay; (last == nil) != (len(tt.days) == 0) ||
			last != nil && *last != tt.days[len(tt.days)-1] {
			t.Errorf("%s: last day %v", name, last)
		}
	}
	if _, err := newStats(onDays("yesterday"), defaultZone, today); err == nil {
		t.Error("an odd day was taken")
	}
}

func TestStats(t *testing.T) {
	t.Parallel()
	w := setup(t)
	// In Berlin it is the 3rd already, two days after the last answer; in London still the 2nd.
	w.now = func() time.Time { return time.Date(2026, 10, 2, 23, 0, 0, 0, time.UTC) }
	w.start(w.waste.url)
	bearer := w.token(w.user, "")
	w.peers["waste"].set(func(p *peer) {
		p.answers = `{"days": [
			{"day": "2026-09-30", "class": "glass", "count": 2, "repeats": 0},
			{"day": "2026-10-01", "class": "glass", "count": 1, "repeats": 3},
			{"day": "2026-10-01", "class": "metal", "count": 4, "repeats": 1}]}`
	})
	var got Stats
	decode(t, w.send(http.MethodGet, "/me/stats?tz=Europe/Berlin", bearer, "").body, &got)
	last := "2026-10-01"
	metal, glass := wasteclass.Metal, wasteclass.Glass
	want := Stats{
		TimeZone: "Europe/Berlin", Total: 7, Repeats: 4,
		Classes: []ClassCount{{metal, 4}, {glass, 3}},
		Months: []MonthCount{
			{"2026-10", 5, []ClassCount{{metal, 4}, {glass, 1}}}, {"2026-09", 2, []ClassCount{{glass, 2}}},
		},
		Streak: Streak{Longest: 2, LastDay: &last},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	decode(t, w.send(http.MethodGet, "/me/stats?tz=UTC", bearer, "").body, &got)
	if got.Streak.Current != 2 {
		t.Errorf("by the days of another zone the streak is %+v", got.Streak)
	}
	w.peers["waste"].set(func(p *peer) { p.answers = `{"days": []}` })
	none := w.send(http.MethodGet, "/me/stats", bearer, "")
	if string(none.body) != `{"time_zone":"Asia/Seoul","total":0,"repeats":0,"classes":[],"months":[],`+
		`"streak":{"current":0,"longest":0,"last_day":null}}` {
		t.Errorf("without answers: %s", none.body)
	}
	for _, zone := range []string{"Mars/Base", "Local", "GB", "../../etc/passwd"} {
		got := w.send(http.MethodGet, "/me/stats?tz="+zone, bearer, "")
		got.want(t, http.StatusUnprocessableEntity, "invalid")
	}
	for _, body := range []string{"", `{"days": [`} {
		w.peers["waste"].set(func(p *peer) { p.answers = body })
		got := w.send(http.MethodGet, "/me/stats", bearer, "")
		got.want(t, http.StatusServiceUnavailable, "history_unavailable")
	}
}
