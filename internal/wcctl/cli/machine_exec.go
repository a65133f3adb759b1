package cli

import (
	"context"
	"errors"
	"fmt"
	"os/exec"

	"github.com/spf13/cobra"

	"github.com/wastecoach/wastecoach/internal/wcctl/dev"
	"github.com/wastecoach/wastecoach/internal/wcctl/localmachine"
)

func newMachineExec(con *console, opts *machineOptions) *cobra.Command {
	var network, lab bool
	cmd := &cobra.Command{
		Use:   "exec NAME -- COMMAND...",
		Short: "Run a command in a machine, or in its network",
		Long: `Run a command in a machine as root, without SSH: also where its network is cut. With
--network or --lab it is a command of this computer that sees only that network.
The exit code is the command's.`,
		Example: `  wcctl machine exec lab-worker-1 -- systemctl --failed
  wcctl machine exec lab-worker-1 --lab -- curl -s http://10.77.0.12:30080/`,
		Args:              cobra.MinimumNArgs(2),
		ValidArgsFunction: opts.completeNames(con),
		RunE: func(cmd *cobra.Command, args []string) error {
			where := localmachine.InMachine
			switch {
			case network:
				where = localmachine.MachineNetwork
			case lab:
				where = localmachine.LabNetwork
			}
			return runMachineExec(cmd.Context(), con, opts, args[0], localmachine.ExecOptions{
				Where: where, Command: args[1:], Stdin: con.in, Stdout: con.out, Stderr: con.err,
			})
		},
	}
	cmd.Flags().BoolVar(&network, "network", false, "this computer's command in the machine's network")
	cmd.Flags().BoolVar(&lab, "lab", false, "this computer's command beside the machines, at their gateway")
	cmd.MarkFlagsMutuallyExclusive("network", "lab")
	return cmd
}

func runMachineExec(
	ctx context.Context, con *console, opts *machineOptions, name string, o localmachine.ExecOptions,
) error {
	lab, err := opts.lab(con)
	if err != nil {
		return err
	}
	err = lab.Exec(ctx, name, o)
	if ended, ok := errors.AsType[*exec.ExitError](err); ok && ended.ExitCode() > 0 {
		return &Error{
			Cause:    fmt.Errorf("%s on %s ended with exit code %d", o.Command[0], name, ended.ExitCode()),
			ExitCode: ended.ExitCode(),
		}
	}
	return machineError(con, opts, name, err)
}

func newMachineLogs(con *console, opts *machineOptions) *cobra.Command {
	var (
		follow bool
		lines  int
	)
	cmd := &cobra.Command{
		Use:               "logs NAME",
		Short:             "Show what a machine printed on its console",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: opts.completeNames(con),
		RunE: func(cmd *cobra.Command, args []string) error {
			lab, err := opts.lab(con)
			if err != nil {
				return err
			}
			if _, err := lab.Find(args[0]); err != nil {
				return machineError(con, opts, args[0], err)
			}
			ctx, cancel := context.WithCancel(cmd.Context())
			defer cancel()
			return dev.Tail(ctx, lab.ConsolePath(args[0]), dev.TailOptions{
				Last: lines, Follow: follow, Keep: func([]byte) bool { return true },
			}, func(line []byte) {
				if _, err := con.out.Write(line); err != nil {
					cancel() // the reader of a pipe is gone
				}
			})
		},
	}
	cmd.Flags().BoolVarP(&follow, "follow", "f", false, "go on with what is printed from now")
	cmd.Flags().IntVarP(&lines, "lines", "n", 200, "how many lines from before")
	return cmd
}
