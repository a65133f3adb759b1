package cli

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/wastecoach/wastecoach/internal/wcctl/event"
	"github.com/wastecoach/wastecoach/internal/wcctl/fleet"
	"github.com/wastecoach/wastecoach/internal/wcctl/kube"
	"github.com/wastecoach/wastecoach/internal/wcctl/phase"
	"github.com/wastecoach/wastecoach/internal/wcctl/spec"
)

// clusterAPI is the cluster's API as the phases use it.
type clusterAPI struct {
	*kube.Cluster
	options kube.Options
}

// connector opens the API by a kubeconfig; dial reaches the machines for their certificates.
func connector(c *spec.Cluster, dial phase.Dial) func(string) (phase.Kube, error) {
	options := kube.Options{
		Version: c.Spec.Kubernetes.Version, Plugin: c.Spec.Network.Plugin,
		Run: func(ctx context.Context, m fleet.Machine, script string) (string, error) {
			shell, err := dial(ctx, m, 0)
			if err != nil {
				return "", err
			}
			defer shell.Close()
			return shell.Output(ctx, script, nil)
		},
	}
	return func(kubeconfig string) (phase.Kube, error) {
		cluster, err := kube.Connect(kubeconfig)
		if err != nil {
			return nil, err
		}
		return &clusterAPI{Cluster: cluster, options: options}, nil
	}
}

func (a *clusterAPI) of(machines fleet.Fleet) kube.Options {
	options := a.options
	options.Fleet = machines
	return options
}

// Conditions implements phase.Kube.
func (a *clusterAPI) Conditions(ctx context.Context, machines fleet.Fleet) []kube.Condition {
	return a.Cluster.Conditions(ctx, a.of(machines))
}

// Wait implements phase.Kube.
func (a *clusterAPI) Wait(
	ctx context.Context, machines fleet.Fleet, sink event.Sink,
) ([]kube.Condition, error) {
	return a.Cluster.Wait(ctx, a.of(machines), "conditions", sink)
}

// Nodes implements phase.Kube.
func (a *clusterAPI) Nodes(ctx context.Context) ([]phase.Node, error) {
	list, err := a.Client().CoreV1().Nodes().List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, fmt.Errorf("listing the nodes: %w", err)
	}
	nodes := make([]phase.Node, len(list.Items))
	for i, n := range list.Items {
		nodes[i] = phase.Node{Name: n.Name, Labels: n.Labels}
	}
	return nodes, nil
}

// Has implements phase.Kube.
func (a *clusterAPI) Has(ctx context.Context, o phase.Object) (bool, error) {
	var err error
	switch o.Kind {
	case "DaemonSet":
		_, err = a.Client().AppsV1().DaemonSets(o.Namespace).Get(ctx, o.Name, metav1.GetOptions{})
	case "Deployment":
		_, err = a.Client().AppsV1().Deployments(o.Namespace).Get(ctx, o.Name, metav1.GetOptions{})
	default:
		return false, fmt.Errorf("unknown kind %q", o.Kind)
	}
	if apierrors.IsNotFound(err) {
		return false, nil
	}
	return err == nil, err
}
