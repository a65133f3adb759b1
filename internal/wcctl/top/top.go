// Package top is the live view of the running system on a terminal.
package top

import (
	"context"
	"errors"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/colorprofile"
	"github.com/gofrs/uuid/v5"

	"github.com/wastecoach/wastecoach/internal/wcctl/monitor"
	"github.com/wastecoach/wastecoach/internal/wcctl/screenshot"
)

// Source is the system that is looked at and acted on.
type Source interface {
	Picture(ctx context.Context, q monitor.JobQuery) (monitor.Picture, error)
	Job(ctx context.Context, id uuid.UUID) (monitor.JobDetail, error)
	Act(ctx context.Context, a monitor.Action) ([]monitor.Outcome, error)
}

// Options are what the view needs to know; In and Out are a terminal.
type Options struct {
	Source Source
	// View is the name of the first view; empty is the overview.
	View string
	// ReadOnly takes the actions away.
	ReadOnly bool
	NoColor  bool
	In       io.Reader
	Out      io.Writer
}

// framesPerSecond is the most that is drawn; nothing is written where nothing changed.
const framesPerSecond = 30

// Run shows the system until the operator leaves, the terminal is gone or ctx ends.
func Run(ctx context.Context, o Options) error {
	first, err := viewNamed(o.View)
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGHUP)
	defer stop()
	options := []tea.ProgramOption{
		tea.WithInput(watched(o.In, stop)), tea.WithOutput(o.Out), tea.WithFPS(framesPerSecond),
		tea.WithoutSignalHandler(), // whoever made ctx has one
	}
	if o.NoColor {
		options = append(options, tea.WithColorProfile(colorprofile.ASCII))
	}
	m := newModel(ctx, o.Source, o.ReadOnly, time.Now)
	m.view = first
	program := tea.NewProgram(m, options...)
	defer context.AfterFunc(ctx, program.Quit)()
	_, err = program.Run()
	if ctx.Err() != nil || errors.Is(err, syscall.EIO) {
		return nil // no terminal is left to complain to
	}
	return err
}

// watched is an input that calls gone at its end, which bubbletea takes for a silent keyboard.
func watched(in io.Reader, gone func()) io.Reader {
	if file, ok := in.(*os.File); ok {
		return terminal{file, gone}
	}
	return in
}

type terminal struct {
	*os.File
	gone func()
}

func (t terminal) Read(p []byte) (int, error) {
	n, err := t.File.Read(p)
	if err != nil {
		t.gone()
	}
	return n, err //nolint:wrapcheck // a reader's error is told as it is
}

// settleFor is how long Screenshot looks before it draws: rates are differences of two moments.
const settleFor = 2 * time.Second

// Screenshot draws one frame of a view as an SVG of width × height cells.
func Screenshot(ctx context.Context, source Source, name string, width, height int) ([]byte, error) {
	v, err := viewNamed(name)
	if err != nil {
		return nil, err
	}
	m := newModel(ctx, source, true, time.Now)
	m.Update(tea.WindowSizeMsg{Width: width, Height: height})
	m.Update(tea.ColorProfileMsg{Profile: colorprofile.TrueColor})
	m.show(v)
	for end := time.Now().Add(settleFor); ; {
		got, ok := m.fetch()().(fetched)
		if ok && got.err != nil {
			return nil, got.err
		}
		m.Update(got)
		if time.Now().After(end) {
			break
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(refresh):
		}
	}
	return screenshot.SVG(m.screen(), width, height, m.windowTitle()), nil
}
