// Apart from the product: Kubernetes, KEDA, Argo CD, cert-manager and the barman plugin are here for the files in
// their modules alone, which name every field of their objects. `go mod tidy` would drop them.
module github.com/wastecoach/wastecoach/tools/kubeschema

go 1.26.3

require (
	github.com/argoproj/argo-cd/v3 v3.5.7
	github.com/cert-manager/cert-manager v1.21.2
	github.com/cloudnative-pg/plugin-barman-cloud v0.15.0
	github.com/kedacore/keda/v2 v2.21.0
	k8s.io/kubernetes v1.36.3
	sigs.k8s.io/yaml v1.6.0
)

require go.yaml.in/yaml/v2 v2.4.3 // indirect
