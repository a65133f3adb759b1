//go:build !linux

package localmachine

import (
	"context"
	"log/slog"
	"time"
)

// The hidden commands and the faults that exist on Linux.
const (
	InitCommand      = "init"
	SuperviseCommand = "run"

	NetworkCut  = "network-cut"
	DiskFull    = "disk-full"
	ClockSkewed = "clock-skewed"
)

// EnsureImage returns ErrUnsupported.
func EnsureImage(context.Context, ImageOptions) (string, error) { return "", ErrUnsupported }

// SaveImage returns ErrUnsupported.
func SaveImage(context.Context, string, string) error { return ErrUnsupported }

// RunInit returns ErrUnsupported.
func RunInit() error { return ErrUnsupported }

// Supervise returns ErrUnsupported.
func Supervise(context.Context, string, string, *slog.Logger) error { return ErrUnsupported }

// Create returns ErrUnsupported.
func (l *Lab) Create(context.Context, Spec, ImageOptions) (Machine, error) {
	return Machine{}, ErrUnsupported
}

// AwaitSSH returns ErrUnsupported.
func (l *Lab) AwaitSSH(context.Context, Machine) error { return ErrUnsupported }

// Start returns ErrUnsupported.
func (l *Lab) Start(string) (Machine, error) { return Machine{}, ErrUnsupported }

// Stop returns ErrUnsupported.
func (l *Lab) Stop(context.Context, string) (bool, error) { return false, ErrUnsupported }

// PowerCut returns ErrUnsupported.
func (l *Lab) PowerCut(string) error { return ErrUnsupported }

// Reboot returns ErrUnsupported.
func (l *Lab) Reboot(context.Context, string) (Machine, error) { return Machine{}, ErrUnsupported }

// Delete returns ErrUnsupported.
func (l *Lab) Delete(string) error { return ErrUnsupported }

// CutNetwork returns ErrUnsupported.
func (l *Lab) CutNetwork(string, bool) error { return ErrUnsupported }

// FillDisk returns ErrUnsupported.
func (l *Lab) FillDisk(string, bool) error { return ErrUnsupported }

// SkewClock returns ErrUnsupported.
func (l *Lab) SkewClock(context.Context, string, time.Duration) error { return ErrUnsupported }

// Exec returns ErrUnsupported.
func (l *Lab) Exec(context.Context, string, ExecOptions) error { return ErrUnsupported }

func (l *Lab) look(s Spec) (Machine, error) { return Machine{Spec: s, State: Off}, nil }
