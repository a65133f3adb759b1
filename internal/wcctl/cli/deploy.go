package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/wastecoach/wastecoach/internal/wcctl/deploy"
	"github.com/wastecoach/wastecoach/internal/wcctl/event"
	"github.com/wastecoach/wastecoach/internal/wcctl/gitops"
	"github.com/wastecoach/wastecoach/internal/wcctl/helm"
	"github.com/wastecoach/wastecoach/internal/wcctl/image"
	"github.com/wastecoach/wastecoach/internal/wcctl/runview"
	"github.com/wastecoach/wastecoach/internal/wcctl/spec"
)

const (
	deployPath    = "wcctl deploy"
	providersHint = "kubectl -n auth create secret generic auth --from-file=AUTH_PROVIDERS=providers.json"
	// databaseHint has the address in a file, where no process list shows it.
	databaseHint = "kubectl create namespace data\nkubectl -n data create secret generic postgres --from-file=dsn=FILE"
	// deployTimeout is for a migration and for a slow start on a loaded node.
	deployTimeout = 10 * time.Minute
	// deployDrain is longer than it takes until no proxy sends the old color anything.
	deployDrain = 15 * time.Second
)

// wantedRelease is what commands take that say what shall be deployed.
type wantedRelease struct {
	all            bool
	tag, image     string
	strategy       string
	assignments    []string
	valuesFiles    []string
	charts         string
	timeout, drain time.Duration
}

func (w *wantedRelease) register(cmd *cobra.Command) {
	f := cmd.Flags()
	f.BoolVar(&w.all, "all", false, "all services, and what they stand on")
	f.StringVar(&w.tag, "tag", "", "the images' tag (default: the commit, as wcctl build names them)")
	f.StringVar(&w.image, "image", "", "the one service's image, as `REF@DIGEST` or REF:TAG")
	f.StringVar(&w.strategy, "strategy", "", "rolling or blue-green (default: the file's, else rolling)")
	f.StringArrayVar(&w.assignments, "set", nil, "a value of the chart, as in api.replicas=3")
	f.StringArrayVar(&w.valuesFiles, "values", nil, "a `FILE` of values of the chart")
	f.StringVar(&w.charts, "charts", "", "take the charts from this `DIR` (default: those in this wcctl)")
	cmd.MarkFlagsMutuallyExclusive("tag", "image")
	_ = cmd.MarkFlagDirname("charts") // the flags are there
	_ = cmd.MarkFlagFilename("values", "yaml", "yml")
	_ = cmd.RegisterFlagCompletionFunc("strategy", cobra.FixedCompletions(
		[]string{string(spec.Rolling), string(spec.BlueGreen)}, cobra.ShellCompDirectiveNoFileComp))
}

// request resolves what the flags leave open.
func (w *wantedRelease) request(ctx context.Context, path string, args []string) (deploy.Request, error) {
	services, err := chosenServices(path, args, w.all)
	if err != nil {
		return deploy.Request{}, err
	}
	r := deploy.Request{Services: services, Platform: w.all, Strategy: spec.Strategy(w.strategy)}
	if s := r.Strategy; s != "" && s != spec.Rolling && s != spec.BlueGreen {
		return r, usageErrorf(path, "%q is neither rolling nor blue-green", s)
	}
	if r.Values, err = w.values(path); err != nil {
		return r, err
	}
	switch {
	case w.image != "" && len(services) != 1:
		return r, usageErrorf(path, "--image is of one service")
	case w.image != "":
		r.Image, err = deploy.ParseImage(w.image)
		if err != nil {
			return r, usageError(path, err)
		}
	case w.tag != "":
		r.Image.Tag = w.tag
	default:
		r.Image.Tag, err = commitTag(ctx, path, args)
	}
	return r, err
}

// command is the wcctl deploy that brings what r asks for.
func (w *wantedRelease) command(r deploy.Request) string {
	words := append([]string{"deploy"}, r.Services...)
	if w.all {
		words = []string{"deploy", "--all"}
	}
	if w.image != "" {
		words = append(words, "--image", quote(w.image))
	} else {
		words = append(words, "--tag", quote(r.Image.Tag))
	}
	if w.strategy != "" {
		words = append(words, "--strategy", w.strategy)
	}
	return strings.Join(words, " ")
}

// commitTag is what wcctl build calls the images of this checkout.
func commitTag(ctx context.Context, path string, args []string) (string, error) {
	again := strings.Join(append([]string{path}, args...), " ") + " --tag TAG"
	dir, err := findCheckout(filepath.Join("internal", "daemon"), again)
	if err != nil {
		return "", err
	}
	version, err := image.ReadVersion(ctx, dir)
	if err != nil {
		return "", &Error{Op: "naming the version after the commit", Cause: err, Hint: again}
	}
	return version.Tag, nil
}

func (w *wantedRelease) values(path string) (map[string]any, error) {
	values := map[string]any{}
	for _, name := range w.valuesFiles {
		data, err := os.ReadFile(name)
		if err != nil {
			return nil, &Error{Op: "reading values", Cause: err, Hint: "ls -l " + quote(name)}
		}
		more, err := helm.ParseValues(data, name)
		if err != nil {
			return nil, usageError(path, err)
		}
		values = helm.Merge(values, more)
	}
	for _, assignment := range w.assignments {
		if err := helm.Set(values, assignment); err != nil {
			return nil, usageErrorf(path, "--set %s: %v", assignment, err)
		}
	}
	return values, nil
}

// deployOptions is what `wcctl deploy` was told.
type deployOptions struct {
	clusterFlags
	wantedRelease
	dryRun bool
	bundle string
	output outputFormat
}

func newDeploy(con *console) *cobra.Command {
	var opts deployOptions
	cmd := &cobra.Command{
		Use:   "deploy [SERVICE...]",
		Short: "Bring services to the cluster, or back by itself where one does not become ready",
		Long: `Bring services to the cluster in the versions that you name. Namespaces and secrets that are missing
are made; a secret that is there is left alone. Then, one service after the other: its migration
runs, its pods are replaced, and the command waits until all of them are ready. Nothing is done
where nothing has changed.

A version that does not become ready is rolled back: the error names the pod, its reason, its last
events and log lines, and where all of that is kept. Requests are answered by the old pods
meanwhile.

With strategy blue-green the new version comes up beside the old one, the Service turns to it at
once, and the old one goes after --drain. Workers are always replaced one by one.

--all brings what the services stand on first: volumes, PostgreSQL, Redis and S3, the way in,
autoscaling, monitoring.

With delivery gitops (docs/cluster/gitops.md) the version is written to Git as a commit, and the command
waits until Argo CD has brought it to the cluster; one that does not become ready is taken back by
another commit.

One command at a time works on a cluster; another one is told who holds the lock. After Ctrl-C the
same command goes on; wcctl rollback goes back.`,
		Example: `  wcctl deploy waste                       # the commit that you are at
  wcctl deploy --all --tag 1a2b3c4d5e6f
  wcctl deploy waste users --tag 1a2b3c4d5e6f --strategy blue-green
  wcctl deploy waste --tag 1a2b3c4d5e6f --set worker.replicas=8 --dry-run`,
		GroupID:   groupCluster,
		ValidArgs: deploy.Services(),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runDeploy(cmd.Context(), con, &opts, args)
		},
	}
	f := cmd.Flags()
	opts.wantedRelease.register(cmd)
	f.BoolVar(&opts.dryRun, "dry-run", false, "only show what would change")
	f.StringVar(&opts.bundle, "bundle", "", "bring images to the nodes from this bundle; "+noBundle+
		": they pull them themselves\n(default: as the last up did)")
	f.DurationVar(&opts.timeout, "timeout", deployTimeout, "bounds each wait for pods")
	f.DurationVar(&opts.drain, "drain", deployDrain, "what the old color gets for its last requests")
	_ = cmd.MarkFlagDirname("bundle") // the flag is there
	opts.output.register(cmd)
	opts.clusterFlags.register(cmd)
	return cmd
}

func runDeploy(ctx context.Context, con *console, opts *deployOptions, args []string) error {
	request, err := opts.request(ctx, deployPath, args)
	if err != nil {
		return err
	}
	if opts.dryRun {
		return runDiff(ctx, con, &diffOptions{
			clusterFlags: opts.clusterFlags, wantedRelease: opts.wantedRelease, output: opts.output,
			exitDone: true, path: deployPath,
		}, args)
	}
	cluster, folder, err := opts.open(con)
	if err != nil {
		return err
	}
	if !folder.Exists() {
		return noCluster(&opts.clusterFlags, folder)
	}
	if cluster.Spec.Domain == "" {
		return &Error{
			Cause: errNoDomain,
			Hint:  "wcctl config validate" + fileArgument(opts.file.path(con)), ExitCode: exitUsage,
		}
	}
	if err := opts.valuesInGit(cluster, deployPath); err != nil {
		return err
	}
	command := opts.command(request)
	h, ctx, err := hold(ctx, con, folder, "deploy")
	if err != nil {
		return clusterError(ctx, &opts.clusterFlags, command, "", err)
	}
	err = opts.deploy(ctx, con, h, request)
	return deployError(ctx, &opts.clusterFlags, command, h.log.Path(), errors.Join(err, h.release()))
}

// deploy does it, with the lock held.
func (o *deployOptions) deploy(ctx context.Context, con *console, h *held, request deploy.Request) error {
	v, d, err := openDeployer(ctx, con, &o.clusterFlags, &o.wantedRelease, h.log)
	if err != nil {
		return err
	}
	defer v.Close()
	d.Evidence = h.evidence
	s, err := puller(con, v, o, h, d)
	if err != nil {
		return err
	}
	if s != nil {
		defer s.Close()
	}
	return observe(ctx, con, observed{
		format: o.output, held: h, deployer: d, session: s,
		title: "wcctl deploy to " + v.spec.Metadata.Name, phases: d.Phases(request),
		do: func(ctx context.Context) ([]deploy.Outcome, error) { return d.Run(ctx, request) },
	})
}

// observed is a run that somebody may look at.
type observed struct {
	format   outputFormat
	held     *held
	deployer *deploy.Deployer
	// session is nil where machines are left alone.
	session *session
	title   string
	phases  [][2]string
	do      func(ctx context.Context) ([]deploy.Outcome, error)
}

// observe shows a run's events and prints its outcome.
func observe(ctx context.Context, con *console, o observed) error {
	rows := make([]runview.Phase, len(o.phases))
	for i, p := range o.phases {
		rows[i] = runview.Phase{Name: p[0], Title: p[1]}
	}
	view := newView(con, o.format, rows)
	sink := event.Tee(o.held.log, view)
	o.deployer.Sink = sink
	if o.session != nil {
		o.session.sink.to = sink
	}
	sink.Emit(event.Event{Kind: event.RunStarted, Text: o.title, Log: o.held.log.Path(), Total: len(rows)})
	stop := context.AfterFunc(ctx, func() {
		sink.Emit(event.Event{
			Kind: event.Warning, Text: "interrupted: what runs is being ended; once more ends it at once",
		})
	})
	started := time.Now()
	outcomes, err := o.do(ctx)
	stop()
	text := "done"
	if err != nil {
		text = "failed"
	}
	changed := 0
	for _, out := range outcomes {
		if out.Changed {
			changed++
		}
	}
	sink.Emit(event.Event{
		Kind: event.RunFinished, Text: text, Seconds: time.Since(started).Seconds(), Done: changed, Total: len(rows),
	})
	view.Close()
	if o.format == outputText {
		showDeployed(con, outcomes)
	}
	return err
}

func showDeployed(con *console, outcomes []deploy.Outcome) {
	for _, o := range outcomes {
		what := "unchanged"
		if o.Changed {
			took := time.Duration(o.Seconds * float64(time.Second))
			what = fmt.Sprintf("deployed in %s", roundly(took))
		}
		if o.Image != "" {
			what += ", " + o.Image
		}
		fmt.Fprintf(con.out, "%s: revision %d, %s\n", o.Release, o.Revision, what)
	}
}

// deployError gives an error of a deployment its hint and its exit code.
func deployError(ctx context.Context, flags *clusterFlags, command, log string, err error) error {
	var cut *deploy.CutShortError
	var failed *deploy.FailureError
	var unwritten *gitops.NotWrittenError
	if hint := neededHint(err, flags.again(command)); hint != "" {
		return &Error{Cause: err, Hint: hint, Log: log}
	}
	switch {
	case errors.Is(err, gitops.ErrNoArgoCD):
		return &Error{Cause: err, Hint: argoHint, Log: log}
	case errors.As(err, &unwritten):
		return &Error{Cause: err, Hint: flags.again(command), Log: log}
	case errors.As(err, &cut):
		return &Error{
			Cause: cut, Log: log, ExitCode: exitInterrupted,
			Hint: flags.again(command) + " # goes on\n" + flags.again("rollback "+cut.Release) + " # goes back",
		}
	case errors.As(err, &failed):
		return &Error{
			Cause: failed, Hint: flags.again("history "+failed.Release) + "\n" + flags.again(command), Log: log,
		}
	}
	return clusterError(ctx, flags, command, log, err)
}
