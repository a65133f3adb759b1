package daemon

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
)

func TestRun(t *testing.T) {
	t.Parallel()
	const usageLine = "Usage: waste COMMAND"
	tests := map[string]struct {
		args           []string
		code           int
		stdout, stderr string
		ran            bool
	}{
		"no command":      {nil, 2, "", usageLine, false},
		"unknown command": {[]string{"dance"}, 2, "", usageLine, false},
		"too many":        {[]string{"serve", "work"}, 2, "", usageLine, false},
		"help":            {[]string{"help"}, 0, usageLine, "", false},
		"version":         {[]string{"version"}, 0, "waste unknown\n", "", false},
		"-h":              {[]string{"-h"}, 0, usageLine, "", false},
		"--help":          {[]string{"--help"}, 0, usageLine, "", false},
		"served":          {[]string{"serve"}, 0, "", "", true},
		"failed":          {[]string{"fail"}, 1, "", `"msg":"stopped","service":"waste","error":"no luck"`, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var ran bool
			commands := []Command{
				{"serve", "answer requests", func(_ context.Context, environ []string, _ *slog.Logger) error {
					ran = slices.Contains(environ, "WASTE_KEY=x")
					return nil
				}},
				{"fail", "fail", func(context.Context, []string, *slog.Logger) error { return errors.New("no luck") }},
			}
			var stdout, stderr bytes.Buffer
			code := run(t.Context(), "waste", commands, tt.args, []string{"WASTE_KEY=x"}, &stdout, &stderr)
			if code != tt.code || ran != tt.ran {
				t.Errorf("exit code %d, ran %t", code, ran)
			}
			for stream, got := range map[string][2]string{
				"stdout": {stdout.String(), tt.stdout}, "stderr": {stderr.String(), tt.stderr},
			} {
				if !strings.Contains(got[0], got[1]) || (got[1] == "") != (got[0] == "") {
					t.Errorf("%s: %q, want %q", stream, got[0], got[1])
				}
			}
			if strings.Contains(tt.stdout+tt.stderr, usageLine) &&
				!strings.Contains(stdout.String()+stderr.String(), "  serve    answer requests\n") {
				t.Error("the usage does not list the commands")
			}
		})
	}
}

func TestContextReachesTheCommand(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	commands := []Command{{"serve", "", func(ctx context.Context, _ []string, _ *slog.Logger) error {
		<-ctx.Done()
		return nil
	}}}
	var out bytes.Buffer
	if code := run(ctx, "waste", commands, []string{"serve"}, nil, &out, &out); code != 0 {
		t.Errorf("exit code %d: %s", code, out.String())
	}
}

func TestLogLevel(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		environ []string
		want    slog.Level
	}{
		"default":      {nil, slog.LevelInfo},
		"debug":        {[]string{"A=b", "LOG_LEVEL=debug"}, slog.LevelDebug},
		"upper case":   {[]string{"LOG_LEVEL=WARN"}, slog.LevelWarn},
		"error":        {[]string{"LOG_LEVEL=error"}, slog.LevelError},
		"unknown word": {[]string{"LOG_LEVEL=loud"}, slog.LevelInfo},
		"other name":   {[]string{"WASTE_LOG_LEVEL=debug"}, slog.LevelInfo},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			commands := []Command{{"serve", "", func(ctx context.Context, _ []string, logger *slog.Logger) error {
				for l := slog.LevelDebug; l <= slog.LevelError; l++ {
					if logger.Enabled(ctx, l) != (l >= tt.want) {
						t.Errorf("level %s enabled: %t", l, logger.Enabled(ctx, l))
					}
				}
				return nil
			}}}
			var out bytes.Buffer
			if code := run(t.Context(), "waste", commands, []string{"serve"}, tt.environ, &out, &out); code != 0 {
				t.Errorf("exit code %d: %s", code, out.String())
			}
		})
	}
}
