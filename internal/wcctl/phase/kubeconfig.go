package phase

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"os"

	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"

	"github.com/wastecoach/wastecoach/internal/wcctl/fleet"
	"github.com/wastecoach/wastecoach/internal/wcctl/workspace"
)

const apiPort = "6443"

// kubeconfig brings the cluster's administrator here.
type kubeconfig struct{}

func (kubeconfig) Name() string  { return kubeconfigName }
func (kubeconfig) Title() string { return "Write the kubeconfig" }
func (kubeconfig) Place() Place  { return Here }

func (kubeconfig) About() string {
	return "Copies the administrator's kubeconfig into the state folder, with the address by which this " +
		"computer reaches the API server. It has work when the file is missing, belongs to other " +
		"certificates or names another address."
}

// Pending compares the file with the control plane's certificates.
func (k kubeconfig) Pending(ctx context.Context, r *Run) ([]Change, error) {
	all, known, err := r.Fleet(ctx)
	if err != nil {
		return nil, err
	}
	change := []Change{{Phase: kubeconfigName, What: "write it"}}
	if !known {
		change[0].Why = "a new cluster"
		return change, nil
	}
	r.lookAt(ctx, all[:1], 0)
	config, err := clientcmd.LoadFromFile(r.Folder.Kubeconfig())
	h := r.hosts[all[0].Name]
	switch {
	case errors.Is(err, os.ErrNotExist):
		change[0].Why = "it is missing"
	case err != nil:
		change[0].Why = err.Error()
	case h.survey == nil:
		change[0].Why = "unknown: the control plane does not answer"
	case fingerprint(config) != h.survey.admin:
		change[0].Why = "the control plane has other certificates"
	case !k.reaches(config, r, all.ControlPlane()):
		change[0].Why = "it names another address of the API server"
	default:
		return nil, nil
	}
	return change, nil
}

// fingerprint is what survey.sh computes of admin.conf.
func fingerprint(config *api.Config) string {
	current := config.Contexts[config.CurrentContext]
	if current == nil {
		return ""
	}
	cluster, user := config.Clusters[current.Cluster], config.AuthInfos[current.AuthInfo]
	if cluster == nil || user == nil {
		return ""
	}
	sum := sha256.New()
	for _, data := range [][]byte{cluster.CertificateAuthorityData, user.ClientCertificateData} {
		fmt.Fprintln(sum, base64.StdEncoding.EncodeToString(data))
	}
	return hex.EncodeToString(sum.Sum(nil))
}

func (kubeconfig) reaches(config *api.Config, r *Run, m fleet.Machine) bool {
	cluster := config.Clusters[config.Contexts[config.CurrentContext].Cluster]
	server, name := apiServer(r, m)
	return cluster.Server == server && cluster.TLSServerName == name
}

// apiServer is the address for this computer, and the certificate's name where that is another.
func apiServer(r *Run, m fleet.Machine) (server, name string) {
	address := m.APIAddress
	if address == "" {
		address = m.Address + ":" + apiPort
	}
	return "https://" + address, r.Cluster.Spec.Kubernetes.Endpoint
}

// Apply reads admin.conf over SSH; the key never passes a log.
func (kubeconfig) Apply(ctx context.Context, r *Run, _ []Change) error {
	all, err := r.Made(ctx)
	if err != nil {
		return err
	}
	control := all.ControlPlane()
	r.lookAt(ctx, all[:1], r.Patience)
	if err := r.reachable(all[:1]); err != nil {
		return err
	}
	text, err := r.hosts[control.Name].shell.Output(ctx, "cat /etc/kubernetes/admin.conf", nil)
	if err != nil {
		return fmt.Errorf("reading admin.conf: %w", err)
	}
	data, err := rewrite([]byte(text), r, control)
	if err != nil {
		return err
	}
	return workspace.WriteFile(r.Folder.Kubeconfig(), data)
}

// rewrite names the cluster, its user and its context after the cluster.
func rewrite(admin []byte, r *Run, m fleet.Machine) ([]byte, error) {
	from, err := clientcmd.Load(admin)
	if err != nil {
		return nil, fmt.Errorf("reading admin.conf: %w", err)
	}
	current := from.Contexts[from.CurrentContext]
	if current == nil || from.Clusters[current.Cluster] == nil || from.AuthInfos[current.AuthInfo] == nil {
		return nil, errors.New("reading admin.conf: it names no cluster and user")
	}
	name := r.Cluster.Metadata.Name
	user := name + "-admin"
	cluster := from.Clusters[current.Cluster]
	cluster.Server, cluster.TLSServerName = apiServer(r, m)
	to := api.NewConfig()
	to.Clusters[name] = cluster
	to.AuthInfos[user] = from.AuthInfos[current.AuthInfo]
	to.Contexts[name] = &api.Context{Cluster: name, AuthInfo: user}
	to.CurrentContext = name
	data, err := clientcmd.Write(*to)
	if err != nil {
		return nil, fmt.Errorf("writing the kubeconfig: %w", err)
	}
	return data, nil
}
