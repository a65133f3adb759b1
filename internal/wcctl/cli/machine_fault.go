package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/wastecoach/wastecoach/internal/wcctl/localmachine"
)

// newMachineFault returns a command with a machine and what to do to it.
func newMachineFault(
	con *console, opts *machineOptions, cmd *cobra.Command, words []string,
	do func(ctx context.Context, lab *localmachine.Lab, name, word string) error,
) *cobra.Command {
	cmd.Args = cobra.ExactArgs(2)
	cmd.ValidArgsFunction = func(
		c *cobra.Command, args []string, word string,
	) ([]string, cobra.ShellCompDirective) {
		if len(args) == 0 {
			return opts.completeNames(con)(c, args, word)
		}
		return words, cobra.ShellCompDirectiveNoFileComp
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		lab, err := opts.lab(con)
		if err != nil {
			return err
		}
		return machineError(con, opts, args[0], do(cmd.Context(), lab, args[0], args[1]))
	}
	return cmd
}

func onOff(cmd *cobra.Command, word string) (bool, error) {
	switch word {
	case "on", "off":
		return word == "on", nil
	}
	return false, usageErrorf(cmd.CommandPath(), "%q is neither on nor off", word)
}

func newMachineCutNetwork(con *console, opts *machineOptions) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "cut-network NAME on|off",
		Short: "Test: pull a machine's network cable, or plug it in again",
	}
	return newMachineFault(con, opts, cmd, []string{"on", "off"},
		func(_ context.Context, lab *localmachine.Lab, name, word string) error {
			on, err := onOff(cmd, word)
			if err != nil {
				return err
			}
			if err := lab.CutNetwork(name, on); err != nil {
				return err
			}
			fmt.Fprintf(con.out, "%s: the network is %s\n", name, choose(on, "cut", "whole"))
			return nil
		})
}

func newMachineFillDisk(con *console, opts *machineOptions) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "fill-disk NAME on|off",
		Short: "Test: fill a machine's disk, or free it again",
		Long: `Take all free space of a running machine's disk, or give it back. It takes no space on
this computer.`,
	}
	return newMachineFault(con, opts, cmd, []string{"on", "off"},
		func(_ context.Context, lab *localmachine.Lab, name, word string) error {
			on, err := onOff(cmd, word)
			if err != nil {
				return err
			}
			if err := lab.FillDisk(name, on); err != nil {
				return err
			}
			fmt.Fprintf(con.out, "%s: the disk is %s\n", name, choose(on, "full", "free"))
			return nil
		})
}

func newMachineSkewClock(con *console, opts *machineOptions) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "skew-clock NAME DURATION|off",
		Short: "Test: set a machine's clock wrong",
		Long: `Set the clock of a running machine wrong by a duration, e.g. 10m or -- -2h, or right again.

All machines share the clock of this computer's kernel, so a library tells the wrong
time. Only processes started later see it, e.g. those of new SSH connections; programs
without C's library, as kubelet and containerd are here, see the right time. A reboot
sets it right.`,
		Example: `  wcctl machine skew-clock lab-worker-1 10m
  wcctl machine skew-clock lab-worker-1 -- -2h
  wcctl machine skew-clock lab-worker-1 off`,
	}
	return newMachineFault(con, opts, cmd, []string{"10m", "off"},
		func(ctx context.Context, lab *localmachine.Lab, name, word string) error {
			var by time.Duration
			if word != "off" {
				var err error
				if by, err = time.ParseDuration(word); err != nil {
					return usageErrorf(cmd.CommandPath(), "%q is neither a duration like 10m nor off", word)
				}
			}
			if err := lab.SkewClock(ctx, name, by); err != nil {
				return err
			}
			fmt.Fprintf(con.out, "%s: the clock of new processes is %s\n", name,
				choose(by != 0, "wrong by "+by.String(), "right"))
			return nil
		})
}

func choose(yes bool, then, otherwise string) string {
	if yes {
		return then
	}
	return otherwise
}
