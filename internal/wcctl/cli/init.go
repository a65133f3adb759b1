package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/wastecoach/wastecoach/internal/wcctl/spec"
)

// defaultName is the cluster's where nobody gives it another.
const defaultName = "wastecoach"

// initOptions is what `wcctl init` was told.
type initOptions struct {
	file   clusterFile
	target string
	name   string
	force  bool
}

func newInit(con *console) *cobra.Command {
	var opts initOptions
	cmd := &cobra.Command{
		Use:   "init --target " + targetWords("|"),
		Short: "Write a commented wastecoach.yaml",
		Long: `Write a wastecoach.yaml in which every key stands with its meaning, unit and default.

  aws     EC2 instances, which cost money: wcctl cost tells how much
  hosts   machines you have, reached by SSH
  local   machines made on this computer, cut off from every network

A file that is there stays, unless --force is given.`,
		Example: `  wcctl init --target local
  wcctl init --target aws --name seoul --file seoul.yaml`,
		GroupID: groupCluster,
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return runInit(con, &opts) },
	}
	registerTarget(cmd, &opts.target, "where the machines come from: ")
	cmd.Flags().StringVar(&opts.name, "name", defaultName, "the cluster's `NAME`")
	cmd.Flags().StringVarP(&opts.file.flag, "file", "f", "",
		"the `FILE` to write, - for standard output (default: "+fileEnv+", else ./"+spec.FileName+")")
	cmd.Flags().BoolVar(&opts.force, "force", false, "overwrite the file")
	return cmd
}

// registerTarget adds --target; usage ends with the words that it takes.
func registerTarget(cmd *cobra.Command, target *string, usage string) {
	cmd.Flags().StringVar(target, "target", "", usage+"`"+targetWords("|")+"`")
	_ = cmd.RegisterFlagCompletionFunc("target", cobra.FixedCompletions( // the flag is there
		strings.Split(targetWords(" "), " "), cobra.ShellCompDirectiveNoFileComp))
}

func checkTarget(command, target string) error {
	switch {
	case target == "":
		return usageErrorf(command, "--target is missing: one of %s", targetWords(", "))
	case !slices.Contains(spec.Targets(), spec.Target(target)):
		return usageErrorf(command, "--target %q is none of %s", target, targetWords(", "))
	}
	return nil
}

func targetWords(separator string) string {
	words := make([]string, 0, len(spec.Targets()))
	for _, t := range spec.Targets() {
		words = append(words, string(t))
	}
	return strings.Join(words, separator)
}

func runInit(con *console, opts *initOptions) error {
	if err := checkTarget("wcctl init", opts.target); err != nil {
		return err
	}
	if err := spec.CheckName(opts.name); err != nil {
		return usageErrorf("wcctl init", "--name: %v", err)
	}
	content, err := starter(opts.target, opts.name)
	if err != nil {
		return err
	}
	path := opts.file.path(con)
	if path == "-" {
		_, err := con.out.Write(content)
		return err
	}
	if err := writeStarter(path, content, opts.force); err != nil {
		if errors.Is(err, fs.ErrExist) {
			return &Error{
				Cause: fmt.Errorf("%s exists", path),
				Hint:  "wcctl config validate" + fileArgument(path) + "\n" + initAgain(opts, path),
			}
		}
		return &Error{Op: "writing " + path, Cause: err}
	}
	fmt.Fprintf(con.out, "Wrote %s\n%s", path, nextCommands(spec.Target(opts.target), path))
	return nil
}

// starter is the commented file for a target.
func starter(target, name string) ([]byte, error) {
	known, err := releases()
	if err != nil {
		return nil, err
	}
	return spec.Starter(spec.Target(target), name, known)
}

// writeStarter makes the file, or replaces it where force is given.
func writeStarter(path string, content []byte, force bool) error {
	how := os.O_WRONLY | os.O_CREATE | os.O_EXCL
	if force {
		how = os.O_WRONLY | os.O_CREATE | os.O_TRUNC
	}
	f, err := os.OpenFile(path, how, 0o644) //nolint:gosec // it holds no secret and is to be shared
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	return errors.Join(err, f.Close())
}

func initAgain(opts *initOptions, path string) string {
	line := "wcctl init --target " + opts.target
	if opts.name != defaultName {
		line += " --name " + opts.name
	}
	if path != spec.FileName {
		line += " --file " + path
	}
	return line + " --force"
}

// fileArgument is what `wcctl config …` needs to find a file that is not where it looks.
func fileArgument(path string) string {
	if path == spec.FileName {
		return ""
	}
	return " " + path
}

func nextCommands(target spec.Target, path string) string {
	file := ""
	if path != spec.FileName {
		file = " -f " + path
	}
	switch target {
	case spec.AWS:
		return "Next: put your own address into apiAllowedCIDRs, then\n" +
			"  wcctl config validate" + fileArgument(path) + "\n  wcctl cost" + file + "\n  wcctl up" + file + "\n"
	case spec.Hosts:
		return "Next: put your machines' addresses into it, then\n" +
			"  wcctl config validate" + fileArgument(path) + "\n  wcctl up" + file + "\n"
	default:
		return "Next:\n  wcctl up" + file + "\n"
	}
}
