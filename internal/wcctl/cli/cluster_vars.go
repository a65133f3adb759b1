package cli

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"

	"github.com/wastecoach/wastecoach/infra"
	"github.com/wastecoach/wastecoach/internal/wcctl/bundle"
	"github.com/wastecoach/wastecoach/internal/wcctl/fleet"
	"github.com/wastecoach/wastecoach/internal/wcctl/phase"
	"github.com/wastecoach/wastecoach/internal/wcctl/release"
	"github.com/wastecoach/wastecoach/internal/wcctl/spec"
	"github.com/wastecoach/wastecoach/internal/wcctl/workspace"
)

// manifestsDir is where manifests lie beside the playbook.
const manifestsDir = "manifests"

// playVars are the playbook's variables: the file's, and where everything comes from.
func playVars(
	c *spec.Cluster, folder workspace.Folder, b *bundle.Bundle, machines fleet.Fleet,
) (phase.Vars, error) {
	arch, err := architecture(machines)
	if err != nil {
		return phase.Vars{}, err
	}
	k := c.Spec.Kubernetes
	artifacts, err := release.NewArtifacts(k.Version, arch, b)
	if err != nil {
		return phase.Vars{}, err
	}
	artifacts = artifacts.ForNetwork(string(c.Spec.Network.Plugin))
	sans := k.CertificateSANs
	if sans == nil {
		sans = []string{}
	}
	vars := phase.Vars{Texts: map[string]string{}, Values: map[string]any{
		"wc_cluster": c.Metadata.Name, "wc_endpoint": k.Endpoint, "wc_pod_subnet": k.PodSubnet,
		"wc_service_subnet": k.ServiceSubnet, "wc_certificate_sans": sans,
		"wc_network_plugin": string(c.Spec.Network.Plugin), "wc_lab": c.Spec.Target == spec.Local,
		"wc_sandbox_image": artifacts.PauseImage,
	}}
	// Its names in JSON are those of the variables.
	data, err := json.Marshal(artifacts)
	if err == nil {
		err = json.Unmarshal(data, &vars.Values)
	}
	if err != nil {
		return phase.Vars{}, fmt.Errorf("naming what is installed: %w", err)
	}
	manifests := map[string]string{"wc_metrics_manifest": "metrics-server.yaml"}
	if c.Spec.Network.Plugin == spec.Flannel {
		manifests["wc_network_manifest"] = "flannel.yaml" // Calico's own release has Calico's
	}
	for name, file := range manifests {
		text, err := fs.ReadFile(infra.Manifests, path.Join(manifestsDir, file))
		if err != nil {
			return phase.Vars{}, fmt.Errorf("reading the manifest %s: %w", file, err)
		}
		vars.Texts[name] = string(text)
		vars.Values[name] = filepath.Join(folder.Ansible(), manifestsDir, file)
	}
	return vars, nil
}

// architecture is that of all machines: one set of files serves them.
func architecture(machines fleet.Fleet) (string, error) {
	arch := machines[0].Architecture
	for _, m := range machines {
		if m.Architecture != arch {
			return "", fmt.Errorf("%s is %s and %s is %s: machines of one cluster have one architecture",
				machines[0].Name, arch, m.Name, m.Architecture)
		}
	}
	return arch, nil
}

// unpackPlaybook writes the playbook and the manifests into the state folder, anew for each run.
func unpackPlaybook(folder workspace.Folder) error {
	dir := folder.Ansible()
	if err := os.RemoveAll(dir); err != nil {
		return fmt.Errorf("removing the old playbook: %w", err)
	}
	playbook, err := fs.Sub(infra.Ansible, "ansible")
	if err != nil {
		return fmt.Errorf("opening the playbook: %w", err)
	}
	if err := os.CopyFS(dir, playbook); err != nil {
		return fmt.Errorf("unpacking the playbook: %w", err)
	}
	manifests, err := fs.Sub(infra.Manifests, manifestsDir)
	if err != nil {
		return fmt.Errorf("opening the manifests: %w", err)
	}
	if err := os.CopyFS(filepath.Join(dir, manifestsDir), manifests); err != nil {
		return fmt.Errorf("unpacking the manifests: %w", err)
	}
	return nil
}
