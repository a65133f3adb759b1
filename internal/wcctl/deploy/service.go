package deploy

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/wastecoach/wastecoach/internal/wcctl/gitops"

	"github.com/wastecoach/wastecoach/internal/wcctl/helm"
	"github.com/wastecoach/wastecoach/internal/wcctl/spec"
)

// serviceChart is the chart of all five services.
const serviceChart = "service"

// migrationStopTime bounds one question to the API server.
const migrationStopTime = 10 * time.Second

// The beginnings of descriptions in a history. Only a complete revision can be rolled back to.
const (
	deployedText   = "deployed "
	rolledBackText = "rolled back to "
)

// Complete tells whether the revision is a deployment that ended well, and not a step on its way.
func Complete(r helm.Revision) bool {
	return r.Good() &&
		(strings.HasPrefix(r.Description, deployedText) || strings.HasPrefix(r.Description, rolledBackText))
}

// serviceTarget is the release of a service, its colors left open.
func (d *Deployer) serviceTarget(
	ctx context.Context, service string, r Request,
) (helm.Target, spec.Strategy, error) {
	chart, err := helm.OpenChart(d.Charts, serviceChart)
	if err != nil {
		return helm.Target{}, "", err
	}
	values, err := chart.Values("values/" + service + ".yaml")
	if err != nil {
		return helm.Target{}, "", err
	}
	settings, all := d.Spec.Spec.Services[service], d.Spec.Spec.Services[spec.AllServices]
	image := r.Image
	if image.Repository == "" {
		image.Repository = d.Spec.Spec.Images.Registry + "/" + service
	}
	written, there, err := d.written(ctx, service)
	if err != nil {
		return helm.Target{}, "", err
	}
	strategy := cmp.Or(r.Strategy, settings.Strategy, all.Strategy)
	if there {
		values = helm.Merge(values, written)
		strategy = cmp.Or(r.Strategy, strategyOf(values))
	} else {
		values = helm.Merge(values, d.common(chart))
		values = helm.Merge(values, d.labValues(serviceChart))
		values = helm.Merge(values, all.Overrides())
		values = helm.Merge(values, settings.Overrides())
	}
	values = helm.Merge(values, r.Values)
	values = helm.Merge(values, map[string]any{"image": map[string]any{
		"repository": image.Repository, "tag": image.Tag, "digest": image.Digest,
	}})
	return helm.Target{Name: service, Namespace: service, Chart: chart, Values: values}, strategy, nil
}

// strategyOf is the one that a release has.
func strategyOf(values map[string]any) spec.Strategy {
	if values["strategy"] == string(spec.BlueGreen) {
		return spec.BlueGreen
	}
	return spec.Rolling
}

// serviceWork plans the service's way from how it stands.
func (d *Deployer) serviceWork(ctx context.Context, service string, r Request) (work, error) {
	now, err := d.live(ctx, service)
	if err != nil {
		return work{}, err
	}
	if there, ok := now.images[now.active]; ok && r.Keep {
		r.Image = there
	}
	target, strategy, err := d.serviceTarget(ctx, service, r)
	if err != nil {
		return work{}, err
	}
	image := imageFrom(target.Values)
	strategy = cmp.Or(strategy, now.strategy())
	base := target
	steps := d.steps(now, strategy, image)
	// Its last step is how the release shall be.
	target.Values = helm.Merge(base.Values, steps[len(steps)-1].values)
	return work{
		title: "Deploy " + service + " " + image.version(), target: target, service: service,
		first: func(ctx context.Context) error { return d.trust(ctx, service) },
		do:    func(ctx context.Context) (helm.Revision, error) { return d.rollOut(ctx, base, steps) },
	}, nil
}

// step is one revision on the way to another version.
type step struct {
	// text is what it is for, and its description in the history.
	text   string
	values map[string]any
	// migrates tells that the chart's hooks run before it.
	migrates bool
	// standby is the color that shall have as many pods as the active one before it takes over; what
	// fails until then leaves the active one untouched.
	standby string
	// drains waits afterwards for the last requests of the color that was active before.
	drains bool
	// applied tells that it ends with that: others make it ready.
	applied bool
	// left is how things stand when the step is cut short.
	left string
}

// steps are one for a rolling update, three for a change of colors. A run that was cut short is taken
// up where it was, because each step is made of what is live.
func (d *Deployer) steps(now live, strategy spec.Strategy, image Image) []step {
	done := deployedText + image.version()
	switch {
	case now.active == "" && strategy == spec.BlueGreen:
		return []step{{
			text: done, values: finalValues(strategy, blue, image), migrates: true,
			left: "the first installation is not complete",
		}}
	case now.active == "" || strategy == spec.Rolling && now.active == rolling:
		return []step{{
			text: done, values: finalValues(spec.Rolling, rolling, image), migrates: true,
			left: "Kubernetes goes on replacing pods one by one, the old ones answer until then",
		}}
	case now.fits(strategy) && now.images[now.active].is(image):
		return []step{{
			text: done, values: finalValues(strategy, now.active, image), migrates: true,
			left: now.active + " answers with " + image.version(),
		}}
	}
	old, idle := now.active, now.idle(strategy)
	both := map[string]Image{old: now.images[old], idle: image}
	return []step{
		{
			text: "starting " + idle + " with " + image.version(), values: colorValues(old, both),
			migrates: true, standby: idle,
			left: old + " answers with " + now.images[old].version() + ", " + idle + " stands by or is starting",
		},
		{
			text: "turning to " + idle, values: colorValues(idle, both), drains: true,
			left: idle + " answers with " + image.version() + ", " + old + " is still there",
		},
		{
			text: done, values: finalValues(strategy, idle, image),
			left: idle + " answers with " + image.version() + ", " + old + " is being removed",
		},
	}
}

// rollOut does the steps. What fails before requests reach the new version is taken back.
func (d *Deployer) rollOut(ctx context.Context, t helm.Target, steps []step) (helm.Revision, error) {
	before, err := d.Helm.History(t.Namespace, t.Name)
	if err != nil {
		return helm.Revision{}, err
	}
	var revision helm.Revision
	for i, s := range steps {
		d.note(t.Name, "", s.text)
		target := t
		target.Values = helm.Merge(t.Values, s.values)
		revision, err = d.apply(ctx, target, helm.Options{
			Timeout: d.Timeout, Description: s.text, NoHooks: !s.migrates, NoWait: s.applied,
		})
		if err == nil && s.standby != "" {
			err = d.match(ctx, t.Name, s.standby)
		}
		if err == nil && s.drains {
			err = d.drain(ctx, t.Name)
		}
		switch {
		case err == nil:
			continue
		case ctx.Err() != nil:
			return revision, &CutShortError{Release: t.Name, Left: s.left, Err: context.Cause(ctx)}
		case errors.As(err, new(*gitops.NotWrittenError)):
			return revision, err
		}
		failure := d.explain(ctx, t, err)
		if i == 0 {
			d.takeBack(ctx, t, before, failure)
		} else {
			failure.Left = s.left
		}
		return revision, failure
	}
	return revision, nil
}

// drain gives proxies time to hear of the turn, and requests under way time to end.
func (d *Deployer) drain(ctx context.Context, service string) error {
	d.note(service, "", fmt.Sprintf("the old color gets %s for its last requests", d.Drain))
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d.Drain):
		return nil
	}
}

// takeBack rolls a failed deployment back to the last complete revision before it.
func (d *Deployer) takeBack(ctx context.Context, t helm.Target, before []helm.Revision, f *FailureError) {
	good := lastComplete(before)
	if good == nil {
		f.Left = "there was no version before it to go back to: what is there stays as it is"
		return
	}
	text := rolledBackText + strings.TrimPrefix(strings.TrimPrefix(good.Description, deployedText), rolledBackText)
	d.note(t.Name, "", fmt.Sprintf("rolling back to revision %d", good.Revision))
	d.stopMigration(context.WithoutCancel(ctx), t)
	// The failure may have used up the time; what is taken back must not be left half-way.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), d.Timeout)
	defer cancel()
	err := d.Helm.Rollback(ctx, t.Namespace, t.Name, good.Revision, helm.Options{
		Timeout: d.Timeout, Description: text, NoHooks: true,
	})
	if err != nil {
		f.Left = fmt.Sprintf("rolling back to revision %d failed, too: %v", good.Revision, err)
		return
	}
	f.RolledBackTo = good.Revision
	f.Left = text + ", which answers"
}

// stopMigration keeps a Job that failed from trying again behind the version that answers; its pods and
// their logs stay.
func (d *Deployer) stopMigration(ctx context.Context, t helm.Target) {
	ctx, cancel := context.WithTimeout(ctx, migrationStopTime)
	defer cancel()
	_, err := d.Kube.BatchV1().Jobs(t.Namespace).Patch(ctx, t.Name+"-migrate", types.MergePatchType,
		[]byte(`{"spec":{"suspend":true}}`), metav1.PatchOptions{FieldManager: fieldManager})
	if err != nil && !apierrors.IsNotFound(err) {
		d.note(t.Name, "", fmt.Sprintf("its migration may be tried again: %v", err))
	}
}

// lastComplete is the newest deployment that ended well, nil for none.
func lastComplete(revisions []helm.Revision) *helm.Revision {
	for i := len(revisions) - 1; i >= 0; i-- {
		if Complete(revisions[i]) {
			return &revisions[i]
		}
	}
	return nil
}
