package deploy

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/wastecoach/wastecoach/internal/wcctl/event"
	"github.com/wastecoach/wastecoach/internal/wcctl/helm"
)

// ErrNothingBefore is a service without a version to go back to.
var ErrNothingBefore = errors.New("there is no earlier version to go back to")

// Rollback brings a service back to an earlier revision; 0 is the complete one before what runs. With
// colors it is a turn like that of a deployment. No migration runs: the schema stays as it is.
func (d *Deployer) Rollback(ctx context.Context, service string, to int) (Outcome, error) {
	started := time.Now()
	revisions, err := d.Helm.History(service, service)
	if err != nil {
		return Outcome{}, err
	}
	target, err := rollbackTarget(revisions, to)
	if err != nil {
		return Outcome{}, err
	}
	chart, err := helm.OpenChart(d.Charts, serviceChart)
	if err != nil {
		return Outcome{}, err
	}
	image := imageFrom(target.Values)
	d.Sink.Emit(event.Event{
		Kind: event.PhaseStarted, Phase: service, Total: 1,
		Task: fmt.Sprintf("Roll %s back to revision %d, %s", service, target.Revision, image.version()),
	})
	now, err := d.live(ctx, service)
	if err != nil {
		return Outcome{}, d.failed(service, err)
	}
	strategy := strategyOf(target.Values)
	if d.Written != nil { // in Git only the version goes back, and nobody's other changes with it
		now := revisions[len(revisions)-1].Values
		target.Values = helm.Merge(now, map[string]any{"image": target.Values["image"]})
		strategy = strategyOf(now)
	}
	steps := d.steps(now, strategy, image)
	for i := range steps {
		steps[i].migrates = false
		if text, ok := strings.CutPrefix(steps[i].text, deployedText); ok {
			steps[i].text = rolledBackText + text
		}
	}
	revision, err := d.rollOut(ctx, helm.Target{
		Name: service, Namespace: service, Chart: chart, Values: target.Values,
	}, steps)
	if err != nil {
		return Outcome{}, d.failed(service, err)
	}
	took := time.Since(started).Seconds()
	d.Sink.Emit(event.Event{Kind: event.PhaseFinished, Phase: service, Seconds: took, Done: 1, Total: 1})
	return Outcome{
		Release: service, Revision: revision.Revision, Image: image.String(), Changed: true, Seconds: took,
	}, nil
}

// rollbackTarget chooses the revision. Going back twice is going forth again.
func rollbackTarget(revisions []helm.Revision, to int) (helm.Revision, error) {
	if len(revisions) == 0 {
		return helm.Revision{}, helm.ErrNoRelease
	}
	if to > 0 {
		for _, r := range revisions {
			if r.Revision != to {
				continue
			}
			if !Complete(r) {
				return r, fmt.Errorf("revision %d was no complete deployment: %s", to, r.Description)
			}
			return r, nil
		}
		return helm.Revision{}, fmt.Errorf("there is no revision %d", to)
	}
	current := lastComplete(revisions)
	for i := len(revisions) - 1; i >= 0; i-- {
		r := revisions[i]
		if Complete(r) && current != nil && !imageFrom(r.Values).is(imageFrom(current.Values)) {
			return r, nil
		}
	}
	return helm.Revision{}, ErrNothingBefore
}
