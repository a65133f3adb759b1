package phase

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/wastecoach/wastecoach/internal/wcctl/kube"
)

const (
	conditionsPoll = 500 * time.Millisecond
	// conditionsPatience is far more than images that are there already take to start.
	conditionsPatience = 10 * time.Minute
)

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
	all, _, err := r.Fleet(ctx)
	if err != nil {
		return err
	}
	k, err := r.Connect(r.Folder.Kubeconfig())
	if err != nil {
		return err
	}
	deadline := time.Now().Add(conditionsPatience)
	told := ""
	for {
		found := k.Conditions(ctx, all)
		left := kube.Worst(found)
		if err := context.Cause(ctx); err != nil {
			return err
		}
		if len(left) == 0 {
			r.tellWeak(found)
			return nil
		}
		text := fmt.Sprintf("%d of %d hold; waiting for %s: %s", len(found)-len(left), len(found),
			left[0].Name, left[0].Message)
		if text != told {
			r.note(conditionsName, "", text)
			told = text
		}
		if time.Now().After(deadline) {
			return unmet(left)
		}
		if err := sleep(ctx, conditionsPoll); err != nil {
			return err
		}
	}
}

// tellWeak warns of promises that hold only in part.
func (r *Run) tellWeak(found []kube.Condition) {
	for _, c := range found {
		if c.State != kube.OK {
			r.warn(conditionsName, "", c.Name+": "+c.Message, c.Hint)
		}
	}
}

func unmet(left []kube.Condition) error {
	texts := make([]string, len(left))
	for i, c := range left {
		texts[i] = c.Name + ": " + c.Message
	}
	return &Error{
		Phase: conditionsName, Hint: left[0].Hint,
		Cause: errors.New("not met in " + conditionsPatience.String() + ": " + strings.Join(texts, "; ")),
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}
