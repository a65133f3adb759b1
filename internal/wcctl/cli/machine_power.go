package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/wastecoach/wastecoach/internal/wcctl/localmachine"
)

// newMachinePower returns a command that does one thing to each machine named, and tells how it is then.
func newMachinePower(
	con *console, opts *machineOptions, cmd *cobra.Command,
	do func(ctx context.Context, lab *localmachine.Lab, name string) error,
) *cobra.Command {
	var format outputFormat
	format.register(cmd)
	cmd.Use += " NAME..."
	cmd.Args = cobra.MinimumNArgs(1)
	cmd.ValidArgsFunction = opts.completeNames(con)
	cmd.RunE = func(cmd *cobra.Command, names []string) error {
		lab, err := opts.lab(con)
		if err != nil {
			return err
		}
		for _, name := range names {
			err := do(cmd.Context(), lab, name)
			if err == nil {
				err = printMachine(con, lab, name, format)
			}
			if err != nil {
				return machineError(con, opts, name, err)
			}
		}
		return nil
	}
	return cmd
}

// printMachine prints a line, or an object, for each machine.
func printMachine(con *console, lab *localmachine.Lab, name string, format outputFormat) error {
	m, err := lab.Find(name)
	switch {
	case err != nil:
		return err
	case format == outputJSON:
		return writeJSON(con.out, m)
	case m.State == localmachine.Off:
		fmt.Fprintf(con.out, "%s is off\n", m.Name)
	default:
		fmt.Fprintf(con.out, "%s  %s  ssh -p %d root@127.0.0.1\n", m.Name, m.Address, m.SSHPort)
	}
	return nil
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
			return lab.PowerCut(name)
		})
}
