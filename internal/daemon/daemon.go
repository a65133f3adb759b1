// Package daemon runs a service binary: its subcommands, its signals and its exit code.
package daemon

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/prometheus/common/version"

	"github.com/wastecoach/wastecoach/internal/telemetry"
)

// Command is one way to run the binary, e.g. serve.
type Command struct {
	Name string
	Help string
	Run  func(ctx context.Context, environ []string, logger *slog.Logger) error
}

// With is a Run that reads its configuration first.
func With[C any](
	load func(environ []string) (C, error),
	run func(ctx context.Context, cfg C, logger *slog.Logger) error,
) func(context.Context, []string, *slog.Logger) error {
	return func(ctx context.Context, environ []string, logger *slog.Logger) error {
		cfg, err := load(environ)
		if err != nil {
			return err
		}
		return run(ctx, cfg, logger)
	}
}

const traceFlushTimeout = 3 * time.Second

// Main runs the command that the first argument names and returns the exit code:
// 0 done, 1 failed, 2 usage.
func Main(service string, commands ...Command) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	return run(ctx, service, commands, os.Args[1:], os.Environ(), os.Stdout, os.Stderr)
}

func run(
	ctx context.Context, service string, commands []Command,
	args, environ []string, stdout, stderr io.Writer,
) int {
	if len(args) == 1 && slices.Contains([]string{"help", "-h", "--help"}, args[0]) {
		usage(stdout, service, commands)
		return 0
	}
	if slices.Equal(args, []string{"version"}) {
		_, _ = fmt.Fprintln(stdout, service, cmp.Or(version.Version, version.GetRevision()))
		return 0
	}
	var command *Command
	for i := range commands {
		if len(args) == 1 && commands[i].Name == args[0] {
			command = &commands[i]
		}
	}
	if command == nil {
		usage(stderr, service, commands)
		return 2
	}
	logger := telemetry.NewLogger(stderr, service, level(environ))
	if err := observed(ctx, service, *command, environ, logger); err != nil {
		logger.ErrorContext(ctx, "stopped", "error", err)
		return 1
	}
	return 0
}

func observed(
	ctx context.Context, service string, c Command, environ []string, logger *slog.Logger,
) error {
	flush, err := telemetry.StartTracing(ctx, service, os.Getenv)
	if err != nil {
		return err
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), traceFlushTimeout)
		defer cancel()
		if err := flush(ctx); err != nil {
			logger.WarnContext(ctx, "traces lost", "error", err)
		}
	}()
	return c.Run(ctx, environ, logger)
}

func usage(w io.Writer, service string, commands []Command) {
	_, _ = fmt.Fprintf(w, "Usage: %s COMMAND\n\nCommands:\n", service)
	for _, c := range commands {
		_, _ = fmt.Fprintf(w, "  %-8s %s\n", c.Name, c.Help)
	}
	_, _ = fmt.Fprintf(w, "\nIt is configured by environment variables %s_…; see docs/configuration.md.\n",
		strings.ToUpper(service))
}

// level is LOG_LEVEL: debug, info (the default), warn or error.
func level(environ []string) slog.Level {
	var l slog.Level
	for _, line := range environ {
		if value, ok := strings.CutPrefix(line, "LOG_LEVEL="); ok {
			_ = l.UnmarshalText([]byte(value)) // an unknown word leaves info
		}
	}
	return l
}
