package kube

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"time"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/wastecoach/wastecoach/internal/wcctl/workspace"
)

// Merged is what Merge did to a kubeconfig.
type Merged struct {
	// Context is the name under which the cluster is found.
	Context string `json:"context"`
	// Current is the file's current context.
	Current string `json:"current"`
	// Backup is the file as it was; it is empty where there was none, or nothing changed.
	Backup string `json:"backup,omitempty"`
	// Changed tells that the file is another one than before.
	Changed bool `json:"changed"`
}

// Merge adds the cluster of the kubeconfig at source to the one at target, under the name given.
// It replaces what has that name, keeps everything else, and lets the current context alone unless
// there is none or setCurrent says so.
func Merge(source, target, name string, setCurrent bool) (Merged, error) {
	added, err := Named(source, name)
	if err != nil {
		return Merged{}, err
	}
	into, err := clientcmd.LoadFromFile(target)
	existed := err == nil
	if errors.Is(err, fs.ErrNotExist) {
		into, err = clientcmdapi.NewConfig(), nil
	}
	if err != nil {
		return Merged{}, fmt.Errorf("reading the kubeconfig %s: %w", target, err)
	}
	before := into.DeepCopy()
	maps.Copy(into.Clusters, added.Clusters)
	maps.Copy(into.AuthInfos, added.AuthInfos)
	maps.Copy(into.Contexts, added.Contexts)
	if setCurrent || into.CurrentContext == "" {
		into.CurrentContext = name
	}
	done := Merged{Context: name, Current: into.CurrentContext}
	if existed && sameConfig(before, into) {
		return done, nil
	}
	done.Changed = true
	if existed {
		if done.Backup, err = backUp(target); err != nil {
			return Merged{}, err
		}
	}
	return done, writeConfig(target, into)
}

// Named reads a kubeconfig and gives its current cluster, user and context one name.
func Named(path, name string) (*clientcmdapi.Config, error) {
	config, err := clientcmd.LoadFromFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading the kubeconfig %s: %w", path, err)
	}
	current, found := config.Contexts[config.CurrentContext]
	if !found {
		return nil, fmt.Errorf("the kubeconfig %s has no context %q", path, config.CurrentContext)
	}
	cluster, user := config.Clusters[current.Cluster], config.AuthInfos[current.AuthInfo]
	if cluster == nil || user == nil {
		return nil, fmt.Errorf("the kubeconfig %s has no cluster %q or no user %q",
			path, current.Cluster, current.AuthInfo)
	}
	// A relative path in it would be sought beside another file.
	if err := clientcmd.ResolveLocalPaths(config); err != nil {
		return nil, fmt.Errorf("reading the kubeconfig %s: %w", path, err)
	}
	named := clientcmdapi.NewConfig()
	named.Clusters[name], named.AuthInfos[name] = cluster, user
	named.Contexts[name] = &clientcmdapi.Context{Cluster: name, AuthInfo: name, Namespace: current.Namespace}
	named.CurrentContext = name
	return named, nil
}

// sameConfig compares without the path of the file that each part came from.
func sameConfig(a, b *clientcmdapi.Config) bool {
	strip := func(c *clientcmdapi.Config) *clientcmdapi.Config {
		c = c.DeepCopy()
		for _, cluster := range c.Clusters {
			cluster.LocationOfOrigin = ""
		}
		for _, user := range c.AuthInfos {
			user.LocationOfOrigin = ""
		}
		for _, context := range c.Contexts {
			context.LocationOfOrigin = ""
			if len(context.Extensions) == 0 {
				context.Extensions = nil
			}
		}
		return c
	}
	x, errX := clientcmd.Write(*strip(a))
	y, errY := clientcmd.Write(*strip(b))
	return errX == nil && errY == nil && reflect.DeepEqual(x, y)
}

// keptBackups bounds the copies beside a kubeconfig.
const keptBackups = 5

// backUp copies a file beside itself and forgets the oldest copies.
func backUp(path string) (string, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("backing up %s: %w", path, err)
	}
	backup := path + ".wcctl-" + time.Now().UTC().Format("20060102T150405.000")
	if err := workspace.WriteFile(backup, text); err != nil {
		return "", fmt.Errorf("backing up %s: %w", path, err)
	}
	old, err := filepath.Glob(path + ".wcctl-*")
	if err != nil {
		return "", fmt.Errorf("looking for old copies of %s: %w", path, err)
	}
	slices.Sort(old)
	for _, name := range old[:max(0, len(old)-keptBackups)] {
		if err := os.Remove(name); err != nil {
			return "", fmt.Errorf("removing an old copy: %w", err)
		}
	}
	return backup, nil
}

// writeConfig replaces the file that path names, through a symbolic link if it is one.
func writeConfig(path string, config *clientcmdapi.Config) error {
	text, err := clientcmd.Write(*config)
	if err != nil {
		return fmt.Errorf("writing the kubeconfig %s: %w", path, err)
	}
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("making the folder of the kubeconfig: %w", err)
	}
	return workspace.WriteFile(path, text)
}

// Render is the kubeconfig's text with its cluster under one name.
func Render(path, name string) ([]byte, error) {
	config, err := Named(path, name)
	if err != nil {
		return nil, err
	}
	text, err := clientcmd.Write(*config)
	if err != nil {
		return nil, fmt.Errorf("printing the kubeconfig: %w", err)
	}
	return text, nil
}
