package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/wastecoach/wastecoach/internal/wcctl/localmachine"
	"github.com/wastecoach/wastecoach/internal/wcctl/workspace"
)

const stateDirEnv = "WCCTL_STATE_DIR"

// machineOptions are what all commands about local machines share.
type machineOptions struct{ stateDir string }

func newMachine(con *console) *cobra.Command {
	var opts machineOptions
	cmd := &cobra.Command{
		Use:     "machine",
		GroupID: groupLocal,
		Short:   "Machines on this computer",
		Long: `Make machines on this computer, as wcctl up --target local does, and break them on purpose.

A machine is a set of namespaces with a disk, a network and systemd of its own. It boots,
reboots and fails as a server does, in seconds. It is no wall: root in a machine can
reach this computer. Machines of one state folder share a network that nothing leaves;
ports of 127.0.0.1 lead to their SSH and API servers. They need Linux and root.`,
		Example: `  wcctl machine create lab-control-plane --cluster lab --control-plane
  wcctl machine create lab-worker-1 --cluster lab
  wcctl machine list
  wcctl machine power-cut lab-worker-1 && wcctl machine start lab-worker-1`,
	}
	cmd.PersistentFlags().StringVar(&opts.stateDir, "state-dir", "",
		"folder of the cluster's state (default: "+stateDirEnv+", else "+workspace.FolderName+")")
	cmd.AddCommand(
		newMachineCreate(con, &opts), newMachineDelete(con, &opts), newMachineList(con, &opts),
		newMachineStart(con, &opts), newMachineStop(con, &opts), newMachineReboot(con, &opts),
		newMachinePowerCut(con, &opts), newMachineCutNetwork(con, &opts),
		newMachineFillDisk(con, &opts), newMachineSkewClock(con, &opts),
		newMachineExec(con, &opts), newMachineLogs(con, &opts),
		newMachineImage(con), newMachineRun(con, &opts), newMachineInit(),
	)
	return cmd
}

func (o *machineOptions) folder(con *console) string {
	switch {
	case o.stateDir != "":
		return o.stateDir
	case con.getenv(stateDirEnv) != "":
		return con.getenv(stateDirEnv)
	}
	return workspace.FolderName
}

func (o *machineOptions) lab(con *console) (*localmachine.Lab, error) {
	return localmachine.Open(o.folder(con))
}

// completeNames offers the machines that exist.
func (o *machineOptions) completeNames(con *console) cobra.CompletionFunc {
	return func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		var names []string
		if lab, err := o.lab(con); err == nil {
			machines, _ := lab.List()
			for _, m := range machines {
				names = append(names, m.Name)
			}
		}
		return names, cobra.ShellCompDirectiveNoFileComp
	}
}

// machineError adds what to do about an error.
func machineError(con *console, opts *machineOptions, name string, err error) error {
	var hint string
	at := " --state-dir " + opts.folder(con)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, localmachine.ErrNotRoot):
		hint = "sudo wcctl machine …"
	case errors.Is(err, localmachine.ErrUnknown):
		hint = "wcctl machine list" + at
	case errors.Is(err, localmachine.ErrOff):
		hint = "wcctl machine start " + name + at
	case errors.Is(err, localmachine.ErrDiffers):
		hint = "wcctl machine delete " + name + at
	case errors.Is(err, localmachine.ErrNoBuilder):
		hint = "sudo apt-get install mmdebstrap\nwcctl machine create " + name + " --image-tar FILE"
	case errors.Is(err, localmachine.ErrNoSources):
		hint = "wcctl machine create " + name + " --apt-sources FILE\n" +
			"wcctl machine create " + name + " --image-tar FILE"
	case errors.Is(err, localmachine.ErrElsewhere):
		hint = "wcctl machine create " + name + " --cluster OTHER" + at
	default:
		return err
	}
	return &Error{Cause: err, Hint: hint}
}

func newMachineList(con *console, opts *machineOptions) *cobra.Command {
	var format outputFormat
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the machines and how they are",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			return runMachineList(con, opts, format)
		},
	}
	format.register(cmd)
	return cmd
}

func runMachineList(con *console, opts *machineOptions, format outputFormat) error {
	lab, err := opts.lab(con)
	if err != nil {
		return err
	}
	machines, err := lab.List()
	if errors.Is(err, fs.ErrPermission) {
		err = errors.Join(localmachine.ErrNotRoot, err)
	}
	if err != nil {
		return machineError(con, opts, "", err)
	}
	if format == outputJSON {
		return writeJSON(con.out, machines)
	}
	if len(machines) == 0 {
		fmt.Fprintf(con.out, "No machines in %s\n", opts.folder(con))
		return nil
	}
	table := tabwriter.NewWriter(con.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "NAME\tSTATE\tADDRESS\tSSH\tAPI\tPID\tBOOTS\tFAULTS")
	for _, m := range machines {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t%d\t%s\n", m.Name, m.State, m.Address,
			loopbackPort(m.SSHPort), loopbackPort(m.APIPort), orDash(m.PID), m.Boots,
			strings.Join(m.Faults, ","))
	}
	return table.Flush()
}

func loopbackPort(port int) string {
	if port == 0 {
		return "-"
	}
	return fmt.Sprintf("127.0.0.1:%d", port)
}

func orDash(n int) string {
	if n == 0 {
		return "-"
	}
	return fmt.Sprint(n)
}

func newMachineDelete(con *console, opts *machineOptions) *cobra.Command {
	return &cobra.Command{
		Use:   "delete NAME...",
		Short: "Delete machines with their disks",
		Long: `Delete machines with their disks, running or not. The last one takes the network and all
that was changed on this computer with it; the image stays in the cache. What is not
there counts as deleted.`,
		Args:              cobra.MinimumNArgs(1),
		ValidArgsFunction: opts.completeNames(con),
		RunE: func(_ *cobra.Command, names []string) error {
			lab, err := opts.lab(con)
			if err != nil {
				return err
			}
			for _, name := range names {
				if err := lab.Delete(name); err != nil {
					return machineError(con, opts, name, err)
				}
				fmt.Fprintf(con.out, "Deleted %s\n", name)
			}
			return nil
		},
	}
}

func newMachineRun(con *console, opts *machineOptions) *cobra.Command {
	return &cobra.Command{
		Use:    localmachine.SuperviseCommand + " NAME",
		Short:  "Keep a machine; wcctl starts this itself",
		Hidden: true,
		Args:   cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return localmachine.Supervise(cmd.Context(), opts.folder(con), args[0], logTo(con.err))
		},
	}
}

func newMachineInit() *cobra.Command {
	return &cobra.Command{
		Use:    localmachine.InitCommand,
		Short:  "Become a machine's systemd; wcctl starts this itself",
		Hidden: true,
		Args:   cobra.NoArgs,
		RunE:   func(*cobra.Command, []string) error { return localmachine.RunInit() },
	}
}

func newMachineImage(con *console) *cobra.Command {
	var image localmachine.ImageOptions
	cmd := &cobra.Command{
		Use:   "image FILE",
		Short: "Write the image of machines into a tar",
		Long: `Write the root file system that machines start from into a tar, making it first where it
is not in the cache (WCCTL_CACHE_DIR, default /var/cache/wastecoach). With it,
wcctl machine create --image-tar needs no network.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runMachineImage(cmd.Context(), con, image, args[0])
		},
	}
	cmd.Flags().StringVar(&image.AptSources, "apt-sources", "",
		"apt sources file of Debian 12 (default: this computer's)")
	return cmd
}

func runMachineImage(
	ctx context.Context, con *console, image localmachine.ImageOptions, path string,
) error {
	image.CacheDir = localmachine.CacheDir(con.getenv)
	image.Progress = func(line string) { fmt.Fprintln(con.err, line) }
	rootfs, err := localmachine.EnsureImage(ctx, image)
	if err == nil {
		err = localmachine.SaveImage(ctx, rootfs, path)
	}
	if err != nil {
		return machineError(con, &machineOptions{}, "NAME", err)
	}
	info, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("measuring the image: %w", err)
	}
	fmt.Fprintf(con.out, "Wrote %s, %d MiB\n", path, info.Size()>>20)
	return nil
}
