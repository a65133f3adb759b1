package observer

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/wastecoach/wastecoach/internal/env"
)

const (
	readHeaderTimeout = 5 * time.Second
	// stopGrace is how long an answer under way may take when the server stops.
	stopGrace = 5 * time.Second
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
	server := &http.Server{
		Handler: Handler(client, logger), ReadHeaderTimeout: readHeaderTimeout,
		ErrorLog: slog.NewLogLogger(logger.Handler(), slog.LevelDebug),
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopGrace)
	defer cancel()
	return server.Shutdown(stop)
}
