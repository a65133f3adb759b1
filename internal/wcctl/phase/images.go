package phase

import (
	"context"
	"errors"
	"fmt"
	"maps"

	"github.com/wastecoach/wastecoach/internal/wcctl/event"
	"github.com/wastecoach/wastecoach/internal/wcctl/fleet"
)

const imagesName = "images"

// PullImages brings images onto every machine before pods need them: from the bundle where there is
// one, which is the only way to machines without a network.
func PullImages(refs []string) Phase { return pullImages{refs} }

type pullImages struct{ refs []string }

// Name implements Phase.
func (pullImages) Name() string { return imagesName }

// Title implements Phase.
func (pullImages) Title() string { return "Pull the images" }

// Place implements Phase.
func (pullImages) Place() Place { return EveryMachine }

// About implements Phase.
func (pullImages) About() string {
	return "Pulls the images that machines lack. A machine that does not answer is left out."
}

// Pending names every machine: which image one lacks shows when it is asked to pull.
func (p pullImages) Pending(ctx context.Context, r *Run) ([]Change, error) {
	all, err := r.Made(ctx)
	if err != nil {
		return nil, err
	}
	changes := make([]Change, len(all))
	for i, m := range all {
		changes[i] = Change{
			Phase: imagesName, Host: m.Name, What: fmt.Sprintf("pull what is missing of %d images", len(p.refs)),
		}
	}
	return changes, nil
}

// Apply implements Phase.
func (p pullImages) Apply(ctx context.Context, r *Run, _ []Change) error {
	all, err := r.Made(ctx)
	if err != nil {
		return err
	}
	r.lookAt(ctx, all, 0)
	var targets fleet.Fleet
	var away error
	for _, m := range all {
		if err := r.hosts[m.Name].err; err != nil {
			away = errors.Join(away, err)
			r.Sink.Emit(event.Event{
				Kind: event.Warning, Phase: imagesName, Host: m.Name,
				Text: "it does not answer and pulls nothing: " + err.Error(),
			})
			continue
		}
		targets = append(targets, m)
	}
	if len(targets) == 0 {
		return away
	}
	if err := r.serve(ctx, targets); err != nil {
		return err
	}
	vars, err := r.variables()
	if err != nil {
		return err
	}
	values := maps.Clone(vars.Values)
	values["wc_wanted_images"] = p.refs
	_, err = r.Play(ctx, Playing{Phase: imagesName, Fleet: all, Hosts: targets.Names(), Vars: values})
	return err
}
