package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/wastecoach/wastecoach/internal/wcctl/workspace"
)

func newUnlock(con *console) *cobra.Command {
	var (
		flags  clusterFlags
		force  bool
		format outputFormat
	)
	cmd := &cobra.Command{
		Use:   "unlock",
		Short: "Free the cluster from a run that is gone",
		Long: `Free the cluster's state folder from the lock of a run that is gone.

A lock whose process died on this computer, or that shows no sign of life for two
minutes from another one, is taken over by the next command anyway. With --force the
lock is taken from a run that lives: that run stops as soon as it notices.`,
		Example: `  wcctl unlock
  wcctl unlock --force`,
		GroupID: groupCluster,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runUnlock(cmd.Context(), con, &flags, force, format)
		},
	}
	cmd.Flags().BoolVar(&force, "force", false, "take the lock from a run that lives, too")
	flags.register(cmd)
	format.register(cmd)
	return cmd
}

// unlocked is what `wcctl unlock` did.
type unlocked struct {
	Folder string `json:"folder"`
	// Freed is who held the lock, null where nobody did.
	Freed *workspace.Holder `json:"freed"`
}

func runUnlock(
	ctx context.Context, con *console, flags *clusterFlags, force bool, format outputFormat,
) error {
	folder, err := flags.folder(con)
	if err != nil {
		return err
	}
	holder, err := folder.Unlock(ctx, force)
	var locked *workspace.LockedError
	switch {
	case errors.As(err, &locked), errors.Is(err, workspace.ErrTornLock):
		return &Error{Cause: err, Hint: flags.again("unlock --force")}
	case err != nil:
		return err
	case format == outputJSON:
		return writeJSON(con.out, unlocked{string(folder), holder})
	case holder == nil:
		fmt.Fprintf(con.out, "%s is not locked\n", folder)
	default:
		fmt.Fprintf(con.out, "Freed %s from %s\n", folder, holder)
	}
	return nil
}
