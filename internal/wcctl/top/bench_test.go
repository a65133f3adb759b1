package top

import (
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/wastecoach/wastecoach/internal/wcctl/monitor"
)

// crowded is a picture with as many jobs as a page has.
func crowded() monitor.Picture {
	p := busy()
	for n := len(p.Jobs.Items); n < page; n++ {
		p.Jobs.Items = append(p.Jobs.Items, finished(n, "glass", "유리병 (투명)", time.Duration(n)*time.Second))
	}
	return p
}

func crowdedModel(b *testing.B) *model {
	b.Helper()
	m := newModel(b.Context(), &fake{picture: crowded()}, false, func() time.Time { return noon })
	m.Update(tea.WindowSizeMsg{Width: 160, Height: 50})
	m.Update(m.fetch()())
	m.show(jobs)
	return m
}

func BenchmarkView(b *testing.B) {
	m := crowdedModel(b)
	b.ReportAllocs()
	for b.Loop() {
		m.View()
	}
}

func BenchmarkUpdate(b *testing.B) {
	m := crowdedModel(b)
	picture := crowded()
	b.ReportAllocs()
	for b.Loop() {
		m.feed.gen++
		m.Update(fetched{gen: m.feed.gen, picture: picture})
	}
}
