package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/spf13/cobra"

	"github.com/wastecoach/wastecoach/internal/migrate"
	"github.com/wastecoach/wastecoach/internal/wcctl/bundle"
	"github.com/wastecoach/wastecoach/internal/wcctl/deploy"
	"github.com/wastecoach/wastecoach/internal/wcctl/event"
	"github.com/wastecoach/wastecoach/internal/wcctl/image"
	"github.com/wastecoach/wastecoach/internal/wcctl/proc"
)

const buildPath = "wcctl build"

// buildOptions is what `wcctl build` was told.
type buildOptions struct {
	all               bool
	tag, base, source string
	platforms         []string
	push, oci, bundle string
	sboms             string
	output            outputFormat
}

func newBuild(con *console) *cobra.Command {
	var o buildOptions
	cmd := &cobra.Command{
		Use:   "build [SERVICE...]",
		Short: "Make the services' container images, without a container engine",
		Long: `Make container images of services out of this checkout: a static program, certificates and time
zones, a user without rights, nothing else. They go to a registry, into a folder in OCI layout, or into
an offline bundle, which stays valid at every moment.

The same commit makes the same bytes. The tag is the commit, with -dirty where files differ from it;
the program tells it by its command version, the image by its labels. An SBOM (SPDX) is in the image
below /usr/share/sbom.

Registries are logged in to as Docker's configuration says.`,
		Example: `  wcctl build waste --push registry.example.com/wastecoach
  wcctl build --all --bundle /var/cache/wastecoach/bundle-1.36.3
  wcctl build auth users --platform linux/amd64,linux/arm64 --oci images --sbom sboms`,
		GroupID: groupCluster,
		RunE: func(cmd *cobra.Command, args []string) error {
			return runBuild(cmd.Context(), con, o, args)
		},
		ValidArgs: migrate.Schemas(),
	}
	f := cmd.Flags()
	f.BoolVar(&o.all, "all", false, "all services")
	f.StringVar(&o.tag, "tag", "", "the images' tag (default: the commit)")
	f.StringVar(&o.push, "push", "", "push to this `REGISTRY/PREFIX`")
	f.StringVar(&o.oci, "oci", "", "write to this `DIR` in OCI layout")
	f.StringVar(&o.bundle, "bundle", "", "add to the bundle in this `DIR`, for its architecture")
	f.StringSliceVar(&o.platforms, "platform", nil,
		"linux/amd64, linux/arm64 or both\n(default: this computer's; with --bundle: the bundle's)")
	f.StringVar(&o.base, "base", "", "stand on this `IMAGE` (default: one of certificates and users alone)")
	f.StringVar(&o.sboms, "sbom", "", "write the SBOMs to this `DIR`, too")
	f.StringVar(&o.source, "source", "", "the checkout (default: the one that you are in)")
	cmd.MarkFlagsMutuallyExclusive("push", "oci", "bundle")
	cmd.MarkFlagsOneRequired("push", "oci", "bundle")
	cmd.MarkFlagsMutuallyExclusive("platform", "bundle")
	for _, name := range []string{"oci", "bundle", "sbom", "source"} {
		_ = cmd.MarkFlagDirname(name) // the flags are there
	}
	o.output.register(cmd)
	return cmd
}

// built is what is printed about an image.
type built struct {
	Service   string   `json:"service"`
	Ref       string   `json:"ref"`
	Digest    string   `json:"digest"`
	Platforms []string `json:"platforms"`
	Bytes     int64    `json:"bytes"`
	Seconds   float64  `json:"seconds"`
}

// buildDocument is the JSON form.
type buildDocument struct {
	Images []built `json:"images"`
	// Changed is absent where nobody can tell.
	Changed *bool `json:"changed,omitempty"`
}

func runBuild(ctx context.Context, con *console, o buildOptions, args []string) error {
	services, err := o.programs(args)
	if err != nil {
		return err
	}
	options, err := o.options(ctx, services)
	if err != nil {
		return bundleError(err)
	}
	options.Sink = event.SinkFunc(func(e event.Event) { printBundleEvent(con, e) })
	images, err := image.Build(ctx, options)
	if err != nil {
		return bundleError(err)
	}
	document, err := o.deliver(ctx, images, options.Version.Tag)
	if err != nil {
		return err
	}
	if o.output == outputJSON {
		return writeJSON(con.out, document)
	}
	return showBuilt(con, o, document)
}

// besides are no services, but built with them: who tells Prometheus of the cluster, and the lab's logins.
var besides = []string{"observer", "idp"}

// programs are the chosen services, then what was named beside them.
func (o *buildOptions) programs(args []string) ([]string, error) {
	var beside []string
	services := slices.DeleteFunc(slices.Clone(args), func(a string) bool {
		found := slices.Contains(besides, a)
		if found {
			beside = append(beside, a)
		}
		return found
	})
	if len(beside) > 0 && len(services) == 0 && !o.all {
		return beside, nil
	}
	services, err := chosenServices(buildPath, services, o.all)
	return append(services, beside...), err
}

// chosenServices are those of the arguments, or all, in the order in which they are deployed.
func chosenServices(path string, args []string, all bool) ([]string, error) {
	known := deploy.Services()
	for _, name := range args {
		if !slices.Contains(known, name) {
			return nil, usageErrorf(path, "%q is none of the services %s", name, strings.Join(known, ", "))
		}
	}
	switch {
	case all && len(args) > 0:
		return nil, usageErrorf(path, "--all needs no names")
	case all:
		return known, nil
	case len(args) == 0:
		return nil, usageErrorf(path, "name services (%s), or say --all", strings.Join(known, ", "))
	}
	return slices.DeleteFunc(known, func(s string) bool { return !slices.Contains(args, s) }), nil
}

// validTag is what the distribution specification allows.
var validTag = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$`)

// options resolves what the flags leave open.
func (o buildOptions) options(ctx context.Context, services []string) (image.Options, error) {
	if o.source == "" {
		found, err := findCheckout(filepath.Join("internal", "daemon"), buildPath+" --source path/to/checkout")
		if err != nil {
			return image.Options{}, err
		}
		o.source = found
	}
	platforms, err := o.wantedPlatforms()
	if err != nil {
		return image.Options{}, err
	}
	version, err := image.ReadVersion(ctx, o.source)
	var failed *proc.Error
	switch {
	case err == nil:
	case !errors.As(err, &failed):
		return image.Options{}, err
	case o.tag == "":
		return image.Options{}, &Error{
			Op: "naming the images after the commit", Cause: err, Hint: buildPath + " --tag 1.0.0",
		}
	default:
		version.Time = time.Unix(0, 0).UTC() // no repository, no commit
	}
	if o.tag != "" {
		version.Tag = o.tag
	}
	if !validTag.MatchString(version.Tag) {
		return image.Options{}, usageErrorf(buildPath, "%q cannot be a tag", version.Tag)
	}
	for _, program := range besides {
		info, err := os.Stat(filepath.Join(o.source, "cmd", program))
		if o.all && err == nil && info.IsDir() && !slices.Contains(services, program) {
			services = append(services, program)
		}
	}
	return image.Options{
		Source: o.source, Services: services, Version: version, Platforms: platforms, Base: o.base,
	}, nil
}

func (o buildOptions) wantedPlatforms() ([]v1.Platform, error) {
	names := o.platforms
	if o.bundle != "" {
		b, err := openBundle(o.bundle)
		if err != nil {
			return nil, err
		}
		names = []string{"linux/" + b.Lock().Architecture}
	}
	if len(names) == 0 {
		names = []string{"linux/" + runtime.GOARCH}
	}
	slices.Sort(names)
	var platforms []v1.Platform
	for _, name := range slices.Compact(names) {
		p, err := image.ParsePlatform(name)
		if err != nil {
			return nil, usageError(buildPath, err)
		}
		platforms = append(platforms, p)
	}
	return platforms, nil
}

// deliver brings the images to where they are wanted.
func (o buildOptions) deliver(ctx context.Context, images []image.Image, tag string) (buildDocument, error) {
	prefix := image.Registry
	if o.push != "" {
		prefix = strings.TrimSuffix(o.push, "/")
	}
	document := buildDocument{Images: []built{}}
	var added []bundle.NewImage
	for _, i := range images {
		ref := image.Ref(prefix, i.Service, tag)
		var err error
		switch {
		case o.push != "":
			err = i.Push(ctx, ref)
		case o.oci != "":
			err = i.Save(o.oci, ref)
		default:
			added = append(added, bundle.NewImage{
				Ref: ref, Component: i.Service, Version: tag, Image: i.Parts[0].Image,
			})
		}
		if err == nil && o.sboms != "" {
			err = i.SaveSBOMs(o.sboms)
		}
		if err != nil {
			return document, err
		}
		b, err := describe(i, ref)
		if err != nil {
			return document, err
		}
		document.Images = append(document.Images, b)
	}
	if o.bundle == "" {
		return document, nil
	}
	changed, err := bundle.Add(ctx, o.bundle, added)
	document.Changed = &changed
	return document, err
}

func describe(i image.Image, ref string) (built, error) {
	digest, err := i.Digest()
	if err != nil {
		return built{}, fmt.Errorf("measuring %s: %w", ref, err)
	}
	size, err := i.Size()
	b := built{Service: i.Service, Ref: ref, Digest: digest.String(), Bytes: size, Seconds: i.Took.Seconds()}
	for _, p := range i.Parts {
		b.Platforms = append(b.Platforms, p.Platform.String())
	}
	return b, err
}

func showBuilt(con *console, o buildOptions, document buildDocument) error {
	w := tabwriter.NewWriter(con.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "IMAGE\tSIZE\tTIME\tDIGEST")
	for _, b := range document.Images {
		took := time.Duration(b.Seconds * float64(time.Second))
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", b.Ref, byteSize(b.Bytes), roundly(took), b.Digest)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if document.Changed != nil && !*document.Changed {
		fmt.Fprintf(con.out, "%s held them already\n", o.bundle)
	}
	return nil
}
