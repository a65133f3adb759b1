// Package helm puts charts into a cluster with Helm's library, one verb per file.
package helm

import (
	"fmt"
	"io"
	"log/slog"
	"sync"

	"helm.sh/helm/v4/pkg/action"
	"helm.sh/helm/v4/pkg/kube"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/restmapper"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

const (
	// manager is who owns the fields that we apply. Helm would take the program's file name.
	manager = "wcctl"
	// keptRevisions is how many revisions of a release can be rolled back to.
	keptRevisions = 20
)

// Client works on one cluster.
type Client struct {
	config *rest.Config
	logger slog.Handler
}

var nameManager = sync.OnceFunc(func() { kube.ManagedFieldsManager = manager })

// New prepares a client; nothing is sent yet. log receives what Helm has to say.
func New(config *rest.Config, log io.Writer) *Client {
	nameManager()
	config = rest.CopyConfig(config)
	config.Timeout = 0 // it would end Helm's watches
	return &Client{config: config, logger: slog.NewTextHandler(log, nil)}
}

// open prepares Helm's actions on a namespace.
func (c *Client) open(namespace string) (*action.Configuration, *getter, error) {
	g := &getter{config: c.config, namespace: namespace}
	client, err := discovery.NewDiscoveryClientForConfig(c.config)
	if err != nil {
		return nil, nil, fmt.Errorf("preparing Helm: %w", err)
	}
	g.discovery = memory.NewMemCacheClient(client)
	g.mapper = restmapper.NewDeferredDiscoveryRESTMapper(g.discovery)
	cfg := action.NewConfiguration(action.ConfigurationSetLogger(c.logger))
	if err := cfg.Init(g, namespace, "secret"); err != nil {
		return nil, nil, fmt.Errorf("preparing Helm: %w", err)
	}
	return cfg, g, nil
}

// getter hands our connection to Helm, which otherwise reads a kubeconfig.
type getter struct {
	config    *rest.Config
	namespace string
	discovery discovery.CachedDiscoveryInterface
	mapper    meta.RESTMapper
}

// ToRESTConfig implements genericclioptions.RESTClientGetter.
func (g *getter) ToRESTConfig() (*rest.Config, error) { return rest.CopyConfig(g.config), nil }

// ToDiscoveryClient implements genericclioptions.RESTClientGetter.
func (g *getter) ToDiscoveryClient() (discovery.CachedDiscoveryInterface, error) {
	return g.discovery, nil
}

// ToRESTMapper implements genericclioptions.RESTClientGetter.
func (g *getter) ToRESTMapper() (meta.RESTMapper, error) { return g.mapper, nil }

// ToRawKubeConfigLoader implements genericclioptions.RESTClientGetter; Helm takes the namespace from it.
func (g *getter) ToRawKubeConfigLoader() clientcmd.ClientConfig {
	return clientcmd.NewDefaultClientConfig(*clientcmdapi.NewConfig(), &clientcmd.ConfigOverrides{
		Context: clientcmdapi.Context{Namespace: g.namespace},
	})
}
