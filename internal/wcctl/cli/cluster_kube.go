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
)

// clusterAPI is the cluster's API as the phases use it.
type clusterAPI struct {
	*kube.Cluster
	options kube.Options
}

// connector opens the API by a kubeconfig; dial reaches the machines for their certificates.
func (s *session) connector(dial phase.Dial) func(string) (phase.Kube, error) {
	options := kube.Options{
		Version: s.cluster.Spec.Kubernetes.Version, Plugin: s.cluster.Spec.Network.Plugin,
		Run: asRoot(dial),
	}
	forward := &apiForward{dial: dial}
	s.closers = append(s.closers, forward)
	return func(kubeconfig string) (phase.Kube, error) {
		machines, _, err := s.run.Fleet(context.Background()) // the phase has asked for it before
		if err == nil {
			kubeconfig, err = forward.reach(machines.ControlPlane(), kubeconfig)
		}
		if err != nil {
			return nil, err
		}
		cluster, err := kube.Connect(kubeconfig)
		if err != nil {
			return nil, err
		}
		return &clusterAPI{Cluster: cluster, options: options}, nil
	}
}

// clusterOf opens the API as all phases of a run reach it, a bastion in between or not.
func clusterOf(r *phase.Run) (*kube.Cluster, error) {
	opened, err := r.Connect(r.Folder.Kubeconfig())
	if err != nil {
		return nil, err
	}
	own, ok := opened.(*clusterAPI)
	if !ok {
		return nil, fmt.Errorf("the API is a %T", opened)
	}
	return own.Cluster, nil
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
