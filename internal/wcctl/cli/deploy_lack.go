package cli

import (
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/wastecoach/wastecoach/internal/wcctl/deploy"
)

// What brings the kinds that our charts only use; docs/cluster/platform.md has it, too. Versions of
// cert-manager and KEDA are those whose kinds the charts are checked with.
const (
	certManagerHint = "helm install cert-manager oci://quay.io/jetstack/charts/cert-manager --version v1.21.2 " +
		"--namespace cert-manager --create-namespace --set crds.enabled=true"
	f5Hint = "helm install nginx-ingress oci://ghcr.io/nginx/charts/nginx-ingress --version 2.6.4 " +
		"--namespace ingress --create-namespace --set controller.kind=daemonset,controller.hostNetwork=true " +
		"--set controller.dnsPolicy=ClusterFirstWithHostNet,controller.service.create=false " +
		`--set-string 'controller.nodeSelector.wastecoach\.io/edge=true'`
	kedaHint = "kubectl apply --server-side -f " +
		"https://github.com/kedacore/keda/releases/download/v2.21.0/keda-2.21.0-crds.yaml"
)

// certificateHint shows what an ACME authority has been asked, and what it said.
const certificateHint = "kubectl -n ingress describe certificates,orders,challenges"

// neededHint brings what a deployment needs of others; empty where err is of another kind. again goes on.
func neededHint(err error, again string) string {
	var lack *deploy.LackError
	switch {
	case errors.As(err, &lack):
		return lackHint(lack) + "\n" + again
	case errors.As(err, new(*deploy.CertificateError)):
		return certificateHint + "\n" + again + " # goes on waiting"
	case errors.Is(err, deploy.ErrNoProviders):
		return providersHint
	case errors.As(err, new(*deploy.NoDatabaseError)):
		return databaseHint
	}
	return ""
}

// lackHint installs what the cluster lacks.
func lackHint(lack *deploy.LackError) string {
	hints := map[string]string{
		"argoproj.io": argoHint, "cert-manager.io": certManagerHint, "k8s.nginx.org": f5Hint, "keda.sh": kedaHint,
		deploy.ClassGroup: f5Hint,
	}
	var commands []string
	for _, group := range slices.Sorted(maps.Keys(lack.Kinds)) {
		if hint := hints[group]; hint != "" && !slices.Contains(commands, hint) {
			commands = append(commands, hint)
		}
	}
	return strings.Join(commands, "\n")
}
