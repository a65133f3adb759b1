package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/wastecoach/wastecoach/internal/wcctl/dev"
)

type devLogsOptions struct {
	data    dev.Folder
	follow  bool
	service string
	lines   int
	format  outputFormat
}

func newDevLogs(con *console, data *string) *cobra.Command {
	var opts devLogsOptions
	cmd := &cobra.Command{
		Use:   "logs",
		Short: "Show the logs, also of a run that has ended",
		Example: `  wcctl dev logs -f
  wcctl dev logs --service waste -o json
  wcctl dev logs --service waste-worker-2
  wcctl dev logs --service postgresql`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			opts.data = devFolder(con, *data)
			return runDevLogs(cmd.Context(), con, opts)
		},
	}
	cmd.Flags().BoolVarP(&opts.follow, "follow", "f", false, "go on with what is logged from now")
	cmd.Flags().StringVar(&opts.service, "service", "",
		"only this service or part, or the program postgresql, redis or s3")
	cmd.Flags().IntVarP(&opts.lines, "lines", "n", 100, "how many lines from before")
	opts.format.register(cmd)
	return cmd
}

func runDevLogs(ctx context.Context, con *console, opts devLogsOptions) error {
	path := opts.data.LogPath()
	program, isProgram := opts.data.LogFiles()[opts.service]
	if isProgram {
		path = program
	}
	keep := func([]byte) bool { return true }
	var broken error
	show := func(line []byte) {
		switch {
		case isProgram, opts.format == outputJSON:
			_, broken = con.out.Write(line)
		default:
			_, broken = fmt.Fprintln(con.out, dev.Brief(line))
		}
	}
	if !isProgram && opts.service != "" {
		if err := knownPart(opts.service); err != nil {
			return err
		}
		keep = func(line []byte) bool { return isFrom(line, opts.service) }
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	err := dev.Tail(ctx, path, dev.TailOptions{
		Last: opts.lines, Follow: opts.follow, Keep: keep,
	}, func(line []byte) {
		if show(line); broken != nil {
			cancel() // the reader of a pipe is gone
		}
	})
	if errors.Is(err, fs.ErrNotExist) {
		return &Error{Cause: fmt.Errorf("there is no log %s yet", path), Hint: devCommand(con, opts.data, "")}
	}
	return err
}

// knownPart refuses typing errors, which would show nothing for ever.
func knownPart(name string) error {
	names := []string{"dev", "postgresql", "redis", "s3"}
	for _, p := range dev.Pools() {
		names = append(names, p.Name)
		if rest, ok := strings.CutPrefix(name, p.Name+"-"); ok && strings.Trim(rest, "0123456789") == "" {
			return nil
		}
	}
	if slices.Contains(names, name) {
		return nil
	}
	return usageErrorf("wcctl dev logs", "there is no %q, but %s", name, strings.Join(names, ", "))
}

// isFrom tells whether a line is of one service, pool or replica.
func isFrom(line []byte, name string) bool {
	var r struct{ Service, Part string }
	if json.Unmarshal(bytes.TrimSpace(line), &r) != nil {
		return false
	}
	pool := strings.TrimRight(strings.TrimRight(r.Part, "0123456789"), "-")
	return slices.Contains([]string{r.Service, r.Part, pool}, name)
}
