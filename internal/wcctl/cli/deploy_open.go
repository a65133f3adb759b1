package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/wastecoach/wastecoach/charts"
	"github.com/wastecoach/wastecoach/internal/wcctl/bundle"
	"github.com/wastecoach/wastecoach/internal/wcctl/deploy"
	"github.com/wastecoach/wastecoach/internal/wcctl/event"
	"github.com/wastecoach/wastecoach/internal/wcctl/fleet"
	"github.com/wastecoach/wastecoach/internal/wcctl/helm"
	"github.com/wastecoach/wastecoach/internal/wcctl/kube"
	"github.com/wastecoach/wastecoach/internal/wcctl/phase"
	"github.com/wastecoach/wastecoach/internal/wcctl/spec"
	"github.com/wastecoach/wastecoach/internal/wcctl/workspace"
)

const (
	podPoll = time.Second
	// secretsFile keeps what was generated for the cluster.
	secretsFile = "secrets.json"
	// sessionParallel is how many machines pull at once.
	sessionParallel = defaultParallel
)

// openDeployer reaches the cluster; the caller closes the view.
func openDeployer(
	ctx context.Context, con *console, flags *clusterFlags, w *wantedRelease, log io.Writer,
) (*view, *deploy.Deployer, error) {
	v, err := openView(ctx, con, flags)
	if err != nil {
		return nil, nil, err
	}
	if v.kube == nil {
		return nil, nil, errors.Join(noCluster(flags, v.folder), v.Close())
	}
	d, err := newDeployer(ctx, v.kube, v.spec, v.folder, v.fleet, log)
	if err != nil {
		return nil, nil, errors.Join(err, v.Close())
	}
	d.Timeout, d.Drain = w.timeout, w.drain
	if w.charts != "" {
		d.Charts = os.DirFS(w.charts)
	}
	return v, d, nil
}

// newDeployer works with the charts of this wcctl; nobody hears of its events yet.
func newDeployer(
	ctx context.Context, cluster *kube.Cluster, c *spec.Cluster, folder workspace.Folder, machines fleet.Fleet,
	log io.Writer,
) (*deploy.Deployer, error) {
	client := helm.New(cluster.Config(), log)
	d := &deploy.Deployer{
		Kube: cluster.Client(), Helm: client, Charts: charts.Files, Spec: c,
		Secrets: keeper{filepath.Join(string(folder), secretsFile)}, Sink: event.SinkFunc(func(event.Event) {}),
		Poll: podPoll,
	}
	if m, ok := machines.Edge(); ok {
		d.Edge = m.Address
	}
	if c.Spec.Delivery == spec.GitOps {
		if err := byGit(ctx, cluster, c, folder, d, client); err != nil {
			return nil, err
		}
	}
	return d, nil
}

// keeper is a file that its owner alone may read.
type keeper struct{ path string }

// Load implements deploy.Keeper.
func (k keeper) Load() ([]byte, error) {
	data, err := os.ReadFile(k.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return data, err
}

// Save implements deploy.Keeper.
func (k keeper) Save(data []byte) error { return workspace.WriteFile(k.path, data) }

// evidence keeps what is known of a failure beside the run's log.
func (h *held) evidence(service string, text []byte) (string, error) {
	path := strings.TrimSuffix(h.log.Path(), ".log") + "-" + service + "-evidence.txt"
	return path, workspace.WriteFile(path, text)
}

// puller lets images come from the bundle to the nodes; the session is nil without a bundle.
func puller(con *console, v *view, o *deployOptions, h *held, d *deploy.Deployer) (*session, error) {
	options := sessionOptions{
		flags: &o.clusterFlags, bundle: o.bundle, parallel: sessionParallel, id: h.id, log: h.log,
	}
	b, err := chosenBundle(con, v.spec, v.folder, options)
	if err != nil || b == nil {
		return nil, err
	}
	s, err := openSession(con, v.spec, v.folder, options)
	if err != nil {
		return nil, err
	}
	d.CRDs = customResources(b)
	d.Pull = func(ctx context.Context, images []string) error {
		if err := inBundle(b, images); err != nil {
			return err
		}
		return phase.PullImages(images).Apply(ctx, s.run, nil)
	}
	return s, nil
}

// customResources reads KEDA's kinds out of the bundle.
func customResources(b *bundle.Bundle) func(context.Context) ([][]byte, error) {
	return func(context.Context) ([][]byte, error) {
		var manifests [][]byte
		for _, f := range b.Lock().Files {
			name := path.Base(f.Path)
			if !strings.Contains(name, "keda.sh_") || !strings.HasSuffix(name, ".yaml") {
				continue
			}
			data, err := os.ReadFile(b.Path(name))
			if err != nil {
				return nil, fmt.Errorf("reading KEDA's kinds from the bundle: %w", err)
			}
			manifests = append(manifests, data)
		}
		return manifests, nil
	}
}

// inBundle names the images that nodes without a network could never get.
func inBundle(b *bundle.Bundle, images []string) error {
	var missing []string
	for _, ref := range images {
		if !b.HasImage(ref) {
			missing = append(missing, ref)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	return &Error{
		Cause: fmt.Errorf("%s does not hold %s", b.Dir(), strings.Join(missing, ", ")),
		Hint:  buildPath + " --all --bundle " + quote(b.Dir()),
	}
}
