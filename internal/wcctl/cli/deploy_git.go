package cli

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"k8s.io/client-go/dynamic"

	"github.com/wastecoach/wastecoach/internal/wcctl/deploy"
	"github.com/wastecoach/wastecoach/internal/wcctl/event"
	"github.com/wastecoach/wastecoach/internal/wcctl/gitops"
	"github.com/wastecoach/wastecoach/internal/wcctl/helm"
	"github.com/wastecoach/wastecoach/internal/wcctl/kube"
	"github.com/wastecoach/wastecoach/internal/wcctl/proc"
	"github.com/wastecoach/wastecoach/internal/wcctl/spec"
	"github.com/wastecoach/wastecoach/internal/wcctl/workspace"
)

// gitFolder is wcctl's own clone in the state folder.
const gitFolder = "git"

// argoHint installs what charts/gitops needs; nothing of it is in a bundle.
const argoHint = "kubectl create namespace argocd\n" +
	"kubectl apply -n argocd --server-side -f " +
	"https://raw.githubusercontent.com/argoproj/argo-cd/v3.5.7/manifests/core-install.yaml"

// byGit makes a deployer write to Git instead of asking Helm.
func byGit(
	ctx context.Context, cluster *kube.Cluster, c *spec.Cluster, folder workspace.Folder, d *deploy.Deployer,
	client *helm.Client,
) error {
	repo, err := openRepo(ctx, c, folder)
	if err != nil {
		return err
	}
	argo, err := dynamic.NewForConfig(cluster.Config())
	if err != nil {
		return fmt.Errorf("preparing the connection to Argo CD: %w", err)
	}
	delivery := &gitops.Delivery{
		Repo: repo, Path: c.Spec.Git.Path, Argo: gitops.Argo{Client: argo}, Helm: client,
		Services: deploy.Services(), Poll: podPoll,
		Tell: func(release, text string) {
			d.Sink.Emit(event.Event{Kind: event.Note, Phase: release, Text: text})
		},
	}
	d.Helm, d.Written = delivery, delivery.Values
	return nil
}

func openRepo(ctx context.Context, c *spec.Cluster, folder workspace.Folder) (*gitops.Repo, error) {
	git := c.Spec.Git
	repo := &gitops.Repo{Dir: filepath.Join(string(folder), gitFolder), URL: git.URL, Branch: git.Branch}
	if err := repo.Fetch(ctx); err != nil {
		return nil, gitError(err, git.URL)
	}
	return repo, nil
}

// gitError says how to find out what Git lacks.
func gitError(err error, url string) error {
	var failed *proc.Error
	if !errors.As(err, &failed) {
		return err
	}
	hint := "git ls-remote " + quote(url)
	if name, missing := failed.Missing(); missing {
		hint = "sudo apt-get install " + name
	}
	return &Error{Cause: err, Hint: hint}
}

// valuesInGit refuses flags that lay values over those in Git, which say what runs.
func (w *wantedRelease) valuesInGit(c *spec.Cluster, path string) error {
	if c.Spec.Delivery != spec.GitOps {
		return nil
	}
	if len(w.assignments)+len(w.valuesFiles) > 0 || w.charts != "" {
		return usageErrorf(path,
			"with delivery gitops, values and charts are what Git has: change %s/services/NAME.yaml there",
			c.Spec.Git.Path)
	}
	return nil
}
