package helm

import (
	"context"
	"encoding/json"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
)

// Apply applies the objects of a manifest that belongs to no release, e.g. custom resources' kinds.
func (c *Client) Apply(ctx context.Context, manifest []byte) error {
	_, g, err := c.open("default")
	if err != nil {
		return err
	}
	client, err := dynamic.NewForConfig(c.config)
	if err != nil {
		return fmt.Errorf("preparing to apply: %w", err)
	}
	objects, err := parse(string(manifest))
	if err != nil {
		return err
	}
	d := differ{target: Target{Namespace: "default"}, client: client, mapper: g.mapper}
	force := true
	for _, o := range objects {
		resource, err := d.resource(o)
		if err != nil {
			return fmt.Errorf("applying %s: %w", d.title(o), err)
		}
		data, err := json.Marshal(o)
		if err != nil {
			return fmt.Errorf("applying %s: %w", d.title(o), err)
		}
		_, err = resource.Patch(ctx, o.GetName(), types.ApplyPatchType, data, metav1.PatchOptions{
			FieldManager: manager, Force: &force,
		})
		if err != nil {
			return fmt.Errorf("applying %s: %w", d.title(o), err)
		}
	}
	return nil
}
