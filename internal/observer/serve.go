package observer

import (
	"context"
	"fmt"
	"log/slog"
	"net"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/wastecoach/wastecoach/internal/daemon"
	"github.com/wastecoach/wastecoach/internal/env"
)

// Config is what OBSERVER_… variables say.
type Config struct {
	Addr string `env:"ADDR" envDefault:":9091"`
}

// LoadConfig reads the OBSERVER_… variables.
func LoadConfig(environ []string) (Config, error) {
	var cfg Config
	err := env.Load(&cfg, "OBSERVER_", environ)
	return cfg, err
}

// Serve answers for the cluster in which it runs, until ctx ends.
func Serve(ctx context.Context, cfg Config, logger *slog.Logger) error {
	config, err := rest.InClusterConfig()
	if err != nil {
		return fmt.Errorf("finding the cluster: %w", err)
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return fmt.Errorf("finding the cluster: %w", err)
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", cfg.Addr)
	if err != nil {
		return fmt.Errorf("listening: %w", err)
	}
	return daemon.Serve(ctx, listener, Handler(client, logger), logger)
}
