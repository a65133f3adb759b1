package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/wastecoach/wastecoach/internal/wcctl/pgbackup"
)

const (
	databasePoll = time.Second
	// databasePatience is for a pod on a loaded node, and for one that ends with many clients.
	databasePatience = 5 * time.Minute
)

// databaseOf is the PostgreSQL of the cluster that the view reaches.
func databaseOf(con *console, v *view) (*pgbackup.Database, error) {
	if v.kube == nil {
		return nil, noCluster(v.flags, v.folder)
	}
	return &pgbackup.Database{
		Kube: v.kube.Client(), Now: time.Now, Poll: databasePoll, Patience: databasePatience,
		Tell: func(text string) { fmt.Fprintf(con.err, "  %s\n", text) },
	}, nil
}

// databaseError gives an error of the database's backups its hint and its exit code.
func databaseError(ctx context.Context, flags *clusterFlags, command, log string, err error) error {
	var early *pgbackup.TimeError
	var job *pgbackup.JobError
	hint := ""
	switch {
	case err == nil || errors.Is(context.Cause(ctx), context.Canceled):
	case errors.As(err, &early):
		hint = flags.again("backup list")
	case errors.Is(err, pgbackup.ErrNone):
		hint = flags.again("backup create postgres")
	case errors.As(err, &job):
		hint = "kubectl -n " + pgbackup.Namespace + " logs job/" + job.Job
	}
	if hint != "" {
		err = &Error{Cause: err, Hint: hint}
	}
	return clusterError(ctx, flags, command, log, err)
}
