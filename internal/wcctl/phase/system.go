package phase

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/wastecoach/wastecoach/internal/wcctl/workspace"
)

// System is what runs on the cluster.
type System interface {
	// Pending names what deploying would change, each with its why.
	Pending(ctx context.Context, r *Run) ([]Change, error)
	Deploy(ctx context.Context, r *Run) error
	// Version is the same as long as what is deployed is; empty before all of it is.
	Version(ctx context.Context, r *Run) (string, error)
	// Try uses the system as a phone does and tells how it went.
	Try(ctx context.Context, r *Run) (string, error)
}

// deployed is a configuration's wish for the whole system.
func (r *Run) deployed() bool { return r.System != nil && r.Cluster.Spec.Domain != "" }

// deployment brings everything that the services stand on, and the services.
type deployment struct{}

func (deployment) Name() string  { return deployName }
func (deployment) Title() string { return "Deploy the system" }
func (deployment) Place() Place  { return OnControlPlane }

func (deployment) About() string {
	return "Does what `wcctl deploy --all` does, where `spec.domain` says where the system shall answer. Services " +
		"that are there keep their version. It has work where a release is missing or would change."
}

// Pending implements Phase.
func (deployment) Pending(ctx context.Context, r *Run) ([]Change, error) {
	if !r.deployed() {
		return nil, nil
	}
	return r.System.Pending(ctx, r)
}

// Apply implements Phase.
func (deployment) Apply(ctx context.Context, r *Run, _ []Change) error {
	if _, err := r.Made(ctx); err != nil {
		return err
	}
	return r.System.Deploy(ctx, r)
}

// smoke tries once what was deployed.
type smoke struct{}

func (smoke) Name() string  { return smokeName }
func (smoke) Title() string { return "Try the system" }
func (smoke) Place() Place  { return Here }

func (smoke) About() string {
	return "Analyzes a photo through the way in, with TLS: login, upload, recognition, advice. It has work where " +
		"what is deployed has not been tried since it changed. Where only a person can log in, it ends before " +
		"the login and says so."
}

// triedFile holds the version of the system that was tried.
const triedFile = "tried"

// Pending implements Phase.
func (smoke) Pending(ctx context.Context, r *Run) ([]Change, error) {
	if !r.deployed() {
		return nil, nil
	}
	change := []Change{{Phase: smokeName, What: "analyze a photo", Why: "a new system"}}
	version, err := r.System.Version(ctx, r)
	if err != nil || version == "" {
		return change, err
	}
	tried, err := os.ReadFile(filepath.Join(string(r.Folder), triedFile))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return change, nil
	case err != nil:
		return nil, err
	case string(tried) == version && !r.Again:
		return nil, nil
	}
	change[0].Why = "it has changed since"
	return change, nil
}

// Apply implements Phase.
func (smoke) Apply(ctx context.Context, r *Run, _ []Change) error {
	if _, err := r.Made(ctx); err != nil {
		return err
	}
	version, err := r.System.Version(ctx, r)
	if err != nil {
		return err
	}
	told, err := r.System.Try(ctx, r)
	if err != nil {
		return err
	}
	r.note(smokeName, "", told)
	return workspace.WriteFile(filepath.Join(string(r.Folder), triedFile), []byte(version))
}
