package deploy

import (
	"context"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/wastecoach/wastecoach/internal/wcctl/spec"
)

// The labels of charts/service.
const (
	nameLabel      = "app.kubernetes.io/name"
	componentLabel = "app.kubernetes.io/component"
	colorLabel     = "wastecoach.io/color"
	apiComponent   = "api"
)

// The colors of an API's Deployments; rolling is the one of that strategy.
const (
	blue    = "blue"
	green   = "green"
	rolling = "rolling"
)

func colors() []string { return []string{rolling, blue, green} }

// live is how a service's API stands in the cluster: that is what counts, whatever a killed run wrote.
type live struct {
	// active is the color that the Service sends requests to; empty where there is none.
	active string
	images map[string]Image
	// names and replicas are the Deployments' by color.
	names    map[string]string
	replicas map[string]int32
}

func (d *Deployer) live(ctx context.Context, service string) (live, error) {
	l := live{images: map[string]Image{}, names: map[string]string{}, replicas: map[string]int32{}}
	svc, err := d.Kube.CoreV1().Services(service).Get(ctx, service, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return l, nil
	}
	if err != nil {
		return l, fmt.Errorf("asking which color of %s is active: %w", service, err)
	}
	l.active = svc.Spec.Selector[colorLabel]
	deployments, err := d.Kube.AppsV1().Deployments(service).List(ctx, metav1.ListOptions{
		LabelSelector: nameLabel + "=" + service + "," + componentLabel + "=" + apiComponent,
	})
	if err != nil {
		return l, fmt.Errorf("listing the colors of %s: %w", service, err)
	}
	for _, one := range deployments.Items {
		image := splitImage(one.Spec.Template.Spec.Containers[0].Image)
		color := one.Labels[colorLabel]
		l.images[color], l.names[color], l.replicas[color] = image, one.Name, 1
		if one.Spec.Replicas != nil {
			l.replicas[color] = *one.Spec.Replicas
		}
	}
	return l, nil
}

// strategy is the one that it was deployed in.
func (l live) strategy() spec.Strategy {
	if l.active == blue || l.active == green {
		return spec.BlueGreen
	}
	return spec.Rolling
}

// match gives a color as many pods as the active one has. An autoscaler would begin with one.
func (d *Deployer) match(ctx context.Context, service, idle string) error {
	now, err := d.live(ctx, service)
	if err != nil {
		return err
	}
	want := max(1, now.replicas[now.active])
	client := d.Kube.AppsV1().Deployments(service)
	if now.replicas[idle] < want {
		scale, err := client.GetScale(ctx, now.names[idle], metav1.GetOptions{})
		if err == nil {
			scale.Spec.Replicas = want
			_, err = client.UpdateScale(ctx, now.names[idle], scale, metav1.UpdateOptions{FieldManager: fieldManager})
		}
		if err != nil {
			return fmt.Errorf("giving %s %d pods: %w", idle, want, err)
		}
		d.note(service, "", fmt.Sprintf("%s gets %d pods, as many as %s has", idle, want, now.active))
	}
	ctx, cancel := context.WithTimeout(ctx, d.Timeout)
	defer cancel()
	tick := time.NewTicker(d.Poll)
	defer tick.Stop()
	for {
		one, err := client.Get(ctx, now.names[idle], metav1.GetOptions{})
		if err == nil && one.Status.AvailableReplicas >= want {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting for %d pods of %s: %w", want, idle, ctx.Err())
		case <-tick.C:
		}
	}
}

// idle is the color that a new version comes up in.
func (l live) idle(strategy spec.Strategy) string {
	switch {
	case strategy == spec.Rolling:
		return rolling
	case l.active == blue:
		return green
	}
	return blue
}

// fits tells whether the active color is one of the strategy's.
func (l live) fits(strategy spec.Strategy) bool {
	return (strategy == spec.Rolling) == (l.active == rolling)
}

// colorValues are the chart's values for these colors; the others have no Deployment.
func colorValues(active string, images map[string]Image) map[string]any {
	values := map[string]any{"active": active}
	for _, color := range colors() {
		values[color] = images[color].values()
	}
	return map[string]any{"strategy": string(spec.BlueGreen), "blueGreen": values}
}

// finalValues are those of the strategy with one color left.
func finalValues(strategy spec.Strategy, color string, image Image) map[string]any {
	if strategy == spec.Rolling {
		return map[string]any{"strategy": string(spec.Rolling)}
	}
	return colorValues(color, map[string]Image{color: image})
}
