package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/spf13/cobra"

	"github.com/wastecoach/wastecoach/internal/wcctl/bundle"
	"github.com/wastecoach/wastecoach/internal/wcctl/event"
	"github.com/wastecoach/wastecoach/internal/wcctl/proc"
	"github.com/wastecoach/wastecoach/internal/wcctl/release"
)

const (
	bundleCreatePath = "wcctl bundle create"
	// bundleCacheVar names the folder that keeps what was built.
	bundleCacheVar     = "WCCTL_CACHE_DIR"
	bundleCacheDefault = "/var/cache/wastecoach"
	// bundleParallel is for small machines: building Kubernetes alone takes 2.6 GB.
	bundleParallel = 2
)

type bundleCreate struct {
	kubernetes, dir, cache, arch, source string

	files      []string
	withTests  bool
	withSystem bool
	refresh    bool
	parallel   int
	output     outputFormat
}

func newBundleCreate(con *console) *cobra.Command {
	var o bundleCreate
	cmd := &cobra.Command{
		Use:   "create [DIR]",
		Short: "Build all that an install needs",
		Long: `create builds programs from Go modules, makes images of them and downloads Debian packages. It needs
go, apt-get and dpkg-deb, a checkout of Waste Coach and, for what is not cached yet, a network.
DIR is by default below the cache. Interrupt it at any time: the next run goes on where it was.
The same inputs make the same bytes.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				o.dir = args[0]
			}
			return runBundleCreate(cmd.Context(), con, o)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&o.kubernetes, "kubernetes-version", "", "a release from versions.yaml; its default if empty")
	flags.StringVar(&o.cache, "cache", "",
		"keeps what was built; "+bundleCacheVar+" or "+bundleCacheDefault+" if empty")
	flags.StringVar(&o.arch, "arch", runtime.GOARCH, "the machines' architecture: amd64 or arm64")
	flags.StringVar(&o.source, "source", "", "the modules to build; infra/bundle of this checkout if empty")
	flags.StringArrayVar(&o.files, "add-file", nil, "NAME=PATH: one more file that machines can download")
	flags.BoolVar(&o.withTests, "with-tests", false, "add what the cluster's end-to-end tests need")
	flags.BoolVar(&o.withSystem, "with-system", false,
		"add what the product needs beside its own images: databases, ingress, autoscaling")
	flags.BoolVar(&o.refresh, "refresh-packages", false, "download the Debian packages again")
	flags.IntVar(&o.parallel, "parallel", bundleParallel, "how many parts are made at once")
	o.output.register(cmd)
	return cmd
}

func runBundleCreate(ctx context.Context, con *console, o bundleCreate) error {
	options, err := o.options(con)
	if err != nil {
		return err
	}
	options.Sink = event.SinkFunc(func(e event.Event) { printBundleEvent(con, e) })
	b, err := bundle.Create(ctx, options)
	if err != nil {
		return bundleError(err)
	}
	return printBundle(con, b, o.output)
}

// options resolves what the flags leave open.
func (o bundleCreate) options(con *console) (bundle.Options, error) {
	catalog, err := release.Load()
	if err != nil {
		return bundle.Options{}, err
	}
	if o.arch != "amd64" && o.arch != "arm64" {
		return bundle.Options{}, usageErrorf(bundleCreatePath, "%q is neither amd64 nor arm64", o.arch)
	}
	if o.kubernetes == "" {
		o.kubernetes = catalog.Kubernetes.Default
	}
	recipe, err := catalog.Recipe(o.kubernetes, o.arch)
	if err != nil {
		return bundle.Options{}, usageError(bundleCreatePath, err)
	}
	recipe = recipe.With(o.groups()...)
	extra, err := extraFiles(o.files)
	if err != nil {
		return bundle.Options{}, err
	}
	if o.cache == "" {
		o.cache = con.getenv(bundleCacheVar)
	}
	if o.cache == "" {
		o.cache = bundleCacheDefault
	}
	if o.dir == "" {
		o.dir = filepath.Join(o.cache, "bundle-"+recipe.Kubernetes)
		if o.arch != runtime.GOARCH {
			o.dir += "-" + o.arch
		}
	}
	if o.source == "" {
		if o.source, err = findBundleSource(); err != nil {
			return bundle.Options{}, err
		}
	}
	return bundle.Options{
		Recipe: recipe, Source: o.source, Output: o.dir, Cache: filepath.Join(o.cache, "build"),
		Extra: extra, Refresh: o.refresh, Parallel: o.parallel,
	}, nil
}

func (o bundleCreate) groups() (groups []bundle.Group) {
	if o.withTests {
		groups = append(groups, bundle.Tests)
	}
	if o.withSystem {
		groups = append(groups, bundle.System)
	}
	return groups
}

func extraFiles(args []string) (map[string]string, error) {
	extra := map[string]string{}
	for _, arg := range args {
		name, path, ok := strings.Cut(arg, "=")
		if !ok || name == "" || path == "" {
			return nil, usageErrorf(bundleCreatePath, "--add-file %q is not NAME=PATH", arg)
		}
		extra[name] = path
	}
	return extra, nil
}

// findBundleSource looks for infra/bundle here and in the folders above.
func findBundleSource() (string, error) {
	marker := filepath.Join("infra", "bundle")
	dir, err := findCheckout(marker, bundleCreatePath+" --source path/to/infra/bundle")
	return filepath.Join(dir, marker), err
}

// findCheckout looks for the folder that has marker, here and above; hint is for where there is none.
func findCheckout(marker, hint string) (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("looking for the checkout: %w", err)
	}
	for at := dir; ; at = filepath.Dir(at) {
		if info, err := os.Stat(filepath.Join(at, marker)); err == nil && info.IsDir() {
			return at, nil
		}
		if at == filepath.Dir(at) {
			return "", &Error{
				Cause: fmt.Errorf("%s is in no checkout of Waste Coach, which has %s", dir, filepath.ToSlash(marker)),
				Hint:  hint,
			}
		}
	}
}

func printBundleEvent(con *console, e event.Event) {
	switch {
	case e.Kind == event.TaskStarted:
		fmt.Fprintf(con.err, "%s …\n", e.Task)
	case e.Kind == event.TaskFinished && e.Changed:
		fmt.Fprintf(con.err, "[%d/%d] %s: done in %.1fs\n", e.Done, e.Total, e.Task, e.Seconds)
	case e.Kind == event.TaskFinished:
		fmt.Fprintf(con.err, "[%d/%d] %s: cached\n", e.Done, e.Total, e.Task)
	case e.Kind == event.Note || e.Kind == event.Warning:
		fmt.Fprintln(con.err, e.Text)
	}
}

// bundleError adds what a user can do.
func bundleError(err error) error {
	var command *proc.Error
	if errors.As(err, &command) {
		if program, missing := command.Missing(); missing {
			return &Error{Cause: err, Hint: toolSources[program]}
		}
	}
	if errors.Is(err, bundle.ErrOccupied) {
		return &Error{Cause: err, Hint: bundleCreatePath + " another/folder"}
	}
	return err
}

// toolSources says where the programs come from that create and build run.
var toolSources = map[string]string{
	"go":       "install Go 1.26 or newer: https://go.dev/dl",
	"apt-get":  "run it on Debian or Ubuntu, e.g. in a container",
	"dpkg-deb": "apt-get install dpkg",
	"git":      "apt-get install git",
}
