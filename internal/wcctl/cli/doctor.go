package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/wastecoach/wastecoach/internal/wcctl/doctor"
)

type doctorOptions struct {
	clusterFlags
	hours   int
	archive string
	output  outputFormat
}

func newDoctor(con *console) *cobra.Command {
	var opts doctorOptions
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Collect logs from everywhere and look for known faults",
		Long: `Collect what the machines and the API server know: journals of kubelet and containerd, logs of
the control plane, disks, memory, network, time, names, pods, events, conditions, and
wcctl's last run logs. Then look for the faults that docs/cluster/doctor.md lists, and say
the cause and a hint of each one found.

Machines that do not answer are named, and the others examined. Everything is packed into
one archive to look at or to pass on; what looks like a token, key or password is hidden
in it. Nothing on the machines is changed. With -o json it is one document:

  {"at": TIME, "findings": [{"id", "title", "cause", "hint", "machine", "source", "line",
   "first", "last", "count", "current"}, ...], "missing": [{"what", "why", "hint"}, ...],
   "archive": FILE}

The exit code is 0 when nothing is wrong now, and 1 when something is or did not answer.`,
		Example: `  wcctl doctor
  wcctl doctor --hours 24 --archive /tmp/demo.tar.gz`,
		GroupID: groupCluster,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runDoctor(cmd.Context(), con, &opts)
		},
	}
	cmd.Flags().IntVar(&opts.hours, "hours", 2, "how far back logs are read")
	cmd.Flags().StringVar(&opts.archive, "archive", "",
		"the archive's `FILE` (default: ./wcctl-doctor-CLUSTER-TIME.tar.gz)")
	_ = cmd.MarkFlagFilename("archive", "tar.gz") // the flag is there
	opts.output.register(cmd)
	opts.register(cmd)
	return cmd
}

func runDoctor(ctx context.Context, con *console, opts *doctorOptions) error {
	if opts.hours < 1 {
		return usageErrorf("wcctl doctor", "--hours %d is less than 1", opts.hours)
	}
	v, err := openView(ctx, con, &opts.clusterFlags)
	if err != nil {
		return err
	}
	defer v.Close()
	if v.kube == nil && len(v.fleet) == 0 {
		return &Error{
			Cause: fmt.Errorf("there is nothing to examine yet: %w", v.fleetErr), Hint: opts.again("up"),
		}
	}
	var mu sync.Mutex
	collection := doctor.Collect(ctx, doctor.Options{
		Fleet: v.fleet, Run: v.options.Run, Cluster: v.kube, Wanted: v.options, Logs: v.folder.Logs(),
		Hours: opts.hours,
		Progress: func(text string) {
			mu.Lock()
			defer mu.Unlock()
			fmt.Fprintln(con.err, text)
		},
	})
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if v.fleetErr != nil {
		collection.Missing = append(collection.Missing, doctor.Missing{
			What: "the machines", Why: v.fleetErr.Error(),
		})
	}
	result := collection.Diagnose()
	for i := range result.Findings {
		result.Findings[i].Hint = opts.paste(result.Findings[i].Hint)
	}
	if result.Archive, err = pack(opts.archive, v.spec.Metadata.Name, collection, result); err != nil {
		return err
	}
	if opts.output == outputJSON {
		err = writeJSON(con.out, result)
	} else {
		_, err = fmt.Fprint(con.out, doctorPage(con, result))
	}
	return errors.Join(err, doctorError(opts, result))
}

// pack writes the archive as a whole or not at all; only its owner may read it.
func pack(
	path, cluster string, collection doctor.Collection, result doctor.Result,
) (string, error) {
	name := fmt.Sprintf("wcctl-doctor-%s-%s", cluster, collection.At.UTC().Format("20060102-150405"))
	if path == "" {
		path = name + ".tar.gz"
	}
	result.Archive = path
	file, err := os.CreateTemp(filepath.Dir(path), "."+name+"-*")
	if err != nil {
		return "", &Error{Op: "writing the archive", Cause: err, Hint: "wcctl doctor --archive /tmp/doctor.tar.gz"}
	}
	err = errors.Join(collection.Write(file, name, result), file.Sync(), file.Close())
	if err == nil {
		err = os.Rename(file.Name(), path)
	}
	if err != nil {
		return "", errors.Join(fmt.Errorf("writing the archive: %w", err), os.Remove(file.Name()))
	}
	return path, nil
}

func doctorError(opts *doctorOptions, result doctor.Result) error {
	now, _ := byFault(result.Findings)
	switch {
	case len(now) > 0:
		return &Error{Cause: fmt.Errorf("found %s", counted(len(now), "fault")), Hint: now[0][0].Hint}
	case len(result.Missing) > 0:
		return &Error{
			Cause: fmt.Errorf("%s did not answer; nothing else is wrong", names(result.Missing)),
			Hint:  opts.again("status"),
		}
	}
	return nil
}

func names(missing []doctor.Missing) string {
	list := make([]string, len(missing))
	for i, m := range missing {
		list[i] = m.What
	}
	return strings.Join(list, ", ")
}

// doctorPage is the text of `wcctl doctor`: what is wrong now, what was, what did not answer.
func doctorPage(con *console, result doctor.Result) string {
	style := newTheme(con.colored(con.out))
	p := &page{width: con.width(con.out)}
	now, earlier := byFault(result.Findings)
	for _, group := range now {
		showFinding(p, style, group, result.At)
	}
	if len(now) == 0 {
		p.line("", "No known fault shows itself now", asIs)
	}
	if len(earlier) > 0 {
		p.gap()
		p.line("", "Seen earlier, not any more:", style.faint)
		for _, group := range earlier {
			f := group[0]
			p.line("  ", fmt.Sprintf("%s%s, %s ago", on(group), f.Title, ageOf(result.At, f.Last)), style.faint)
		}
	}
	if len(result.Missing) > 0 {
		p.gap()
		p.line("", "Did not answer:", style.warning)
		for _, m := range result.Missing {
			p.line("  ", m.What+": "+m.Why, asIs)
			showHint(p, style, m.Hint)
		}
	}
	p.gap()
	p.line("", "Everything is in "+result.Archive, asIs)
	return p.String()
}

// byFault puts together what is the same on several machines.
func byFault(findings []doctor.Finding) (now, earlier [][]doctor.Finding) {
	for _, f := range findings {
		to := &earlier
		if f.Current {
			to = &now
		}
		i := slices.IndexFunc(*to, func(g []doctor.Finding) bool { return g[0].ID == f.ID })
		if i < 0 {
			*to = append(*to, []doctor.Finding{f})
			continue
		}
		(*to)[i] = append((*to)[i], f)
	}
	return now, earlier
}

func showFinding(p *page, style theme, group []doctor.Finding, at time.Time) {
	f := group[0]
	p.line("", on(group)+f.Title, style.bad)
	if f.Cause != "" {
		p.line("  cause: ", f.Cause, asIs)
	}
	seen := f.Source
	if f.Count > 1 {
		seen += fmt.Sprintf(", %d times", f.Count)
	}
	if !f.First.IsZero() {
		seen += ", since " + ageOf(at, f.First)
	}
	p.line("  seen in ", seen+": "+f.Line, style.faint)
	showHint(p, style, f.Hint)
}

func showHint(p *page, style theme, hint string) {
	for line := range strings.Lines(hint) {
		hintLine(p, columnGap, line, style.heading)
	}
}

// on is "demo-worker-1, demo-worker-2: ".
func on(group []doctor.Finding) string {
	var machines []string
	for _, f := range group {
		if f.Machine != "" {
			machines = append(machines, f.Machine)
		}
	}
	if len(machines) == 0 {
		return ""
	}
	return strings.Join(machines, ", ") + ": "
}
