package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"

	"k8s.io/client-go/tools/clientcmd"

	"github.com/wastecoach/wastecoach/internal/wcctl/bundle"
	"github.com/wastecoach/wastecoach/internal/wcctl/fleet"
	"github.com/wastecoach/wastecoach/internal/wcctl/phase"
	"github.com/wastecoach/wastecoach/internal/wcctl/preflight"
	"github.com/wastecoach/wastecoach/internal/wcctl/spec"
	"github.com/wastecoach/wastecoach/internal/wcctl/workspace"
)

// checker looks at all machines at once and judges them together; b is nil without a bundle. Known
// is the authority of the cluster that they may be of; where it is empty, the kubeconfig's.
func checker(c *spec.Cluster, folder workspace.Folder, b *bundle.Bundle, known string) phase.Check {
	want := preflight.Want{Cluster: c.Metadata.Name, Lab: c.Spec.Target == spec.Local}
	if b != nil {
		want.Distribution = b.Lock().Distribution
	}
	return func(
		ctx context.Context, machines fleet.Fleet, shells map[string]phase.Shell,
	) ([]phase.Finding, error) {
		facts := make([]preflight.Facts, len(machines))
		errs := make([]error, len(machines))
		var probes sync.WaitGroup
		for i, m := range machines {
			client, ok := shells[m.Name].(preflight.Client)
			if !ok {
				return nil, fmt.Errorf("no login to %s", m.Name)
			}
			probes.Go(func() { facts[i], errs[i] = preflight.Probe(ctx, client) })
		}
		probes.Wait()
		if err := errors.Join(errs...); err != nil {
			return nil, err
		}
		want.Authority = cmp.Or(known, authority(folder))
		found := preflight.Check(facts, want)
		findings := make([]phase.Finding, len(found))
		for i, f := range found {
			findings[i] = phase.Finding{
				Host: f.Host, Text: f.Text, Hint: f.Hint, Fatal: f.Severity == preflight.Error,
			}
		}
		return findings, nil
	}
}

// authority is the fingerprint of the cluster that the kubeconfig belongs to; empty without one.
func authority(folder workspace.Folder) string {
	config, err := clientcmd.LoadFromFile(folder.Kubeconfig())
	if err != nil {
		return ""
	}
	current := config.Contexts[config.CurrentContext]
	if current == nil || config.Clusters[current.Cluster] == nil {
		return ""
	}
	return preflight.AuthorityHash(config.Clusters[current.Cluster].CertificateAuthorityData)
}
