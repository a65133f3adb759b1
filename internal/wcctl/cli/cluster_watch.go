package cli

import (
	"context"
	"time"

	"github.com/wastecoach/wastecoach/internal/wcctl/event"
	"github.com/wastecoach/wastecoach/internal/wcctl/phase"
	"github.com/wastecoach/wastecoach/internal/wcctl/runview"
)

// watch runs the phases while somebody looks on.
func watch(
	ctx context.Context, con *console, format outputFormat, s *session, h *held,
	runner *phase.Runner, command string,
) (phase.Result, error) {
	view := newView(con, format, rows(runner.Phases))
	defer view.Close()
	sink := event.Tee(h.log, event.SinkFunc(func(e event.Event) {
		e.Hint = s.flags.paste(e.Hint)
		view.Emit(e)
	}))
	s.sink.to = sink
	sink.Emit(event.Event{
		Kind: event.RunStarted, Text: "wcctl " + command + " " + s.cluster.Metadata.Name,
		Log: h.log.Path(), Total: len(runner.Phases),
	})
	stop := context.AfterFunc(ctx, func() {
		sink.Emit(event.Event{
			Kind: event.Warning, Text: "interrupted: what runs is being ended; once more ends it at once",
		})
	})
	result, err := runner.Up(ctx)
	stop()
	text := "done"
	if err != nil {
		text = "failed"
	}
	sink.Emit(event.Event{
		Kind: event.RunFinished, Text: text, Seconds: result.Took.Seconds(),
		Done: result.Changed, Total: len(runner.Phases),
	})
	return result, err
}

// rows are the phases as a view tells of them before they start.
func rows(phases []phase.Phase) []runview.Phase {
	list := make([]runview.Phase, len(phases))
	for i, p := range phases {
		list[i] = runview.Phase{Name: p.Name(), Title: p.Title()}
	}
	return list
}

// newView chooses how a run is shown.
func newView(con *console, format outputFormat, phases []runview.Phase) runview.View {
	if format == outputJSON {
		return runview.NewJSON(con.out)
	}
	if !con.live() {
		return runview.NewPlain(con.err)
	}
	return runview.NewTerminal(con.err, phases, con.colored(con.err))
}

func roundly(d time.Duration) time.Duration { return d.Round(100 * time.Millisecond) }
