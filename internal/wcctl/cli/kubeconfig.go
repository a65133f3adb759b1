package cli

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/wastecoach/wastecoach/internal/wcctl/kube"
	"github.com/wastecoach/wastecoach/internal/wcctl/workspace"
)

type kubeconfigOptions struct {
	clusterFlags
	merge      bool
	setCurrent bool
	path       string
	name       string
}

func newKubeconfig(con *console) *cobra.Command {
	var opts kubeconfigOptions
	cmd := &cobra.Command{
		Use:   "kubeconfig",
		Short: "Print the cluster's kubeconfig, or merge it into yours",
		Long: `Print the administrator's kubeconfig of the cluster. It is a secret: who has it may do
everything there.

--merge adds it to the kubeconfig that kubectl reads: the first file of KUBECONFIG, else
~/.kube/config. Everything else in that file stays, a copy of it is kept, and the current
context changes only with --set-current, or where there is none.`,
		Example: `  wcctl kubeconfig --to ~/demo.kubeconfig
  wcctl kubeconfig --merge && kubectl --context demo get nodes`,
		GroupID: groupCluster,
		Args:    cobra.NoArgs,
		RunE:    func(*cobra.Command, []string) error { return runKubeconfig(con, &opts) },
	}
	f := cmd.Flags()
	f.BoolVar(&opts.merge, "merge", false, "add it to your kubeconfig")
	f.BoolVar(&opts.setCurrent, "set-current", false, "with --merge: make it the current context")
	f.StringVar(&opts.path, "to", "", "write to this `FILE` instead; with --merge: merge into it")
	f.StringVar(&opts.name, "context", "", "name of its context (default: the cluster's name)")
	_ = cmd.MarkFlagFilename("to") // the flag is there
	opts.register(cmd)
	return cmd
}

func runKubeconfig(con *console, opts *kubeconfigOptions) error {
	if opts.setCurrent && !opts.merge {
		return usageErrorf("wcctl kubeconfig", "--set-current is for --merge")
	}
	cluster, folder, err := opts.open(con)
	if err != nil {
		return err
	}
	source := folder.Kubeconfig()
	if _, err := os.Stat(source); errors.Is(err, os.ErrNotExist) {
		return noCluster(&opts.clusterFlags, folder)
	}
	name := opts.name
	if name == "" {
		name = cluster.Metadata.Name
	}
	if opts.merge {
		return mergeKubeconfig(con, opts, source, name)
	}
	text, err := kube.Render(source, name)
	if err != nil {
		return err
	}
	if opts.path == "" {
		_, err = con.out.Write(text)
		return err
	}
	if err := workspace.WriteFile(opts.path, text); err != nil {
		return err
	}
	fmt.Fprintf(con.err, "Wrote %s\n  try: export KUBECONFIG=%s\n", opts.path, quote(opts.path))
	return nil
}

func mergeKubeconfig(con *console, opts *kubeconfigOptions, source, name string) error {
	target := opts.path
	if target == "" {
		target = ownKubeconfig(con)
	}
	done, err := kube.Merge(source, target, name, opts.setCurrent)
	if err != nil {
		return err
	}
	if !done.Changed {
		fmt.Fprintf(con.err, "%s holds the context %s already\n", target, name)
		return nil
	}
	fmt.Fprintf(con.err, "Added the context %s to %s\n", name, target)
	if done.Backup != "" {
		fmt.Fprintf(con.err, "  as it was: %s\n", done.Backup)
	}
	if done.Current != name {
		fmt.Fprintf(con.err, "  your current context is still %s\n  try: kubectl --context %s get nodes\n",
			done.Current, name)
	}
	return nil
}

// ownKubeconfig is the file that kubectl writes to.
func ownKubeconfig(con *console) string {
	for _, path := range filepath.SplitList(con.getenv("KUBECONFIG")) {
		if strings.TrimSpace(path) != "" {
			return path
		}
	}
	return filepath.Join(con.getenv("HOME"), ".kube", "config")
}
