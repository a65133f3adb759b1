package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/wastecoach/wastecoach/internal/wcctl/dev"
)

// devStatus is what `wcctl dev status` tells.
type devStatus struct {
	Running bool       `json:"running"`
	PID     int        `json:"pid,omitempty"`
	Since   *time.Time `json:"since,omitempty"`
	URL     string     `json:"url,omitempty"`
	Data    string     `json:"data"`
	Parts   []dev.Part `json:"parts,omitempty"`
}

func newDevStatus(con *console, data *string) *cobra.Command {
	var format outputFormat
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Tell whether it runs, and which parts are ready",
		Long:  `Tell whether it runs, and which parts are ready. It fails when it does not run.`,
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runDevStatus(cmd.Context(), con, devFolder(con, *data), format)
		},
	}
	format.register(cmd)
	return cmd
}

func runDevStatus(ctx context.Context, con *console, data dev.Folder, format outputFormat) error {
	info, err := dev.Find(data)
	if err != nil {
		if format == outputJSON && errors.Is(err, dev.ErrNotRunning) {
			err = errors.Join(err, writeJSON(con.out, devStatus{Data: string(data)}))
		}
		return devError(con, err, data)
	}
	s := devStatus{
		Running: true, PID: info.PID, Since: &info.Since, URL: info.URL, Data: string(data),
		Parts: dev.Look(ctx, info),
	}
	if format == outputJSON {
		return writeJSON(con.out, s)
	}
	fmt.Fprintf(con.out, "%s  process %d since %s, data in %s\n", s.URL, s.PID,
		s.Since.Local().Format(time.DateTime), s.Data)
	for _, p := range s.Parts {
		state := "ready"
		if !p.Ready {
			state = "not ready: " + p.Why
		}
		fmt.Fprintf(con.out, "  %-20s %-24s %s\n", p.Name, p.URL, state)
	}
	return nil
}
