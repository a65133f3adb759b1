package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/wastecoach/wastecoach/internal/wcctl/localmachine"
)

// newMachinePower returns a command that does one thing to each machine named.
func newMachinePower(
	con *console, opts *machineOptions, cmd *cobra.Command,
	do func(ctx context.Context, lab *localmachine.Lab, name string) error,
) *cobra.Command {
	cmd.Use += " NAME..."
	cmd.Args = cobra.MinimumNArgs(1)
	cmd.ValidArgsFunction = opts.completeNames(con)
	cmd.RunE = func(cmd *cobra.Command, names []string) error {
		lab, err := opts.lab(con)
		if err != nil {
			return err
		}
		for _, name := range names {
			if err := do(cmd.Context(), lab, name); err != nil {
				return machineError(con, opts, name, err)
			}
		}
		return nil
	}
	return cmd
}

func newMachineStart(con *console, opts *machineOptions) *cobra.Command {
	var wait time.Duration
	cmd := &cobra.Command{Use: "start", Short: "Boot machines that are off"}
	cmd.Flags().DurationVar(&wait, "wait", defaultBootWait, "how long to wait for SSH, 0s not at all")
	return newMachinePower(con, opts, cmd,
		func(ctx context.Context, lab *localmachine.Lab, name string) error {
			m, err := lab.Start(name)
			if err != nil {
				return err
			}
			return awaitBoot(ctx, con, lab, m, wait)
		})
}

func newMachineStop(con *console, opts *machineOptions) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "stop",
		Short: "Halt machines",
		Long:  `Halt machines as their power buttons would, and cut the power of one that runs after a minute.`,
	}
	return newMachinePower(con, opts, cmd,
		func(ctx context.Context, lab *localmachine.Lab, name string) error {
			cut, err := lab.Stop(ctx, name)
			if err != nil {
				return err
			}
			if cut {
				fmt.Fprintf(con.err, "%s did not halt in time; its power was cut\n", name)
			}
			fmt.Fprintf(con.out, "%s is off\n", name)
			return nil
		})
}

func newMachineReboot(con *console, opts *machineOptions) *cobra.Command {
	var wait time.Duration
	cmd := &cobra.Command{Use: "reboot", Short: "Reboot machines"}
	cmd.Flags().DurationVar(&wait, "wait", defaultBootWait, "how long to wait for SSH, 0s not at all")
	return newMachinePower(con, opts, cmd,
		func(ctx context.Context, lab *localmachine.Lab, name string) error {
			m, err := lab.Reboot(ctx, name)
			if err != nil {
				return err
			}
			return awaitBoot(ctx, con, lab, m, wait)
		})
}

func newMachinePowerCut(con *console, opts *machineOptions) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "power-cut",
		Short: "Test: cut the power of machines",
		Long: `Cut the power of machines: all processes end at once and no file is closed in order. What
was written is on the disk, as with a battery in the disk's controller.`,
	}
	return newMachinePower(con, opts, cmd,
		func(_ context.Context, lab *localmachine.Lab, name string) error {
			if err := lab.PowerCut(name); err != nil {
				return err
			}
			fmt.Fprintf(con.out, "%s is off\n", name)
			return nil
		})
}
