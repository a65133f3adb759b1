// Package spec is wastecoach.yaml: Load, Default, Validate.
package spec

// The document's type, as Kubernetes writes it.
const (
	APIVersion = "wastecoach.io/v1alpha1"
	Kind       = "Cluster"
	// FileName is where commands look for it.
	FileName = "wastecoach.yaml"
)

// Target is where the machines come from.
type Target string

// The targets.
const (
	AWS   Target = "aws"
	Hosts Target = "hosts"
	Local Target = "local"
)

// Cluster is the whole file.
type Cluster struct {
	APIVersion string   `json:"apiVersion"`
	Kind       string   `json:"kind"`
	Metadata   Metadata `json:"metadata"`
	Spec       Spec     `json:"spec"`
}

// Metadata names the cluster.
type Metadata struct {
	// Name is part of machine names, tags and the kubeconfig's context.
	Name string `json:"name"`
}

// Spec is what the cluster shall be.
type Spec struct {
	Target     Target     `json:"target"`
	Kubernetes Kubernetes `json:"kubernetes"`
	Network    Network    `json:"network"`
	SSH        SSH        `json:"ssh"`
	// Exactly the block that Target names is filled.
	AWS   *AWSTarget   `json:"aws,omitempty"`
	Hosts *HostsTarget `json:"hosts,omitempty"`
	Local *LocalTarget `json:"local,omitempty"`
	// Budget is the most that a month may cost.
	Budget Budget `json:"budget"`
}

// Kubernetes is the version and the addresses inside.
type Kubernetes struct {
	// Version is a release without the v, e.g. 1.36.3; release.Default where it is empty.
	Version       string `json:"version,omitempty"`
	PodSubnet     string `json:"podSubnet,omitempty"`
	ServiceSubnet string `json:"serviceSubnet,omitempty"`
	// Endpoint is the DNS name that stands for the API server from the first day.
	Endpoint string `json:"endpoint,omitempty"`
	// CertificateSANs are more names and addresses in the API server's certificate.
	CertificateSANs []string `json:"certificateSANs,omitempty"`
}

// Plugin is a pod network.
type Plugin string

// The plugins: Calico enforces NetworkPolicies, flannel is leaner and does not.
const (
	Calico  Plugin = "calico"
	Flannel Plugin = "flannel"
)

// Network is the pod network.
type Network struct {
	Plugin Plugin `json:"plugin,omitempty"`
}

// SSH is how machines are logged in to, where the target does not say it.
type SSH struct {
	User string `json:"user,omitempty"`
	// KeyFile is a private key; the agent is asked too.
	KeyFile string   `json:"keyFile,omitempty"`
	Bastion *Bastion `json:"bastion,omitempty"`
}

// Bastion is a host that SSH goes through.
type Bastion struct {
	Host    string `json:"host"`
	Port    int    `json:"port,omitempty"`
	User    string `json:"user,omitempty"`
	KeyFile string `json:"keyFile,omitempty"`
}

// HostsTarget is machines you have.
type HostsTarget struct {
	ControlPlane Host   `json:"controlPlane"`
	Workers      []Host `json:"workers"`
}

// Host is one of them.
type Host struct {
	Name string `json:"name"`
	// Address is where SSH finds it.
	Address string `json:"address"`
	// PrivateAddress is where the others find it; Address where it is empty.
	PrivateAddress string `json:"privateAddress,omitempty"`
	Port           int    `json:"port,omitempty"`
	User           string `json:"user,omitempty"`
	Edge           bool   `json:"edge,omitempty"`
}

// LocalTarget is machines on this computer.
type LocalTarget struct {
	Workers int `json:"workers,omitempty"`
	// Subnet is the machines' own network; nothing leaves it.
	Subnet  string `json:"subnet,omitempty"`
	DiskGiB int    `json:"diskGiB,omitempty"`
}

// AWSTarget is machines in EC2.
type AWSTarget struct {
	Region       string `json:"region,omitempty"`
	InstanceType string `json:"instanceType,omitempty"`
	Workers      int    `json:"workers,omitempty"`
	VolumeGiB    int    `json:"volumeGiB,omitempty"`
	// APIAllowedCIDRs may reach the API server from outside.
	APIAllowedCIDRs []string `json:"apiAllowedCIDRs"`
	// PhotosBucket is the S3 bucket's name.
	PhotosBucket string `json:"photosBucket,omitempty"`
	// StateBucket holds Terraform's state; it must exist.
	StateBucket string `json:"stateBucket,omitempty"`
}

// Budget is in US dollars.
type Budget struct {
	MonthlyUSD float64 `json:"monthlyUSD,omitempty"`
}
