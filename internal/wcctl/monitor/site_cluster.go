package monitor

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"
	"golang.org/x/sync/singleflight"
	corev1 "k8s.io/api/core/v1"

	"github.com/wastecoach/wastecoach/internal/env"
	"github.com/wastecoach/wastecoach/internal/operator"
	"github.com/wastecoach/wastecoach/internal/redisdb"
	"github.com/wastecoach/wastecoach/internal/wcctl/kube"
)

// clusterSite is the system in a cluster, reached through the API server alone.
type clusterSite struct {
	cluster *kube.Cluster
	tunnels *tunnels
	web     *http.Client
	// lock holds whoever reads the secrets; the others wait no longer than they may.
	lock chan struct{}
	at   *reached
}

func newClusterSite(kubeconfig string) (*clusterSite, error) {
	cluster, err := kube.Connect(kubeconfig)
	if err != nil {
		return nil, err
	}
	return siteOf(cluster), nil
}

func siteOf(cluster *kube.Cluster) *clusterSite {
	tunnels := &tunnels{cluster: cluster, open: map[string]*kube.Tunnel{}}
	return &clusterSite{
		cluster: cluster, tunnels: tunnels, lock: make(chan struct{}, 1),
		web: &http.Client{Transport: &http.Transport{DialContext: tunnels.dial}},
	}
}

// reach reads the secrets until it has them. Who may not read them sees the cluster all the same.
func (s *clusterSite) reach(ctx context.Context) (*reached, error) {
	select {
	case s.lock <- struct{}{}:
		defer func() { <-s.lock }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if s.at != nil {
		return s.at, nil
	}
	at := &reached{source: "cluster " + s.cluster.Name(), cluster: s.cluster, web: s.web}
	token, err := s.cluster.Secret(ctx, wasteToken.namespace, wasteToken.name, wasteToken.key)
	if err != nil {
		at.lack = err
		return at, nil
	}
	password, err := s.cluster.Secret(ctx, redisPassword.namespace, redisPassword.name, redisPassword.key)
	if err != nil {
		at.lack = err
		return at, nil
	}
	at.redis = redis.NewClient(&redis.Options{
		Addr: redisPlace.host(), Password: password, DB: int(redisdb.Jobs), Dialer: s.tunnels.dial,
		MaxRetries: 1,
	})
	at.looks = asynq.NewInspectorFromRedisClient(at.redis)
	at.waste = []*operator.Client{operator.NewClient("http://"+wastePlace().host(), env.Secret(token), s.web)}
	s.at = at
	return at, nil
}

// host is how dial knows any ready pod of a place.
func (p place) host() string { return fmt.Sprintf("%s.%s.svc:%d", p.pool, p.namespace, p.port) }

// podHost is how dial knows one pod.
func podHost(namespace, pod string, port int) string {
	return fmt.Sprintf("%s.%s.pod:%d", pod, namespace, port)
}

func (s *clusterSite) replicas(ctx context.Context) ([]replica, error) {
	var list []replica
	for _, p := range places() {
		pods, err := s.cluster.PodsOf(ctx, p.namespace, p.selector)
		if err != nil {
			return nil, err
		}
		for i := range pods {
			if pods[i].DeletionTimestamp != nil {
				continue
			}
			list = append(list, replica{
				pool: p.pool, name: pods[i].Name, why: kube.WhyWaiting(&pods[i]), probed: true,
				url: "http://" + podHost(p.namespace, pods[i].Name, p.port),
			})
		}
	}
	return list, nil
}

// Close implements site.
func (s *clusterSite) Close() error {
	s.tunnels.close()
	s.lock <- struct{}{}
	defer func() { <-s.lock }()
	if s.at == nil {
		return nil
	}
	return s.at.close()
}

// tunnels are the open ways to pods, by the address that asks for them.
type tunnels struct {
	cluster *kube.Cluster

	opening singleflight.Group

	mu     sync.Mutex
	open   map[string]*kube.Tunnel
	closed bool
}

const tunnelTimeout = 5 * time.Second

// dial connects to a pod by a tunnel, which stays open for the next connection. A tunnel whose pod is
// gone is replaced.
func (t *tunnels) dial(ctx context.Context, network, address string) (net.Conn, error) {
	tunnel, err := t.to(ctx, address)
	if err != nil {
		return nil, &net.OpError{Op: "dial", Net: network, Err: err}
	}
	var d net.Dialer
	return d.DialContext(ctx, network, tunnel.Address())
}

func (t *tunnels) to(ctx context.Context, address string) (*kube.Tunnel, error) {
	if tunnel := t.living(address); tunnel != nil {
		return tunnel, nil
	}
	// Who asks may give up; where the cluster is slow, the tunnel is there when he asks again.
	made := t.opening.DoChan(address, func() (any, error) { return t.make(context.WithoutCancel(ctx), address) })
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case r := <-made:
		tunnel, _ := r.Val.(*kube.Tunnel)
		return tunnel, r.Err
	}
}

func (t *tunnels) living(address string) *kube.Tunnel {
	t.mu.Lock()
	defer t.mu.Unlock()
	tunnel := t.open[address]
	if tunnel == nil {
		return nil
	}
	select {
	case <-tunnel.Lost():
		return nil
	default:
		return tunnel
	}
}

func (t *tunnels) make(ctx context.Context, address string) (*kube.Tunnel, error) {
	ctx, cancel := context.WithTimeout(ctx, tunnelTimeout)
	defer cancel()
	namespace, pod, port, err := t.find(ctx, address)
	if err != nil {
		return nil, err
	}
	tunnel, err := t.cluster.Tunnel(ctx, namespace, pod, port)
	if err != nil {
		return nil, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		tunnel.Close()
		return nil, net.ErrClosed
	}
	t.open[address] = tunnel
	return tunnel, nil
}

// find reads what host and podHost write.
func (t *tunnels) find(ctx context.Context, address string) (namespace, pod string, port int, err error) {
	host, text, _ := strings.Cut(address, ":")
	if _, err := fmt.Sscan(text, &port); err != nil {
		return "", "", 0, fmt.Errorf("reading the port of %s: %w", address, err)
	}
	if name, isPod := strings.CutSuffix(host, ".pod"); isPod {
		dot := strings.LastIndex(name, ".")
		return name[dot+1:], name[:dot], port, nil
	}
	for _, p := range append(places(), redisPlace) {
		if p.host() != address {
			continue
		}
		pods, err := t.cluster.PodsOf(ctx, p.namespace, p.selector)
		if err != nil {
			return "", "", 0, err
		}
		for i := range pods {
			if pods[i].Status.Phase == corev1.PodRunning && kube.WhyWaiting(&pods[i]) == "" {
				return p.namespace, pods[i].Name, port, nil
			}
		}
		return "", "", 0, fmt.Errorf("no pod of %s is ready in the namespace %s", p.pool, p.namespace)
	}
	return "", "", 0, fmt.Errorf("nothing is known of %s", address)
}

func (t *tunnels) close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.closed = true
	for _, tunnel := range t.open {
		tunnel.Close()
	}
}
