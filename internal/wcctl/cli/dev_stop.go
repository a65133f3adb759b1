package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/wastecoach/wastecoach/internal/wcctl/dev"
)

func newDevStop(con *console, data *string) *cobra.Command {
	var (
		force bool
		wait  time.Duration
	)
	cmd := &cobra.Command{
		Use:   "stop",
		Short: "Stop it, wherever it was started",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runDevStop(cmd.Context(), con, devFolder(con, *data), force, wait)
		},
	}
	cmd.Flags().BoolVar(&force, "force", false, "kill it at once; its data survives that too")
	cmd.Flags().DurationVar(&wait, "wait", time.Minute, "how long to wait for its end")
	return cmd
}

func runDevStop(
	ctx context.Context, con *console, data dev.Folder, force bool, wait time.Duration,
) error {
	owner, err := dev.Stop(ctx, data, force, wait)
	if errors.Is(err, dev.ErrStillRunning) && ctx.Err() == nil {
		return &Error{Cause: err, Hint: devCommand(con, data, "stop --force")}
	}
	if err != nil {
		return devError(con, err, data)
	}
	_, err = fmt.Fprintf(con.out, "Stopped process %d\n", owner.PID)
	return err
}
