package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/wastecoach/wastecoach/internal/wcctl/backup"
	"github.com/wastecoach/wastecoach/internal/wcctl/kube"
	"github.com/wastecoach/wastecoach/internal/wcctl/workspace"
)

type backupCreateOptions struct {
	clusterFlags
	path   string
	keep   int
	format outputFormat
}

func newBackupCreate(con *console) *cobra.Command {
	var opts backupCreateOptions
	cmd := &cobra.Command{
		Use:   "create",
		Short: "Take a backup of the control plane",
		Long: `Take a backup of the control plane: a snapshot of etcd, which its own tools verify, with
/etc/kubernetes and the encryption key, in one file on this computer that its owner alone
may read. Beside it is its SHA-256 for sha256sum --check. The cluster works on meanwhile.

It needs a login to the control plane and etcd; the API server may be down. If it answers, it
learns of the backup, and wcctl status and wcctl top tell everybody its age.

With -o json the file's manifest is printed, as by wcctl backup list. PostgreSQL has its own command.`,
		Example: `  wcctl backup create
  wcctl backup create --keep 14
  wcctl backup create --to /mnt/safe/demo.tar.gz`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runBackupCreate(cmd.Context(), con, &opts)
		},
	}
	f := cmd.Flags()
	f.StringVar(&opts.path, "to", "", "write this `FILE` (default: one in the state folder, named by the time)")
	f.IntVar(&opts.keep, "keep", 0, "then remove all but that many of the state folder's backups, 0 removes none")
	opts.format.register(cmd)
	opts.clusterFlags.register(cmd)
	return cmd
}

func runBackupCreate(ctx context.Context, con *console, opts *backupCreateOptions) error {
	switch {
	case opts.keep < 0:
		return usageErrorf("wcctl backup create", "--keep %d is less than 0", opts.keep)
	case opts.keep > 0 && opts.path != "":
		return usageErrorf("wcctl backup create", "--keep is for the state folder's backups, not for --to")
	}
	v, err := openView(ctx, con, &opts.clusterFlags)
	if err != nil {
		return err
	}
	defer v.Close()
	if v.fleetErr != nil {
		return &Error{Op: "finding the control plane", Cause: v.fleetErr, Hint: opts.again("up")}
	}
	h, ctx, err := hold(ctx, con, v.folder, "backup")
	if err != nil {
		return clusterError(ctx, &opts.clusterFlags, "backup create", "", err)
	}
	err = errors.Join(createBackup(ctx, con, opts, v, h), h.release())
	return clusterError(ctx, &opts.clusterFlags, "backup create", h.log.Path(), err)
}

// createBackup takes one with the lock held, and notes it in the journal.
func createBackup(ctx context.Context, con *console, opts *backupCreateOptions, v *view, h *held) error {
	start := time.Now()
	note := func(state workspace.State, err error) error {
		e := workspace.Entry{
			Phase: workspace.WholeRun, Host: v.fleet.ControlPlane().Name, State: state,
			Seconds: time.Since(start).Seconds(),
		}
		if err != nil {
			e.Text = err.Error()
		}
		return h.journal.Note(e)
	}
	if err := note(workspace.Started, nil); err != nil {
		return err
	}
	taken, err := takeBackup(ctx, con, opts, v, start)
	if err != nil {
		return errors.Join(err, note(workspace.Failed, err))
	}
	if err := note(workspace.Done, nil); err != nil {
		return err
	}
	tellCluster(ctx, con, v.kube, taken)
	var removed []string
	if opts.keep > 0 {
		if removed, err = backupsOf(v.folder).Prune(v.spec.Metadata.Name, opts.keep); err != nil {
			return err
		}
	}
	if opts.format == outputJSON {
		return writeJSON(con.out, taken)
	}
	fmt.Fprintf(con.out, "%s: %s, etcd's revision %d with %s, %s\n", taken.File, backupSize(taken.Bytes),
		taken.Etcd.Revision, counted(int(taken.Etcd.Keys), "key"), roundly(time.Since(start)))
	for _, path := range removed {
		fmt.Fprintf(con.out, "removed %s\n", path)
	}
	return nil
}

func takeBackup(
	ctx context.Context, con *console, opts *backupCreateOptions, v *view, at time.Time,
) (backup.Backup, error) {
	path, err := opts.target(v.folder, at)
	if err != nil {
		return backup.Backup{}, err
	}
	control := v.fleet.ControlPlane()
	fmt.Fprintf(con.err, "Taking a backup of %s\n", control.Name)
	shell, err := v.dial(ctx, control, 0)
	if err != nil {
		return backup.Backup{}, err
	}
	defer shell.Close()
	login, ok := shell.(backup.Shell)
	if !ok {
		return backup.Backup{}, fmt.Errorf("the login to %s cannot stream", control.Name)
	}
	taken, err := backup.Create(ctx, login, backup.Options{
		Cluster: v.spec.Metadata.Name, Machine: control.Name, Release: v.spec.Spec.Kubernetes.Version,
		Path: path, At: at,
		Progress: backup.Quarters(func(text string) { fmt.Fprintf(con.err, "  got %s\n", text) }),
	})
	if errors.Is(err, fs.ErrExist) {
		return taken, &Error{Cause: err, Hint: opts.again("backup create"), ExitCode: exitUsage}
	}
	return taken, err
}

// target is the file to write, as an absolute path.
func (o *backupCreateOptions) target(folder workspace.Folder, at time.Time) (string, error) {
	if o.path == "" {
		return backupsOf(folder).PathFor(at)
	}
	path, err := filepath.Abs(o.path)
	if err != nil {
		return "", fmt.Errorf("finding %s: %w", o.path, err)
	}
	return path, nil
}

// tellCluster lets everybody see how old the newest backup is; a cluster that is down learns it next
// time.
func tellCluster(ctx context.Context, con *console, k *kube.Cluster, b backup.Backup) {
	err := errors.New("there is no kubeconfig")
	if k != nil {
		computer, _ := os.Hostname() // a nicety
		err = k.RecordBackup(ctx, kube.Backup{
			At: b.At, File: b.File, Computer: computer, Bytes: b.Bytes, Revision: b.Etcd.Revision,
		})
	}
	if err != nil {
		fmt.Fprintf(con.err,
			"wcctl: the cluster was not told of the backup, so wcctl status shows an older one: %v\n", err)
	}
}
