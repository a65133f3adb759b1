package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"golang.org/x/sync/errgroup"
	"k8s.io/client-go/dynamic"

	"github.com/wastecoach/wastecoach/internal/wcctl/deploy"
	"github.com/wastecoach/wastecoach/internal/wcctl/gitops"
	"github.com/wastecoach/wastecoach/internal/wcctl/helm"
	"github.com/wastecoach/wastecoach/internal/wcctl/kube"
	"github.com/wastecoach/wastecoach/internal/wcctl/spec"
)

const driftCondition = "drift"

// drift tells whether the system is as it was deployed, or as Git says. It is nil before anything was
// deployed, and where the API server does not answer, which the report tells.
func (v *view) drift(ctx context.Context, report kube.Report) *kube.Condition {
	for _, c := range report.Conditions {
		if c.Name == "api-server" && !c.State.Fine() {
			return nil
		}
	}
	look := v.driftFromHelm
	if v.spec.Spec.Delivery == spec.GitOps {
		look = v.driftFromGit
	}
	c, err := look(ctx)
	if err != nil {
		c = &kube.Condition{State: kube.Warning, Message: "cannot be asked: " + err.Error()}
	}
	if c != nil {
		c.Name = driftCondition
	}
	return c
}

func (v *view) driftFromGit(ctx context.Context) (*kube.Condition, error) {
	client, err := dynamic.NewForConfig(v.kube.Config())
	if err != nil {
		return nil, err
	}
	drifts, count, err := gitops.Argo{Client: client}.Drifts(ctx)
	if errors.Is(err, gitops.ErrNoArgoCD) {
		return &kube.Condition{State: kube.Warning, Message: err.Error(), Hint: argoHint}, nil
	}
	if err != nil || count == 0 {
		return nil, err
	}
	if len(drifts) == 0 {
		return &kube.Condition{
			State: kube.OK, Message: counted(count, "Application") + " as " + v.spec.Spec.Git.Branch + " says",
		}, nil
	}
	lines := make([]string, len(drifts))
	for i, d := range drifts {
		lines[i] = d.String()
	}
	return &kube.Condition{
		State: kube.Warning, Message: strings.Join(lines, "; "),
		Hint: "kubectl -n " + gitops.Namespace + " describe application " + drifts[0].Release,
	}, nil
}

// driftFromHelm lets the API server apply each service's last revision by a dry run.
func (v *view) driftFromHelm(ctx context.Context) (*kube.Condition, error) {
	client := helm.New(v.kube.Config(), io.Discard)
	changes := make([][]helm.Change, len(deploy.Services()))
	deployed := make([]bool, len(changes))
	group, ctx := errgroup.WithContext(ctx)
	for i, service := range deploy.Services() {
		group.Go(func() error {
			revisions, err := client.History(service, service)
			if err != nil || len(revisions) == 0 {
				return err
			}
			deployed[i] = true
			changes[i], err = client.Drift(ctx, service, service)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	count := 0
	var lines, names []string
	for i, list := range changes {
		if deployed[i] {
			count++
		}
		for _, c := range list {
			lines = append(lines, fmt.Sprintf("%s (%s)", c.Object, c.Action))
		}
		if len(list) > 0 {
			names = append(names, deploy.Services()[i])
		}
	}
	if count == 0 {
		return nil, nil //nolint:nilnil // nothing is deployed
	}
	if len(lines) == 0 {
		return &kube.Condition{State: kube.OK, Message: counted(count, "service") + " as deployed"}, nil
	}
	return &kube.Condition{
		State: kube.Warning, Message: "not as deployed: " + strings.Join(lines, ", "),
		Hint: v.flags.again("diff " + strings.Join(names, " ")),
	}, nil
}
