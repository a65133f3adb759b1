// Command pause holds a pod's namespaces open and reaps what its containers leave behind.
package main

import (
	"errors"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	// kubeadm upgrade runs a Job of it, with -v, to see that pods start and end.
	if len(os.Args) > 1 && os.Args[1] == "-v" {
		println("pause")
		return
	}
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGCHLD)
	for s := range signals {
		if s != syscall.SIGCHLD {
			return
		}
		reap()
	}
}

// reap takes all that ended: several children may share one signal.
func reap() {
	for {
		pid, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil)
		if pid <= 0 && !errors.Is(err, syscall.EINTR) {
			return
		}
	}
}
