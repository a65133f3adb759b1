package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/wastecoach/wastecoach/internal/wcctl/event"
	"github.com/wastecoach/wastecoach/internal/wcctl/fleet"
	"github.com/wastecoach/wastecoach/internal/wcctl/phase"
	"github.com/wastecoach/wastecoach/internal/wcctl/roster"
	"github.com/wastecoach/wastecoach/internal/wcctl/spec"
	"github.com/wastecoach/wastecoach/internal/wcctl/workspace"
)

// nodeChange is a command that changes nodes.
type nodeChange struct {
	command string
	// done says what was done, at the end.
	done string
	// node is the worker that goes; it is empty where none does. With replace it is made anew.
	node    string
	replace bool
	// prepare changes what the cluster shall be, and lists the phases.
	prepare func(c *nodeWork) ([]phase.Phase, error)
}

// nodeWork is what the phases of such a command work with.
type nodeWork struct {
	cluster *spec.Cluster
	file    string
	folder  workspace.Folder
	fleet   fleet.Fleet
	// counted is the number of workers in the file as it is.
	counted int
	// roster is what will be kept when the phase declareWorkers runs.
	roster roster.Roster
}

// workersIn is where the configuration counts the workers; nil for the target hosts.
func workersIn(c *spec.Cluster) *int {
	switch {
	case c.Spec.Target == spec.Local && c.Spec.Local != nil:
		return &c.Spec.Local.Workers
	case c.Spec.Target == spec.AWS && c.Spec.AWS != nil:
		return &c.Spec.AWS.Workers
	}
	return nil
}

// setWorkers changes the number in memory, after a look whether the file can be changed too.
func (c *nodeWork) setWorkers(count int) error {
	if _, err := editedWorkers(c.file, c.cluster.Spec.Target, count); err != nil {
		return err
	}
	*workersIn(c.cluster) = count
	return nil
}

// remember changes what the state folder knows of the nodes, and nothing else of it.
func (c *nodeWork) remember(change func(r *roster.Roster)) error {
	known, err := roster.Load(c.folder)
	if err != nil {
		return err
	}
	change(&known)
	return known.Save(c.folder)
}

// changeNodes does a command: it takes the lock, plans, asks and goes through the phases.
func changeNodes(ctx context.Context, con *console, opts *nodeOptions, change nodeChange) error {
	if err := opts.check("wcctl " + change.command); err != nil {
		return err
	}
	if !opts.yes && !con.interactive() {
		return &Error{
			Cause: errors.New("nobody can be asked here whether to go on"),
			Hint:  opts.again(change.command + " --yes"), ExitCode: exitUsage,
		}
	}
	cluster, folder, err := opts.open(con)
	if err != nil {
		return err
	}
	if !folder.Exists() {
		return noCluster(&opts.clusterFlags, folder)
	}
	h, ctx, err := hold(ctx, con, folder, "node")
	if err != nil {
		return clusterError(ctx, &opts.clusterFlags, change.command, "", err)
	}
	work := &nodeWork{cluster: cluster, file: opts.file.path(con), folder: folder}
	err = errors.Join(changeHeld(ctx, con, opts, change, work, h), h.release())
	return clusterError(ctx, &opts.clusterFlags, change.command, h.log.Path(), err)
}

// changeHeld is changeNodes with the lock held.
func changeHeld(
	ctx context.Context, con *console, opts *nodeOptions, change nodeChange, work *nodeWork, h *held,
) error {
	var err error
	if work.fleet, err = knownMachines(ctx, work.folder); err != nil {
		return err
	}
	if work.roster, err = roster.Load(work.folder); err != nil {
		return err
	}
	if count := workersIn(work.cluster); count != nil {
		work.counted = *count
	}
	phases, err := change.prepare(work)
	if err != nil {
		return err
	}
	session := sessionOptions{
		flags: &opts.clusterFlags, bundle: opts.bundle, parallel: opts.parallel, id: h.id, log: h.log,
		installs: true, roster: &work.roster,
	}
	if change.replace {
		session.replace = resourceOf(work.cluster.Spec.Target, change.node)
	}
	s, err := openSession(con, work.cluster, work.folder, session)
	if err != nil {
		return err
	}
	defer s.Close()
	runner := &phase.Runner{
		Run: s.run, Phases: phases, Journal: h.journal, Log: h.log.Path(), Explain: explain,
	}
	s.sink.to = event.Tee(h.log)
	if err := proposeNodes(ctx, con, opts, change, runner); err != nil {
		return err
	}
	result, err := watch(ctx, con, opts.output, s, h, runner, change.command)
	if err == nil && change.node != "" {
		// Whoever was killed after the node was deleted has not come to this.
		err = work.forgetCordon(change.node)
	}
	if err != nil || opts.output == outputJSON {
		return err
	}
	fmt.Fprintf(con.out, "%s: %s\n", change.done, roundly(result.Took))
	return nil
}

// proposeNodes shows what will be done, and asks.
func proposeNodes(
	ctx context.Context, con *console, opts *nodeOptions, change nodeChange, runner *phase.Runner,
) error {
	plan, err := runner.Plan(ctx)
	if err != nil {
		return err
	}
	if opts.output == outputText {
		showPlan(con, con.err, plan)
		fmt.Fprintln(con.err)
	}
	if opts.yes {
		return nil
	}
	return confirm(con, "Go on?", opts.again(change.command+" --yes"))
}
