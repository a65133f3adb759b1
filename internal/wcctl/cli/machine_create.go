package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/wastecoach/wastecoach/internal/wcctl/localmachine"
	"github.com/wastecoach/wastecoach/internal/wcctl/workspace"
)

const defaultBootWait = time.Minute

type machineCreateOptions struct {
	*machineOptions
	spec            localmachine.Spec
	subnet, address string
	keyFile         string
	image           localmachine.ImageOptions
	wait            time.Duration
	format          outputFormat
}

func newMachineCreate(con *console, shared *machineOptions) *cobra.Command {
	opts := machineCreateOptions{machineOptions: shared}
	cmd := &cobra.Command{
		Use:   "create NAME",
		Short: "Make a machine and boot it",
		Long: `Make a machine and boot it. One that exists is only started, if it has the same settings.

The first machine makes an image of Debian 12, once, which takes about a minute and
the network; with --image-tar it takes neither. The key that may log in as root is
--authorized-key, else the one in the state folder, else your own.`,
		Example: `  wcctl machine create lab-control-plane --cluster lab --control-plane
  wcctl machine create lab-worker-1 --cluster lab --disk-gib 10
  ssh -p "$(wcctl machine list -o json | jq '.[0].ssh_port')" root@127.0.0.1`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			opts.spec.Name = args[0]
			return runMachineCreate(cmd.Context(), con, opts)
		},
	}
	f := cmd.Flags()
	f.StringVar(&opts.spec.Cluster, "cluster", "",
		"whose network it joins (default: that of the other machines, else "+localmachine.DefaultCluster+")")
	f.BoolVar(&opts.spec.ControlPlane, "control-plane", false, "lead a port of 127.0.0.1 to its API server")
	f.StringVar(&opts.subnet, "subnet", "",
		"the machines' network (default: that of the other machines, else "+localmachine.DefaultSubnet+")")
	f.StringVar(&opts.address, "address", "", "its address there (default: the next from the 11th)")
	f.IntVar(&opts.spec.DiskGiB, "disk-gib", 0, fmt.Sprintf(
		"size of its disk, which takes space only as it fills (default %d)", localmachine.DefaultDiskGiB))
	f.StringVar(&opts.spec.AuthorizedKey, "authorized-key", "", "line of the public key that may log in")
	f.StringVar(&opts.keyFile, "authorized-key-file", "", "file with that line")
	f.IntVar(&opts.spec.SSHPort, "ssh-port", 0, "port of 127.0.0.1 for SSH (default: a free one, kept)")
	f.IntVar(&opts.spec.APIPort, "api-port", 0,
		"port of 127.0.0.1 for the API server (default: a free one, kept)")
	f.StringVar(&opts.spec.ID, "id", "", "what tells it from a later one of its name (default: by chance)")
	f.StringVar(&opts.image.Tar, "image-tar", "", "image by wcctl machine image, instead of making one")
	f.StringVar(&opts.image.AptSources, "apt-sources", "",
		"apt sources file of Debian 12 (default: this computer's)")
	f.DurationVar(&opts.wait, "wait", defaultBootWait, "how long to wait for SSH, 0s not at all")
	cmd.MarkFlagsMutuallyExclusive("authorized-key", "authorized-key-file")
	cmd.MarkFlagsMutuallyExclusive("image-tar", "apt-sources")
	opts.format.register(cmd)
	return cmd
}

func runMachineCreate(ctx context.Context, con *console, opts machineCreateOptions) error {
	if err := opts.parse(con); err != nil {
		return err
	}
	lab, err := opts.lab(con)
	if err != nil {
		return err
	}
	opts.image.CacheDir = localmachine.CacheDir(con.getenv)
	opts.image.Progress = func(line string) { fmt.Fprintln(con.err, line) }
	m, err := lab.Create(ctx, opts.spec, opts.image)
	if err == nil {
		err = awaitBoot(ctx, con, lab, m, opts.wait)
	}
	if err == nil {
		err = printMachine(con, lab, m.Name, opts.format)
	}
	return machineError(con, opts.machineOptions, opts.spec.Name, err)
}

// parse reads what flags hold as text.
func (o *machineCreateOptions) parse(con *console) error {
	const path = "wcctl machine create"
	if err := localmachine.ValidName(o.spec.Name); err != nil {
		return usageError(path, err)
	}
	var err error
	if o.subnet != "" {
		if o.spec.Subnet, err = netip.ParsePrefix(o.subnet); err != nil {
			return usageErrorf(path, "--subnet: %v", err)
		}
	}
	if o.address != "" {
		if o.spec.Address, err = netip.ParseAddr(o.address); err != nil {
			return usageErrorf(path, "--address: %v", err)
		}
	}
	if o.spec.APIPort != 0 && !o.spec.ControlPlane {
		return usageErrorf(path, "--api-port is for --control-plane")
	}
	if o.spec.AuthorizedKey == "" {
		o.spec.AuthorizedKey, err = o.readKey(con)
	}
	return err
}

func (o *machineCreateOptions) readKey(con *console) (string, error) {
	paths := []string{workspace.Folder(o.folder(con)).KeyFile() + ".pub"}
	if home := con.getenv("HOME"); home != "" {
		paths = append(paths, filepath.Join(home, ".ssh", "id_ed25519.pub"))
	}
	if o.keyFile != "" {
		paths = []string{o.keyFile}
	}
	for _, path := range paths {
		key, err := os.ReadFile(path)
		if err == nil {
			return string(key), nil
		}
		if o.keyFile != "" || !errors.Is(err, fs.ErrNotExist) {
			return "", fmt.Errorf("reading the authorized key: %w", err)
		}
	}
	return "", &Error{
		Cause: fmt.Errorf("no key may log in: there is no %s", paths[0]),
		Hint:  "ssh-keygen -t ed25519\nwcctl machine create " + o.spec.Name + " --authorized-key-file FILE",
	}
}

// awaitBoot tells how long the machine took to answer.
func awaitBoot(
	ctx context.Context, con *console, lab *localmachine.Lab, m localmachine.Machine, wait time.Duration,
) error {
	if wait == 0 {
		return nil
	}
	began := time.Now()
	waiting, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	if err := lab.AwaitSSH(waiting, m); err != nil {
		return &Error{Cause: err, Hint: "wcctl machine logs " + m.Name}
	}
	fmt.Fprintf(con.err, "%s answers after %.1fs\n", m.Name, time.Since(began).Seconds())
	return nil
}

func logTo(w io.Writer) *slog.Logger { return slog.New(slog.NewTextHandler(w, nil)) }
