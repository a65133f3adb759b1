package kube

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/client-go/tools/clientcmd"
)

const (
	adminConf = `apiVersion: v1
kind: Config
clusters: [{name: kubernetes, cluster: {server: "https://127.0.0.1:6443"}}]
users: [{name: kubernetes-admin, user: {token: new}}]
contexts: [{name: kubernetes-admin@kubernetes, context: {cluster: kubernetes, user: kubernetes-admin}}]
current-context: kubernetes-admin@kubernetes
`
	ownConf = `apiVersion: v1
kind: Config
clusters: [{name: work, cluster: {server: "https://work:6443"}}, {name: demo, cluster: {server: "https://old"}}]
users: [{name: work, user: {token: secret}}, {name: demo, user: {token: old}}]
contexts: [{name: work, context: {cluster: work, user: work, namespace: mine}}]
current-context: work
`
)

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestMerge(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	source, target := filepath.Join(dir, "admin.conf"), filepath.Join(dir, "config")
	write(t, source, adminConf)
	write(t, target, ownConf)

	done, err := Merge(source, target, "demo", false)
	if err != nil || !done.Changed || done.Current != "work" {
		t.Fatalf("%+v, %v", done, err)
	}
	config, err := clientcmd.LoadFromFile(target)
	if err != nil {
		t.Fatal(err)
	}
	if c := config.Contexts["demo"]; config.Clusters[c.Cluster].Server != "https://127.0.0.1:6443" ||
		config.AuthInfos[c.AuthInfo].Token != "new" {
		t.Errorf("demo: %+v", c)
	}
	if c := config.Contexts["work"]; c.Namespace != "mine" || config.AuthInfos["work"].Token != "secret" {
		t.Errorf("work: %+v", c)
	}
	if backup, err := os.ReadFile(done.Backup); err != nil || string(backup) != ownConf {
		t.Errorf("backup %q, %v", backup, err)
	}

	if again, err := Merge(source, target, "demo", false); err != nil || again.Changed {
		t.Errorf("the second time: %+v, %v", again, err)
	}
	if done, err = Merge(source, target, "demo", true); err != nil || done.Current != "demo" {
		t.Errorf("with set-current: %+v, %v", done, err)
	}
}

func TestMergeIntoNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	source, target := filepath.Join(dir, "admin.conf"), filepath.Join(dir, "new", "config")
	write(t, source, adminConf)
	done, err := Merge(source, target, "demo", false)
	if err != nil || done.Current != "demo" || done.Backup != "" {
		t.Fatalf("%+v, %v", done, err)
	}
	if info, err := os.Stat(target); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
}

func TestMergeLeavesABrokenFileAlone(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	source, target := filepath.Join(dir, "admin.conf"), filepath.Join(dir, "config")
	write(t, source, adminConf)
	write(t, target, "clusters: {")
	if _, err := Merge(source, target, "demo", false); err == nil || !strings.Contains(err.Error(), target) {
		t.Errorf("%v", err)
	}
	if text, err := os.ReadFile(target); err != nil || string(text) != "clusters: {" {
		t.Errorf("%q, %v", text, err)
	}
}

func TestMergeFollowsALink(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	source, file, link := filepath.Join(dir, "admin.conf"), filepath.Join(dir, "real"), filepath.Join(dir, "config")
	write(t, source, adminConf)
	write(t, file, ownConf)
	if err := os.Symlink(file, link); err != nil {
		t.Fatal(err)
	}
	if _, err := Merge(source, link, "demo", false); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Lstat(link); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link is gone: %v, %v", info, err)
	}
}
