package helm

import (
	"context"
	"slices"

	"helm.sh/helm/v4/pkg/strvals"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// Images lists the container images of what Upgrade would apply, hooks included.
func (c *Client) Images(ctx context.Context, t Target) ([]string, error) {
	objects, _, err := c.wanted(ctx, t)
	if err != nil {
		return nil, err
	}
	var images []string
	for _, o := range objects {
		images = append(images, imagesIn(o)...)
	}
	slices.Sort(images)
	return slices.Compact(images), nil
}

// wanted are the objects that Upgrade would apply, hooks included.
func (c *Client) wanted(ctx context.Context, t Target) ([]*unstructured.Unstructured, *getter, error) {
	cfg, g, err := c.open(t.Namespace)
	if err != nil {
		return nil, nil, err
	}
	rendered, err := render(ctx, cfg, g, t, false)
	if err != nil {
		return nil, nil, err
	}
	manifests := []string{rendered.Manifest}
	for _, hook := range rendered.Hooks {
		manifests = append(manifests, hook.Manifest)
	}
	var all []*unstructured.Unstructured
	for _, manifest := range manifests {
		objects, err := parse(manifest)
		if err != nil {
			return nil, nil, err
		}
		all = append(all, objects...)
	}
	return all, g, nil
}

// imagesIn finds the containers of whatever has pods.
func imagesIn(o *unstructured.Unstructured) []string {
	var images []string
	for _, path := range [][]string{
		{"spec"}, {"spec", "template", "spec"}, {"spec", "jobTemplate", "spec", "template", "spec"},
	} {
		for _, list := range []string{"containers", "initContainers"} {
			containers, _, _ := unstructured.NestedSlice(o.Object, append(slices.Clone(path), list)...)
			for _, c := range containers {
				container, _ := c.(map[string]any)
				if image, ok := container["image"].(string); ok {
					images = append(images, image)
				}
			}
		}
	}
	return images
}

// Set writes a value as in --set a.b=c into values.
func Set(values map[string]any, assignment string) error {
	return strvals.ParseInto(assignment, values)
}
