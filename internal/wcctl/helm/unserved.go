package helm

import (
	"context"
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Unserved lists the kinds of what Upgrade would apply that the API server does not serve.
func (c *Client) Unserved(ctx context.Context, t Target) ([]schema.GroupKind, error) {
	objects, g, err := c.wanted(ctx, t)
	if err != nil {
		return nil, err
	}
	var kinds []schema.GroupKind
	for _, o := range objects {
		kind := o.GroupVersionKind()
		_, err := g.mapper.RESTMapping(kind.GroupKind(), kind.Version)
		switch {
		case meta.IsNoMatchError(err) && !slices.Contains(kinds, kind.GroupKind()):
			kinds = append(kinds, kind.GroupKind())
		case err != nil && !meta.IsNoMatchError(err):
			return nil, fmt.Errorf("asking the API server for its kinds: %w", err)
		}
	}
	return kinds, nil
}
