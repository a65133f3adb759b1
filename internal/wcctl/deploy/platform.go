package deploy

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/wastecoach/wastecoach/internal/wcctl/gitops"
	"github.com/wastecoach/wastecoach/internal/wcctl/helm"
	"github.com/wastecoach/wastecoach/internal/wcctl/spec"
)

// platformRelease is something that the services stand on.
type platformRelease struct {
	// name is the release's, chart the folder's; namespace is the name where it is empty.
	name, chart, namespace string
	title                  string
}

// platform lists them in their order: each may need those before it.
func (d *Deployer) platform() []platformRelease {
	var all []platformRelease
	if d.Spec.Spec.Delivery == spec.GitOps {
		all = append(all, platformRelease{
			name: gitops.Release, chart: gitops.Release, namespace: gitops.Namespace, title: "What Argo CD is told",
		})
	}
	all = append(all,
		platformRelease{name: "storage", chart: "storage", title: "Volumes"},
		platformRelease{name: "data", chart: "data", title: "PostgreSQL, Redis and S3"},
	)
	if d.Spec.Spec.Target == spec.Local {
		// Before the way in, which asks the ACME server for a certificate when it starts.
		all = append(all, platformRelease{name: labNamespace, chart: "lab", title: "The lab's ACME server and logins"})
	}
	all = append(all,
		platformRelease{name: "ingress", chart: "ingress", title: "The way in"},
		platformRelease{name: "autoscaling", chart: "autoscaling", namespace: "keda", title: "Autoscaling of workers"},
		platformRelease{name: "monitoring", chart: "monitoring", title: "Metrics and alerts"},
	)
	return slices.DeleteFunc(all, func(p platformRelease) bool { return d.Spec.Spec.Platform[p.chart].Disabled })
}

func (p platformRelease) space() string {
	if p.namespace != "" {
		return p.namespace
	}
	return p.name
}

// ours are the programs of this repository on the platform, by the chart whose values name their image so.
var ours = map[string]string{labNamespace: "idp", "monitoring": "observer"}

// Programs are those of this repository that the cluster's system runs.
func Programs(cluster *spec.Cluster) []string {
	names := Services()
	for _, p := range (&Deployer{Spec: cluster}).platform() {
		if program, has := ours[p.chart]; has {
			names = append(names, program)
		}
	}
	return names
}

// ourImage is what a chart's values say of the program that is ours; nil where there is none.
func (d *Deployer) ourImage(p platformRelease, r Request) (map[string]any, error) {
	program, has := ours[p.chart]
	if !has {
		return nil, nil
	}
	tag := r.Image.Tag
	if r.Keep {
		revisions, err := d.Helm.History(p.space(), p.name)
		if err != nil {
			return nil, err
		}
		if n := len(revisions); n > 0 {
			there, _, err := unstructured.NestedString(revisions[n-1].Values, program, "image", "tag")
			if err != nil {
				return nil, fmt.Errorf("reading the version of %s: %w", program, err)
			}
			tag = cmp.Or(there, tag)
		}
	}
	return map[string]any{program: map[string]any{"image": map[string]any{
		"repository": d.Spec.Spec.Images.Registry + "/" + program, "tag": tag,
	}}}, nil
}

func (d *Deployer) platformWork(ctx context.Context, p platformRelease, r Request) (work, error) {
	chart, err := helm.OpenChart(d.Charts, p.chart)
	if err != nil {
		return work{}, err
	}
	image, err := d.ourImage(p, r)
	if err != nil {
		return work{}, err
	}
	values := helm.Merge(helm.Merge(d.common(chart), d.labValues(p.chart)), image)
	values = helm.Merge(values, d.Spec.Spec.Platform[p.chart].Values)
	if p.chart == gitops.Release {
		values = d.gitValues()
	} else if written, there, err := d.written(ctx, p.name); err != nil {
		return work{}, err
	} else if there {
		values = written
	}
	target := helm.Target{Name: p.name, Namespace: p.space(), Chart: chart, Values: values}
	var first func(ctx context.Context) error
	if p.chart == "autoscaling" && d.CRDs != nil {
		first = d.customResources
	}
	return work{title: p.title, target: target, first: first, do: func(ctx context.Context) (helm.Revision, error) {
		return d.rollOut(ctx, target, []step{{
			text: deployedText + p.chart, migrates: true, left: "Kubernetes goes on with what was applied",
			// Services need not wait for the certificate: see awaitCertificate.
			applied: p.chart == ingressNamespace && d.Spec.Spec.Ingress.Flavor == spec.F5,
		}})
	}}, nil
}

// gitValues are those of charts/gitops.
func (d *Deployer) gitValues() map[string]any {
	g := d.Spec.Spec.Git
	return map[string]any{
		"git":    map[string]any{"url": g.URL, "branch": g.Branch, "path": g.Path},
		"charts": map[string]any{"url": g.ChartsURL, "revision": g.ChartsRevision},
	}
}

// written are a release's values in Git, if there are any.
func (d *Deployer) written(ctx context.Context, release string) (map[string]any, bool, error) {
	if d.Written == nil {
		return nil, false, nil
	}
	return d.Written(ctx, release)
}

// common are the values of the whole system that the chart has a place for.
func (d *Deployer) common(chart helm.Chart) map[string]any {
	s := d.Spec.Spec
	values := map[string]any{}
	if s.Domain != "" && chart.Knows("domain") {
		values["domain"] = s.Domain
	}
	if s.Ingress.Flavor != "" && chart.Knows("ingress.flavor") {
		maps.Copy(values, map[string]any{"ingress": map[string]any{"flavor": string(s.Ingress.Flavor)}})
	}
	if s.Ingress.Flavor != "" && chart.Knows("flavor") {
		values["flavor"] = string(s.Ingress.Flavor)
	}
	return values
}

// customResources applies what a chart cannot bring, as Helm would never change it again.
func (d *Deployer) customResources(ctx context.Context) error {
	manifests, err := d.CRDs(ctx)
	if err != nil {
		return err
	}
	for _, manifest := range manifests {
		if err := d.Helm.Apply(ctx, manifest); err != nil {
			return err
		}
	}
	return nil
}
