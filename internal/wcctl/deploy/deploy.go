// Package deploy brings the services, and what they stand on, to a cluster.
package deploy

import (
	"context"
	"io/fs"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes"

	"github.com/wastecoach/wastecoach/internal/wcctl/event"
	"github.com/wastecoach/wastecoach/internal/wcctl/helm"
	"github.com/wastecoach/wastecoach/internal/wcctl/spec"
)

// Services are all services in the order in which they are deployed: whoever needs another one's
// answers comes later.
func Services() []string { return []string{"auth", "locations", "recycling", "waste", "users"} }

// Helm is what this package needs of Helm.
type Helm interface {
	Upgrade(ctx context.Context, t helm.Target, o helm.Options) (helm.Revision, error)
	Rollback(ctx context.Context, namespace, name string, to int, o helm.Options) error
	History(namespace, name string) ([]helm.Revision, error)
	Diff(ctx context.Context, t helm.Target) ([]helm.Change, error)
	Images(ctx context.Context, t helm.Target) ([]string, error)
	Unserved(ctx context.Context, t helm.Target) ([]schema.GroupKind, error)
	Apply(ctx context.Context, manifest []byte) error
}

// Deployer works on one cluster. Its caller holds the lock of the cluster's state folder.
type Deployer struct {
	Kube   kubernetes.Interface
	Helm   Helm
	Charts fs.FS
	Spec   *spec.Cluster
	Sink   event.Sink
	// Secrets keeps what was generated.
	Secrets Keeper
	// Written are a release's values that Git has, and whether it has any: they stand for the settings in
	// Spec then. nil where wcctl itself delivers.
	Written func(ctx context.Context, release string) (map[string]any, bool, error)
	// Edge is the address of the machine that takes the traffic from outside; empty where it is unknown.
	Edge string
	// CRDs are the custom resources of what the platform's charts bring, as manifests; nil for none.
	CRDs func(ctx context.Context) ([][]byte, error)
	// Pull brings images onto the nodes before pods need them; nil leaves that to the nodes.
	Pull func(ctx context.Context, images []string) error
	// Evidence keeps what is known of a failure and returns where.
	Evidence func(service string, text []byte) (path string, err error)
	// Timeout bounds each wait, Drain what the old color gets for its last requests.
	Timeout, Drain time.Duration
	// Poll is how often pods are looked at.
	Poll time.Duration
}

// Request is what shall be deployed.
type Request struct {
	Services []string
	// Platform deploys what the services stand on first.
	Platform bool
	// Image is of all services where it has no repository.
	Image Image
	// Keep leaves services that are there at their version: Image is of the others alone.
	Keep bool
	// Strategy stands for the file's where it is not empty. Without either, a service keeps its own.
	Strategy spec.Strategy
	// Values are laid over all others.
	Values map[string]any
}

// Outcome is how one release ended.
type Outcome struct {
	Release string `json:"release"`
	// Revision is the one that is deployed now.
	Revision int     `json:"revision,omitempty"`
	Image    string  `json:"image,omitempty"`
	Changed  bool    `json:"changed"`
	Seconds  float64 `json:"seconds"`
}

// work is one release with how it is brought about.
type work struct {
	title  string
	target helm.Target
	// service is empty for the platform's.
	service string
	// first is done even where the release has no changes; nil for nothing.
	first func(ctx context.Context) error
	do    func(ctx context.Context) (helm.Revision, error)
}

// Run deploys one release after the other, and ends with the first that fails.
func (d *Deployer) Run(ctx context.Context, r Request) ([]Outcome, error) {
	works, err := d.works(ctx, r)
	if err != nil {
		return nil, err
	}
	if err := d.lacks(ctx, works); err != nil {
		return nil, err
	}
	before, after := d.before(works), d.after(r)
	total := len(before) + len(works) + len(after)
	for i, p := range before {
		if err := d.aside(ctx, p, i, total); err != nil {
			return nil, err
		}
	}
	var outcomes []Outcome
	for i, w := range works {
		outcome, err := d.one(ctx, w, len(before)+i, total)
		if err != nil {
			return outcomes, d.failed(w.target.Name, err)
		}
		outcomes = append(outcomes, outcome)
	}
	for i, p := range after {
		if err := d.aside(ctx, p, len(before)+len(works)+i, total); err != nil {
			return outcomes, err
		}
	}
	return outcomes, nil
}

// aside is what comes before or after all releases.
type aside struct {
	name, title string
	do          func(ctx context.Context) error
}

func (d *Deployer) aside(ctx context.Context, a aside, done, total int) error {
	started := time.Now()
	d.Sink.Emit(event.Event{Kind: event.PhaseStarted, Phase: a.name, Task: a.title, Done: done, Total: total})
	if err := a.do(ctx); err != nil {
		return d.failed(a.name, err)
	}
	d.Sink.Emit(event.Event{
		Kind: event.PhaseFinished, Phase: a.name, Seconds: time.Since(started).Seconds(), Done: done + 1, Total: total,
	})
	return nil
}

func (d *Deployer) before(works []work) []aside {
	list := []aside{{prepareName, prepareTitle, func(ctx context.Context) error { return d.prepare(ctx, works) }}}
	if d.Pull != nil {
		list = append(list, aside{imagesName, imagesTitle, func(ctx context.Context) error {
			return d.pull(ctx, works)
		}})
	}
	return list
}

func (d *Deployer) after(r Request) []aside {
	if !r.Platform || !d.certified() {
		return nil
	}
	return []aside{{certificateName, certificateTitle, d.awaitCertificate}}
}

// pull brings the images of all releases to the nodes at once.
func (d *Deployer) pull(ctx context.Context, works []work) error {
	var images []string
	for _, w := range works {
		found, err := d.Helm.Images(ctx, w.target)
		if err != nil {
			return err
		}
		images = append(images, found...)
	}
	slices.Sort(images)
	return d.Pull(ctx, slices.Compact(images))
}

// Phases are the names and titles of what Run does, for whoever shows it.
func (d *Deployer) Phases(r Request) [][2]string {
	var list [][2]string
	for _, p := range d.before(nil) {
		list = append(list, [2]string{p.name, p.title})
	}
	if r.Platform {
		for _, p := range d.platform() {
			list = append(list, [2]string{p.name, p.title})
		}
	}
	for _, service := range Services() {
		if slices.Contains(r.Services, service) {
			list = append(list, [2]string{service, "Deploy " + service})
		}
	}
	for _, p := range d.after(r) {
		list = append(list, [2]string{p.name, p.title})
	}
	return list
}

// works are the releases in their order.
func (d *Deployer) works(ctx context.Context, r Request) ([]work, error) {
	var works []work
	if r.Platform {
		for _, p := range d.platform() {
			w, err := d.platformWork(ctx, p, r)
			if err != nil {
				return nil, err
			}
			works = append(works, w)
		}
	}
	for _, service := range Services() {
		if !slices.Contains(r.Services, service) {
			continue
		}
		w, err := d.serviceWork(ctx, service, r)
		if err != nil {
			return nil, err
		}
		works = append(works, w)
	}
	return works, nil
}

// one deploys a release where it has changes.
func (d *Deployer) one(ctx context.Context, w work, done, total int) (Outcome, error) {
	started := time.Now()
	d.Sink.Emit(event.Event{Kind: event.PhaseStarted, Phase: w.target.Name, Task: w.title, Done: done, Total: total})
	outcome := Outcome{Release: w.target.Name, Image: imageOf(w)}
	if w.first != nil {
		if err := w.first(ctx); err != nil {
			return Outcome{}, err
		}
	}
	current, err := d.unchanged(ctx, w.target)
	if err != nil {
		return Outcome{}, err
	}
	if current != nil {
		outcome.Revision, outcome.Seconds = current.Revision, time.Since(started).Seconds()
		d.Sink.Emit(event.Event{
			Kind: event.PhaseSkipped, Phase: w.target.Name, Text: "unchanged", Done: done + 1, Total: total,
		})
		return outcome, nil
	}
	revision, err := w.do(ctx)
	if err != nil {
		return Outcome{}, err
	}
	outcome.Revision, outcome.Changed, outcome.Seconds = revision.Revision, true, time.Since(started).Seconds()
	d.Sink.Emit(event.Event{
		Kind: event.PhaseFinished, Phase: w.target.Name, Seconds: outcome.Seconds, Done: done + 1, Total: total,
	})
	return outcome, nil
}

// unchanged is the release's revision where nothing would change, nil otherwise.
func (d *Deployer) unchanged(ctx context.Context, t helm.Target) (*helm.Revision, error) {
	revisions, err := d.Helm.History(t.Namespace, t.Name)
	if err != nil || len(revisions) == 0 {
		return nil, err
	}
	last := revisions[len(revisions)-1]
	if last.Status != helm.Deployed {
		return nil, nil //nolint:nilnil // a failed one is deployed again
	}
	changes, err := d.Helm.Diff(ctx, t)
	if err != nil || len(changes) > 0 {
		return nil, err
	}
	return &last, nil
}

// Diff tells what Run would change, by release.
func (d *Deployer) Diff(ctx context.Context, r Request) (map[string][]helm.Change, error) {
	works, err := d.works(ctx, r)
	if err != nil {
		return nil, err
	}
	all := map[string][]helm.Change{}
	for _, w := range works {
		changes, err := d.Helm.Diff(ctx, w.target)
		if err != nil {
			return nil, err
		}
		all[w.target.Name] = changes
	}
	return all, nil
}

func (d *Deployer) failed(phase string, err error) error {
	d.Sink.Emit(event.Event{Kind: event.PhaseFailed, Phase: phase, Text: err.Error()})
	return err
}

func (d *Deployer) note(release, task, text string) {
	d.Sink.Emit(event.Event{Kind: event.Note, Phase: release, Task: task, Text: text})
}

func imageOf(w work) string {
	if w.service == "" {
		return ""
	}
	return imageFrom(w.target.Values).String()
}
