package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/wastecoach/wastecoach/internal/wcctl/fleet"
	"github.com/wastecoach/wastecoach/internal/wcctl/phase"
	"github.com/wastecoach/wastecoach/internal/wcctl/remote"
	"github.com/wastecoach/wastecoach/internal/wcctl/spec"
	"github.com/wastecoach/wastecoach/internal/wcctl/workspace"
)

// clusterFlags are what every command about one cluster takes.
type clusterFlags struct {
	file     clusterFile
	stateDir string
}

// register adds -f and --state-dir.
func (f *clusterFlags) register(cmd *cobra.Command) {
	f.file.register(cmd)
	cmd.Flags().StringVar(&f.stateDir, "state-dir", "",
		"folder of the cluster's state\n(default: "+stateDirEnv+", else "+workspace.FolderName+" beside the file)")
	_ = cmd.MarkFlagDirname("state-dir") // the flag is there
}

// folder is the state folder, as an absolute path: children work elsewhere.
func (f *clusterFlags) folder(con *console) (workspace.Folder, error) {
	path := f.stateDir
	if path == "" {
		path = con.getenv(stateDirEnv)
	}
	if path == "" {
		path = string(workspace.Beside(f.file.path(con)))
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return "", fmt.Errorf("finding the state folder: %w", err)
	}
	return workspace.Folder(path), nil
}

// again is the command line that goes on with the same cluster.
func (f *clusterFlags) again(command string) string { return "wcctl " + command + f.suffix() }

// suffix is the flags with which a command finds the same cluster.
func (f *clusterFlags) suffix() string {
	line := ""
	if f.file.flag != "" {
		line += " -f " + quote(f.file.flag)
	}
	if f.stateDir != "" {
		line += " --state-dir " + quote(f.stateDir)
	}
	return line
}

// ownCommand is a command of wcctl's on a cluster, as hints name it.
var ownCommand = regexp.MustCompile(`\bwcctl (up|plan|down|status|upgrade|doctor|kubeconfig|unlock|` +
	`deploy|rollback|history|diff|logs|node [a-z]+|backup [a-z]+)\b`)

// paste makes the commands of a hint, which know no flags, find this cluster.
func (f *clusterFlags) paste(hint string) string {
	suffix := f.suffix()
	if suffix == "" || strings.Contains(hint, suffix) {
		return hint
	}
	return ownCommand.ReplaceAllString(hint, "${0}"+strings.ReplaceAll(suffix, "$", "$$"))
}

// keyFile is the private key that logs in; empty leaves it to OpenSSH's default files and the agent.
func keyFile(c *spec.Cluster, folder workspace.Folder) string {
	if c.Spec.SSH.KeyFile != "" || c.Spec.Target == spec.Hosts {
		return c.Spec.SSH.KeyFile
	}
	return folder.KeyFile()
}

// authorizedKey is the public key that new machines let in. Before a first up it is one that
// nobody keeps: a plan makes no key.
func authorizedKey(c *spec.Cluster, folder workspace.Folder, dry bool) (string, error) {
	path := c.Spec.SSH.KeyFile
	switch {
	case path == "" && dry:
		line, err := folder.AuthorizedKey()
		if line == "" && err == nil {
			line = "ssh-ed25519 AAAA made-by-up"
		}
		return line, err
	case path == "":
		return folder.EnsureKey()
	}
	if public, err := os.ReadFile(path + ".pub"); err == nil {
		return firstLine(string(public)), nil
	}
	private, err := os.ReadFile(path)
	if err != nil {
		return "", &Error{Op: "reading the SSH key", Cause: err, Hint: "ls -l " + path}
	}
	return workspace.PublicLine(private)
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(text), "\n")
	return line
}

// dialer logs in to machines of the cluster.
func dialer(c *spec.Cluster, key, knownHosts string) phase.Dial {
	return func(ctx context.Context, m fleet.Machine, wait time.Duration) (phase.Shell, error) {
		client, err := remote.Dial(ctx, remote.Options{
			Machine: m, KeyFile: key, KnownHosts: knownHosts, Bastion: c.Spec.SSH.Bastion, Wait: wait,
		})
		if err != nil {
			return nil, err
		}
		return client, nil
	}
}

// copyIfAny copies a file that may not be there.
func copyIfAny(from, to string) error {
	data, err := os.ReadFile(from)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("copying %s: %w", from, err)
	}
	return workspace.WriteFile(to, data)
}

// closers end in the reverse order of their beginning.
type closers []io.Closer

// Close implements io.Closer.
func (c *closers) Close() error {
	var err error
	for len(*c) > 0 {
		last := (*c)[len(*c)-1]
		*c = (*c)[:len(*c)-1]
		err = errors.Join(err, last.Close())
	}
	return err
}

type closerFunc func() error

// Close implements io.Closer.
func (f closerFunc) Close() error { return f() }
