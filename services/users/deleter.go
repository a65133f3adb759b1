package users

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/wastecoach/wastecoach/internal/audit"
	"github.com/wastecoach/wastecoach/internal/erasure"
)

const (
	deletionBatch = 20
	// holderTimeout bounds one call; one that is cut off goes on with the next.
	holderTimeout = 2 * time.Minute
	firstPutOff   = time.Second
	lastPutOff    = time.Minute
)

// holder is a service that holds something of users.
type holder struct {
	erasure.Holder
	name string
	// byJob tells that it knows the user's jobs only.
	byJob bool
}

func (h holder) request(r erasure.Request) erasure.Request {
	if !h.byJob {
		r.Jobs = nil
	}
	return r
}

// deleter works off the journal. One leader runs it; a second one would do no harm, since what is
// erased already is erased again.
//
// A pass erases everything in every service. What was under way meanwhile (an analysis, a login, an
// upload whose link was signed before, a valid access token) may leave something behind it. So the
// deletion is done when a pass, one settling time after another one, finds nothing: then it is
// counted what is left, the services forget that they refused the user, and the journal forgets
// whom it is about.
type deleter struct {
	store *Store
	// holders come in the order of the passes: who lets the user in, who makes jobs, who knows them
	// by their ids, and ourselves.
	holders []holder
	cfg     DeletionConfig
	audit   *audit.Log
	logger  *slog.Logger
}

// run works until ctx ends.
func (d *deleter) run(ctx context.Context) error {
	return every(ctx, d.cfg.Interval, d.logger, "working off deletions", d.round)
}

func (d *deleter) round(ctx context.Context) error {
	due, err := d.store.dueDeletions(ctx, deletionBatch)
	if err != nil {
		return err
	}
	for i := range due {
		if err := d.work(ctx, &due[i]); err != nil {
			return err
		}
	}
	return d.store.forgetDeletions(ctx, receiptKept)
}

// work makes one pass. One that breaks off is made again, later with each time.
func (d *deleter) work(ctx context.Context, del *Deletion) error {
	done, err := d.pass(ctx, del)
	switch {
	case ctx.Err() != nil:
		return ctx.Err() // the next leader goes on
	case err != nil:
		d.logger.WarnContext(ctx, "deletion put off", "deletion_id", del.ID, "error", err)
		return d.store.passBroke(ctx, del.ID, min(firstPutOff<<min(del.Faults, 10), lastPutOff))
	case !done:
		return d.store.passDone(ctx, del.ID, d.cfg.Settle)
	}
	return nil
}

// pass tells whether it was the last one.
func (d *deleter) pass(ctx context.Context, del *Deletion) (done bool, err error) {
	request := erasure.Request{UserID: *del.UserID}
	found, err := d.erase(ctx, del, &request)
	if err != nil || found > 0 || del.Passes == 0 {
		return false, err
	}
	remaining, err := d.count(ctx, request)
	if err != nil {
		return false, err
	}
	if remaining.Total() > 0 {
		d.logger.ErrorContext(ctx, "something is left after an erasure", "deletion_id", del.ID,
			"remaining", remaining)
		return false, nil
	}
	if err := d.close(ctx, request); err != nil {
		return false, err
	}
	if err := d.store.finishDeletion(ctx, del.ID, remaining); err != nil {
		return false, err
	}
	d.audit.Write(ctx, audit.Event{
		Name: audit.AccountDeleted, Outcome: audit.Done, Actor: audit.User(*del.UserID),
		Subject: "deletion:" + del.ID.String(),
	})
	return true, nil
}

// erase returns how much was found; request learns the jobs that the waste service names.
func (d *deleter) erase(
	ctx context.Context, del *Deletion, request *erasure.Request,
) (int64, error) {
	var all erasure.Report
	all.Add(erasure.Report{Counts: del.Erased})
	before := all.Counts.Total()
	for i, h := range d.holders {
		report, err := call(ctx, h, h.Erase, *request)
		if err != nil {
			return 0, err
		}
		request.Jobs = append(request.Jobs, report.Jobs...)
		all.Add(report)
		progress := 10 * (8 * (i + 1) / len(d.holders))
		if err := d.store.noteErased(ctx, del.ID, all.Counts, progress); err != nil {
			return 0, err
		}
	}
	return all.Counts.Total() - before, nil
}

func (d *deleter) count(ctx context.Context, request erasure.Request) (erasure.Counts, error) {
	var all erasure.Report
	for _, h := range d.holders {
		report, err := call(ctx, h, h.Left, request)
		if err != nil {
			return nil, err
		}
		all.Add(report)
	}
	return all.Counts, nil
}

// close ends the refusals. The access tokens of the user have expired.
func (d *deleter) close(ctx context.Context, request erasure.Request) error {
	request.Last = true
	for _, h := range d.holders {
		if _, err := call(ctx, h, h.Erase, request); err != nil {
			return err
		}
	}
	return nil
}

func call(
	ctx context.Context, h holder,
	do func(context.Context, erasure.Request) (erasure.Report, error), r erasure.Request,
) (erasure.Report, error) {
	ctx, cancel := context.WithTimeout(ctx, holderTimeout)
	defer cancel()
	report, err := do(ctx, h.request(r))
	if err != nil {
		return erasure.Report{}, fmt.Errorf("asking %s: %w", h.name, err)
	}
	return report, nil
}

// every calls do now and then until ctx ends; a fault is logged and the next round tries again.
func every(
	ctx context.Context, interval time.Duration, logger *slog.Logger, act string,
	do func(context.Context) error,
) error {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
		if err := do(ctx); err != nil && ctx.Err() == nil {
			logger.WarnContext(ctx, "round broke off", "act", act, "error", err)
		}
	}
}
