package cli

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/spf13/cobra"

	"github.com/wastecoach/wastecoach/internal/wcctl/release"
	"github.com/wastecoach/wastecoach/internal/wcctl/spec"
)

const fileEnv = "WCCTL_FILE"

// clusterFile is the flag -f of every command that needs wastecoach.yaml.
type clusterFile struct{ flag string }

// register adds -f/--file.
func (f *clusterFile) register(cmd *cobra.Command) {
	cmd.Flags().StringVarP(&f.flag, "file", "f", "",
		"the cluster's `FILE`, - for standard input (default: "+fileEnv+", else ./"+spec.FileName+")")
	_ = cmd.MarkFlagFilename("file", "yaml", "yml") // the flag is there
}

// path is the flag's value, the environment's or the default; "-" is standard input.
func (f *clusterFile) path(con *console) string {
	if f.flag != "" {
		return f.flag
	}
	if path := con.getenv(fileEnv); path != "" {
		return path
	}
	return spec.FileName
}

// load reads the file, fills in the defaults and refuses it with all of its faults. Warnings go to
// standard error.
func (f *clusterFile) load(con *console) (*spec.Cluster, error) {
	cluster, faults, err := f.read(con)
	if err != nil {
		return nil, f.explain(con, err)
	}
	for _, w := range faults {
		fmt.Fprintf(con.err, "%s: %s\n", spec.Position(f.path(con), w.Line), w)
	}
	return cluster, nil
}

// check returns all faults and warnings of the file; an error means that it could not be read.
func (f *clusterFile) check(con *console) ([]spec.Fault, error) {
	_, faults, err := f.read(con)
	var found *spec.FaultsError
	if err != nil && !errors.As(err, &found) {
		return nil, f.explain(con, err)
	}
	return append([]spec.Fault{}, faults...), nil // never null in JSON
}

func (f *clusterFile) read(con *console) (*spec.Cluster, []spec.Fault, error) {
	known, err := releases()
	if err != nil {
		return nil, nil, err
	}
	return spec.Load(f.path(con), con.in, known)
}

// explain gives an error of spec.Load its hint.
func (f *clusterFile) explain(con *console, err error) error {
	path := f.path(con)
	var faults *spec.FaultsError
	switch {
	case errors.Is(err, fs.ErrNotExist):
		hint := "wcctl init --target " + string(spec.Local)
		if path != spec.FileName {
			hint += " --file " + path
		}
		return &Error{Cause: fmt.Errorf("there is no %s", path), Hint: hint}
	case errors.As(err, &faults) && path == "-":
		return &Error{Cause: err}
	case errors.As(err, &faults):
		return &Error{Cause: err, Hint: "wcctl config validate " + path}
	}
	return &Error{Cause: err}
}

// releases are the Kubernetes releases that a file may name.
func releases() (spec.Releases, error) {
	catalog, err := release.Load()
	if err != nil {
		return spec.Releases{}, err
	}
	return spec.Releases{Default: catalog.Kubernetes.Default, Supported: catalog.Versions()}, nil
}
