package helm

import (
	"context"
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// Compare tells what the target renders otherwise than the same chart with the values before, whatever is
// live; nil values render nothing.
func (c *Client) Compare(ctx context.Context, t Target, before map[string]any) ([]Change, error) {
	want, err := c.objects(ctx, t)
	if err != nil {
		return nil, err
	}
	have := map[string]*unstructured.Unstructured{}
	if before != nil {
		earlier := t
		earlier.Values = before
		if have, err = c.objects(ctx, earlier); err != nil {
			return nil, err
		}
	}
	titles := map[string]bool{}
	for title := range want {
		titles[title] = true
	}
	for title := range have {
		titles[title] = true
	}
	var changes []Change
	for _, title := range slices.Sorted(maps.Keys(titles)) {
		action := "update"
		switch {
		case have[title] == nil:
			action = "create"
		case want[title] == nil:
			action = "delete"
		}
		if change := unified(title, action, have[title], want[title]); change.Diff != "" {
			changes = append(changes, change)
		}
	}
	return changes, nil
}

// objects are what a target renders, hooks left out, by their titles.
func (c *Client) objects(ctx context.Context, t Target) (map[string]*unstructured.Unstructured, error) {
	cfg, g, err := c.open(t.Namespace)
	if err != nil {
		return nil, err
	}
	rendered, err := render(ctx, cfg, g, t, true)
	if err != nil {
		return nil, err
	}
	list, err := parse(rendered.Manifest)
	if err != nil {
		return nil, err
	}
	d := differ{target: t}
	objects := map[string]*unstructured.Unstructured{}
	for _, o := range list {
		objects[d.title(o)] = o
	}
	return objects, nil
}
