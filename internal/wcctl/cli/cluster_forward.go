package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"sync"

	"k8s.io/client-go/tools/clientcmd"

	"github.com/wastecoach/wastecoach/internal/wcctl/fleet"
	"github.com/wastecoach/wastecoach/internal/wcctl/phase"
	"github.com/wastecoach/wastecoach/internal/wcctl/workspace"
)

// apiOnMachine is where the API server listens on the control plane itself.
const apiOnMachine = "127.0.0.1:6443"

// dialing is a login that connects from its machine.
type dialing interface {
	DialContext(ctx context.Context, network, address string) (net.Conn, error)
}

// apiForward leads a port of this computer to an API server that only SSH reaches, as behind a
// bastion. It opens with its first use.
type apiForward struct {
	dial phase.Dial

	mu         sync.Mutex
	kubeconfig string
	closers
}

// reach returns a kubeconfig that works from here: the given one, or a copy with the port's address.
func (f *apiForward) reach(m fleet.Machine, kubeconfig string) (string, error) {
	if m.APIAddress != "" {
		return kubeconfig, nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.kubeconfig != "" {
		return f.kubeconfig, nil
	}
	if _, err := os.Stat(kubeconfig); err != nil {
		return "", fmt.Errorf("reading the kubeconfig: %w", err)
	}
	address, err := f.listen(m)
	if err != nil {
		return "", errors.Join(err, f.closers.Close())
	}
	copied, err := f.copy(kubeconfig, address)
	if err != nil {
		return "", errors.Join(err, f.closers.Close())
	}
	f.kubeconfig = copied
	return copied, nil
}

// Close implements io.Closer.
func (f *apiForward) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.kubeconfig = ""
	return f.closers.Close()
}

// listen accepts connections here until Close.
func (f *apiForward) listen(m fleet.Machine) (string, error) {
	// The login outlives the question that opens it.
	life, end := context.WithCancel(context.Background())
	f.closers = append(f.closers, closerFunc(func() error { end(); return nil }))
	shell, err := f.dial(life, m, 0)
	if err != nil {
		return "", err
	}
	f.closers = append(f.closers, shell)
	login, ok := shell.(dialing)
	if !ok {
		return "", fmt.Errorf("the login to %s cannot connect from there", m.Name)
	}
	listener, err := (&net.ListenConfig{}).Listen(life, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("opening a port for the API server: %w", err)
	}
	f.closers = append(f.closers, listener)
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return // it was closed
			}
			go lead(life, conn, login)
		}
	}()
	return listener.Addr().String(), nil
}

// lead copies both ways until one side ends.
func lead(ctx context.Context, here net.Conn, login dialing) {
	defer here.Close()
	there, err := login.DialContext(ctx, "tcp", apiOnMachine)
	if err != nil {
		return // the client sees its connection end
	}
	defer there.Close()
	done := make(chan struct{}, 2)
	for _, pair := range [][2]net.Conn{{here, there}, {there, here}} {
		go func() {
			_, _ = io.Copy(pair[0], pair[1]) // an end is an end
			done <- struct{}{}
		}()
	}
	<-done
}

// copy writes the kubeconfig with another address; the certificate's name stays.
func (f *apiForward) copy(kubeconfig, address string) (string, error) {
	config, err := clientcmd.LoadFromFile(kubeconfig)
	if err != nil {
		return "", fmt.Errorf("reading the kubeconfig: %w", err)
	}
	for _, cluster := range config.Clusters {
		cluster.Server = "https://" + address
	}
	data, err := clientcmd.Write(*config)
	if err != nil {
		return "", fmt.Errorf("writing a kubeconfig: %w", err)
	}
	dir, err := os.MkdirTemp("", "wcctl-api-")
	if err != nil {
		return "", fmt.Errorf("writing a kubeconfig: %w", err)
	}
	f.closers = append(f.closers, closerFunc(func() error { return os.RemoveAll(dir) }))
	path := filepath.Join(dir, "kubeconfig")
	return path, workspace.WriteFile(path, data)
}
