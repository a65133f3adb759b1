package phase

import (
	"context"
	"errors"
	"time"

	"github.com/wastecoach/wastecoach/internal/wcctl/kube"
)

// conditionsPatience is far more than images that are there already take to start.
const conditionsPatience = 10 * time.Minute

// conditions waits until the cluster can be used.
type conditions struct{}

func (conditions) Name() string  { return conditionsName }
func (conditions) Title() string { return "Wait for the cluster" }
func (conditions) Place() Place  { return Here }

func (conditions) About() string {
	return "Waits until the conditions of `wcctl status` hold. It has work when one of them does not."
}

// Pending names the conditions that do not hold.
func (conditions) Pending(ctx context.Context, r *Run) ([]Change, error) {
	all, known, err := r.Fleet(ctx)
	if err != nil {
		return nil, err
	}
	k := r.api()
	if !known || k == nil {
		return []Change{{Phase: conditionsName, What: "wait for the cluster", Why: "a new cluster"}}, nil
	}
	var list []Change
	for _, c := range kube.Worst(k.Conditions(ctx, all)) {
		list = append(list, Change{Phase: conditionsName, What: "wait for " + c.Name, Why: c.Message})
	}
	return list, ctx.Err()
}

// Apply looks again and again and tells what is missing.
func (conditions) Apply(ctx context.Context, r *Run, _ []Change) error {
	all, err := r.Made(ctx)
	if err != nil {
		return err
	}
	k, err := r.Connect(r.Folder.Kubeconfig())
	if err != nil {
		return err
	}
	bounded, cancel := context.WithTimeout(ctx, conditionsPatience)
	defer cancel()
	_, err = k.Wait(bounded, all, r.Sink)
	var unmet *kube.NotMetError
	switch {
	case context.Cause(ctx) != nil:
		return context.Cause(ctx)
	case errors.As(err, &unmet):
		return &Error{Phase: conditionsName, Cause: err, Hint: unmet.Hint()}
	}
	return err
}
