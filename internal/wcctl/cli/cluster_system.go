package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"time"

	"github.com/wastecoach/wastecoach/internal/wcctl/bench"
	"github.com/wastecoach/wastecoach/internal/wcctl/bundle"
	"github.com/wastecoach/wastecoach/internal/wcctl/deploy"
	"github.com/wastecoach/wastecoach/internal/wcctl/event"
	"github.com/wastecoach/wastecoach/internal/wcctl/phase"
)

const (
	deployPhase = "deploy"
	// tryTime bounds one analysis; the first of a system reads its rules and fills its caches.
	tryTime = 2 * time.Minute
)

// system deploys and tries what runs on the cluster, as phases of wcctl up.
type system struct {
	bundle *bundle.Bundle
	dial   phase.Dial
	// tag is of services that are not there yet; empty for the commit's.
	tag string
	log io.Writer
	// evidence is nil in a plan.
	evidence func(service string, text []byte) (string, error)
}

// request leaves what is there as it is.
func (s *system) request() deploy.Request {
	return deploy.Request{
		Services: deploy.Services(), Platform: true, Keep: true, Image: deploy.Image{Tag: s.tag},
	}
}

// deployer works with the cluster as the run's phases reach it; it is nil before there is one.
func (s *system) deployer(ctx context.Context, r *phase.Run) (*deploy.Deployer, error) {
	machines, known, err := r.Fleet(ctx)
	if err != nil || !known {
		return nil, err
	}
	cluster, err := clusterOf(r)
	if err != nil {
		return nil, nil //nolint:nilerr,nilnil // there is no kubeconfig yet
	}
	if _, err := cluster.Client().Discovery().ServerVersion(); err != nil {
		return nil, nil //nolint:nilerr,nilnil // it does not answer yet: the phases before this one bring it up
	}
	d, err := newDeployer(ctx, cluster, r.Cluster, r.Folder, machines, s.log)
	if err != nil {
		return nil, err
	}
	d.Timeout, d.Drain, d.Evidence = deployTimeout, deployDrain, s.evidence
	if s.bundle != nil {
		d.CRDs = customResources(s.bundle)
	}
	return d, nil
}

// Pending implements phase.System.
func (s *system) Pending(ctx context.Context, r *phase.Run) ([]phase.Change, error) {
	d, err := s.deployer(ctx, r)
	if err != nil {
		return nil, err
	}
	if err := s.nameVersion(ctx, d); err != nil {
		return nil, err
	}
	if d == nil {
		if err := s.inBundle(r); err != nil {
			return nil, err
		}
		what := "deploy everything, version " + s.tag
		return []phase.Change{{Phase: deployPhase, What: what, Why: "a new cluster"}}, nil
	}
	changes, err := d.Diff(ctx, s.request())
	if err != nil {
		return nil, err
	}
	var list []phase.Change
	for _, p := range d.Phases(s.request()) {
		if n := len(changes[p[0]]); n > 0 {
			list = append(list, phase.Change{
				Phase: deployPhase, What: "deploy " + p[0], Why: counted(n, "object") + " would change",
			})
		}
	}
	return list, nil
}

// nameVersion finds the tag where some service is not there yet.
func (s *system) nameVersion(ctx context.Context, d *deploy.Deployer) error {
	if s.tag != "" {
		return nil
	}
	if d != nil {
		if missing, err := d.Missing(ctx); err != nil || len(missing) == 0 {
			return err
		}
	}
	tag, err := commitTag(ctx, "wcctl up", nil)
	s.tag = tag
	return err
}

// inBundle finds out before the machines are made.
func (s *system) inBundle(r *phase.Run) error {
	if s.bundle == nil {
		return nil
	}
	var images []string
	for _, program := range deploy.Programs(r.Cluster) {
		image := deploy.Image{Repository: path.Join(r.Cluster.Spec.Images.Registry, program), Tag: s.tag}
		images = append(images, image.String())
	}
	return inBundle(s.bundle, images)
}

// Deploy implements phase.System.
func (s *system) Deploy(ctx context.Context, r *phase.Run) error {
	d, err := s.deployer(ctx, r)
	if err == nil && d == nil {
		err = errors.New("the API server does not answer")
	}
	if err != nil {
		return &phase.Error{Phase: deployPhase, Cause: err, Hint: "wcctl status"}
	}
	within := event.SinkFunc(func(e event.Event) { emitWithin(r.Sink, e) })
	d.Sink = within
	if s.bundle != nil {
		d.Pull = func(ctx context.Context, images []string) error {
			if err := inBundle(s.bundle, images); err != nil {
				return err
			}
			return phase.PullImages(images).Apply(ctx, r, nil)
		}
	}
	_, err = d.Run(ctx, s.request())
	var failed *deploy.FailureError
	if errors.As(err, &failed) {
		return &phase.Error{Phase: deployPhase, Cause: err, Hint: "wcctl logs " + failed.Release + "\nwcctl up"}
	}
	if hint := neededHint(err, "wcctl up"); hint != "" {
		return &phase.Error{Phase: deployPhase, Cause: err, Hint: hint}
	}
	return err
}

// emitWithin tells a deployment's phases as tasks of the one phase that it is here.
func emitWithin(sink event.Sink, e event.Event) {
	release := e.Phase
	e.Phase, e.Done, e.Total = deployPhase, 0, 0
	switch e.Kind {
	case event.PhaseStarted:
		e.Kind = event.TaskStarted
	case event.PhaseFinished:
		e.Kind, e.Text = event.Note, fmt.Sprintf("done in %s", roundly(time.Duration(e.Seconds*float64(time.Second))))
		e.Task, e.Seconds = release, 0
	case event.PhaseSkipped:
		e.Kind, e.Task = event.Note, release
	case event.PhaseFailed: // the run tells it
		return
	case event.Note:
		if e.Task != "" {
			release += ": " + e.Task
		}
		e.Task = release
	}
	sink.Emit(e)
}

// Version implements phase.System.
func (s *system) Version(ctx context.Context, r *phase.Run) (string, error) {
	d, err := s.deployer(ctx, r)
	if err != nil || d == nil {
		return "", err
	}
	revisions, err := d.Revisions()
	if err != nil || revisions == nil {
		return "", err
	}
	text, err := json.Marshal(revisions)
	return string(text), err
}

// Try implements phase.System.
func (s *system) Try(ctx context.Context, r *phase.Run) (string, error) {
	d, err := s.deployer(ctx, r)
	if err == nil && d == nil {
		err = errors.New("the API server does not answer")
	}
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, tryTime, fmt.Errorf("no answer within %s", tryTime))
	defer cancel()
	machines, err := r.Made(ctx)
	if err != nil {
		return "", err
	}
	e, err := reachEdge(ctx, d, machines, s.dial)
	if err != nil {
		return "", err
	}
	c, err := newClient(e.address(), e.transport())
	if err != nil {
		return "", err
	}
	started := time.Now()
	providers, err := c.Providers(ctx)
	if err != nil {
		return "", trialError(e, err)
	}
	for _, p := range providers {
		if p.Interactive {
			continue
		}
		tokens, err := c.FollowLogin(ctx, c.StartLogin(p.ID, noListener))
		if err != nil {
			return "", trialError(e, err)
		}
		found, err := bench.One(ctx, c.WithTokens(issued(tokens.AccessToken)))
		if err != nil {
			return "", trialError(e, err)
		}
		return fmt.Sprintf("%s: logged in with %s, job %s succeeded, %s",
			e.address(), p.ID, found.ID, roundly(time.Since(started))), nil
	}
	return e.address() + " answers; no photo was analyzed, since only a person can log in", nil
}

// issued is an access token for as long as it is good.
type issued string

// Token implements client.TokenSource.
func (t issued) Token(context.Context, string) (string, error) { return string(t), nil }

func trialError(e *edge, err error) error {
	return &phase.Error{
		Phase: "smoke", Cause: fmt.Errorf("asking %s: %w", e.address(), err),
		Hint: "wcctl status\nwcctl logs waste\nwcctl up",
	}
}
