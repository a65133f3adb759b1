package top

import (
	"context"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/gofrs/uuid/v5"

	"github.com/wastecoach/wastecoach/internal/wcctl/monitor"
)

const (
	refresh = 500 * time.Millisecond
	// maxWait bounds how seldom is tried where nothing answers.
	maxWait = 5 * time.Second
	// fetchTimeout ends a fetch that hangs, so that the next one may try.
	fetchTimeout = 5 * time.Second
	// staleAfter is the age that is told: a few fetches were missed.
	staleAfter = 2 * time.Second
)

// feed is the last picture and what is known of its age.
type feed struct {
	picture monitor.Picture
	// at is when the last picture came here; zero before the first one.
	at time.Time
	// err is why the last fetch failed, nil where it did not.
	err error
	// wait is how long after a failure nothing is tried, next when it may be.
	wait time.Duration
	next time.Time
	// gen numbers the fetches: what an older one brings is not shown.
	gen    int
	busy   bool
	cancel context.CancelFunc
	rates  map[string]*history
}

// fetched is what a fetch brought: a picture, and the job that is looked at closely.
type fetched struct {
	gen     int
	picture monitor.Picture
	err     error
	job     uuid.UUID
	detail  monitor.JobDetail
	jobErr  error
}

// tick is the beat of the clock with this number; those of a stopped clock are ignored.
type tick struct{ clock int }

func (m *model) nextTick() tea.Cmd {
	clock := m.clock
	return tea.Tick(refresh, func(time.Time) tea.Msg { return tick{clock} })
}

// fetch asks for a picture. What was asked before is given up.
func (m *model) fetch() tea.Cmd {
	if m.feed.cancel != nil {
		m.feed.cancel()
	}
	ctx, cancel := context.WithTimeout(m.ctx, fetchTimeout)
	m.feed.gen++
	m.feed.busy, m.feed.cancel = true, cancel
	source, query, got := m.source, m.query(), fetched{gen: m.feed.gen}
	if m.detail != nil {
		got.job = m.detail.id
	}
	return func() tea.Msg {
		defer cancel()
		got.picture, got.err = source.Picture(ctx, query)
		if got.err == nil && !got.job.IsNil() {
			got.detail, got.jobErr = source.Job(ctx, got.job)
		}
		return got
	}
}

// onTick asks for the next picture, unless the last one is still to come or it is too early.
func (m *model) onTick(t tick) tea.Cmd {
	if t.clock != m.clock {
		return nil
	}
	if m.paused() {
		m.clock++ // nothing ticks until the focus is back
		return nil
	}
	m.forget()
	if m.feed.busy || m.now().Before(m.feed.next) {
		return m.nextTick()
	}
	return tea.Batch(m.nextTick(), m.fetch())
}

// paused: nobody looks. A job that is followed is told of all the same.
func (m *model) paused() bool { return m.blurred && (m.detail == nil || !m.detail.follow) }

// onFetched takes a picture in, or keeps the last one.
func (m *model) onFetched(got fetched) tea.Cmd {
	if got.gen != m.feed.gen {
		return nil
	}
	f := &m.feed
	f.busy, f.err = false, got.err
	if got.err != nil {
		f.wait = min(max(2*f.wait, refresh), maxWait)
		f.next = m.now().Add(f.wait)
		return nil
	}
	f.wait, f.next = 0, time.Time{}
	f.picture, f.at = got.picture, m.now()
	m.measure()
	m.settle()
	if m.detail == nil || got.job != m.detail.id {
		return nil
	}
	m.detail.err = got.jobErr
	if got.jobErr != nil {
		return nil
	}
	m.detail.job, m.detail.got = got.detail, true
	m.scrollBy(0)
	return m.noteEnd()
}

// measure makes rates of the queues' counters.
func (m *model) measure() {
	if m.feed.rates == nil {
		m.feed.rates = map[string]*history{}
	}
	if _, old := m.feed.picture.Faults[monitor.Queues]; old {
		return // these counters were seen before
	}
	for _, q := range m.feed.picture.Queues {
		h := m.feed.rates[q.Name]
		if h == nil {
			h = &history{}
			m.feed.rates[q.Name] = h
		}
		h.add(m.feed.at, q.Processed)
	}
}

// stale is the age of the picture where it is worth telling.
func (m *model) stale() (age time.Duration, stale bool) {
	age = m.now().Sub(m.feed.at)
	return age, !m.feed.at.IsZero() && (m.feed.err != nil || age >= staleAfter)
}

// unread is a part of which nothing is known: it is not empty.
func (m *model) unread(part monitor.Part) bool {
	f, ok := m.feed.picture.Faults[part]
	return ok && f.ReadAt.IsZero()
}

// at is the moment that ages on the screen count to: a picture that has become old stands still.
func (m *model) at() time.Time {
	part := parts[m.view]
	if m.view == overview {
		part = monitor.Jobs
	}
	if f, ok := m.feed.picture.Faults[part]; ok && !f.ReadAt.IsZero() {
		return f.ReadAt
	}
	if _, stale := m.stale(); stale {
		return m.feed.at
	}
	return m.now()
}
