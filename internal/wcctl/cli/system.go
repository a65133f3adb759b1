package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/gofrs/uuid/v5"
	"github.com/spf13/cobra"

	"github.com/wastecoach/wastecoach/internal/operator"
	"github.com/wastecoach/wastecoach/internal/wcctl/monitor"
)

// systemFlags say which running system a command looks at.
type systemFlags struct {
	data       string
	kubeconfig string
}

func (f *systemFlags) register(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.data, "data", "",
		"data folder of the wcctl dev to look at (default: WCCTL_DEV_DIR, else wcctl dev's own)")
	cmd.Flags().StringVar(&f.kubeconfig, "kubeconfig", "",
		"look at the cluster of this kubeconfig instead, through its API server")
	_ = cmd.MarkFlagDirname("data")        // the flags are there
	_ = cmd.MarkFlagFilename("kubeconfig") // as above
	cmd.MarkFlagsMutuallyExclusive("data", "kubeconfig")
}

// suffix is the flags with which a command finds the same system.
func (f *systemFlags) suffix() string {
	switch {
	case f.kubeconfig != "":
		return " --kubeconfig " + quote(f.kubeconfig)
	case f.data != "":
		return " --data " + quote(f.data)
	}
	return ""
}

func (f *systemFlags) open(ctx context.Context, con *console) (*monitor.System, error) {
	system, err := monitor.Open(ctx, monitor.Options{
		Data: string(devFolder(con, f.data)), Kubeconfig: f.kubeconfig, Actor: actor(con),
	})
	return system, systemError(err)
}

// actor is who acts, for the audit log.
func actor(con *console) string {
	name := cmp.Or(con.getenv("USER"), con.getenv("LOGNAME"), "somebody")
	if host, err := os.Hostname(); err == nil {
		name += "@" + host
	}
	return name
}

// systemError words what a system did not do.
func systemError(err error) error {
	var told *Error
	switch {
	case err == nil || errors.As(err, &told) || errors.Is(err, context.Canceled):
		return err
	case errors.Is(err, monitor.ErrNotRunning):
		return &Error{Cause: errors.New(firstWords(err)), Hint: "wcctl dev --detach\nwcctl top --kubeconfig FILE"}
	}
	return &Error{Cause: errors.New(monitor.Explain(err)), Hint: monitor.HintOf(err)}
}

func firstWords(err error) string {
	return fmt.Sprintf("%v: %s", monitor.ErrNotRunning, strings.TrimSuffix(monitor.Explain(err),
		": "+monitor.ErrNotRunning.Error()))
}

// shortestID is how much of a job's id must be told: what is before it is the time of day.
const shortestID = 8

// findJobs completes ids that are told by their beginning.
func findJobs(ctx context.Context, system *monitor.System, path string, words []string) ([]uuid.UUID, error) {
	ids := make([]uuid.UUID, 0, len(words))
	for _, word := range words {
		if id, err := uuid.FromString(word); err == nil {
			ids = append(ids, id)
			continue
		}
		if len(word) < shortestID || strings.Trim(strings.ToLower(word), "0123456789abcdef-") != "" {
			return nil, usageErrorf(path,
				"%q is no job's id, nor the first %d or more characters of one", word, shortestID)
		}
		id, err := findJob(ctx, system, strings.ToLower(word))
		if err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	return ids, nil
}

func findJob(ctx context.Context, system *monitor.System, prefix string) (uuid.UUID, error) {
	page, err := system.Jobs(ctx, monitor.JobQuery{Text: prefix, Limit: 50})
	if err != nil {
		return uuid.Nil, systemError(err)
	}
	var found []uuid.UUID
	for _, j := range page.Items {
		if strings.HasPrefix(j.ID.String(), prefix) { // else it is a user's
			found = append(found, j.ID)
		}
	}
	switch len(found) {
	case 0:
		return uuid.Nil, &Error{Cause: fmt.Errorf("there is no job %s…", prefix), Hint: "wcctl job ls"}
	case 1:
		return found[0], nil
	}
	return uuid.Nil, &Error{
		Cause: fmt.Errorf("%d jobs begin with %s", len(found), prefix), Hint: "wcctl job ls --search " + prefix,
	}
}

// unknownJob is systemError for one job.
func unknownJob(err error, id uuid.UUID) error {
	if errors.Is(err, operator.ErrJobNotFound) {
		return &Error{Cause: fmt.Errorf("there is no job %s", id), Hint: "wcctl job ls"}
	}
	return systemError(err)
}
