package helm

import (
	"context"
	"fmt"

	"k8s.io/client-go/dynamic"
)

// Drift tells what of a release is not any more as its last good revision made it; nil also for no release.
func (c *Client) Drift(ctx context.Context, namespace, name string) ([]Change, error) {
	cfg, g, err := c.open(namespace)
	if err != nil {
		return nil, err
	}
	found, err := history(cfg, name)
	if err != nil || len(found) == 0 {
		return nil, err
	}
	objects, err := parse(lastGood(found).Manifest)
	if err != nil {
		return nil, err
	}
	client, err := dynamic.NewForConfig(c.config)
	if err != nil {
		return nil, fmt.Errorf("preparing the comparison: %w", err)
	}
	d := differ{target: Target{Name: name, Namespace: namespace}, client: client, mapper: g.mapper}
	return d.compare(ctx, objects, nil)
}
