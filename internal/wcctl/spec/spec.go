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

// Targets are all of them, in the order in which help names them.
func Targets() []Target { return []Target{AWS, Hosts, Local} }

// Cluster is the whole file. Secrets do not belong in it, and no variables are expanded.
type Cluster struct {
	// APIVersion is wastecoach.io/v1alpha1.
	APIVersion string `json:"apiVersion" jsonschema:"enum=wastecoach.io/v1alpha1"`
	// Kind is Cluster.
	Kind     string   `json:"kind" jsonschema:"enum=Cluster"`
	Metadata Metadata `json:"metadata"`
	Spec     Spec     `json:"spec"`

	// lines has the line of each key that the file holds, by its path.
	lines map[string]int
}

// Metadata names the cluster.
type Metadata struct {
	// Name is part of machine names, tags and the kubeconfig's context: lower-case letters,
	// digits and hyphens, at most 40 characters.
	Name string `json:"name"`
}

// Spec is what the cluster shall be. Beside the common keys it holds exactly the block that target
// names.
type Spec struct {
	// Target is where the machines come from: aws (EC2), hosts (machines you have, by SSH) or
	// local (machines made on this computer).
	Target     Target     `json:"target" jsonschema:"enum=aws,enum=hosts,enum=local"`
	Kubernetes Kubernetes `json:"kubernetes,omitzero"`
	Network    Network    `json:"network,omitzero"`
	SSH        SSH        `json:"ssh,omitzero"`
	// AWS is read when target is aws.
	AWS *AWSTarget `json:"aws,omitempty"`
	// Hosts is read when target is hosts.
	Hosts *HostsTarget `json:"hosts,omitempty"`
	// Local is read when target is local; it may be left out.
	Local  *LocalTarget `json:"local,omitempty"`
	Budget Budget       `json:"budget,omitzero"`

	// Domain is below what the system answers: api.DOMAIN is the API, files.DOMAIN takes photos.
	// wcctl deploy needs it; where it is empty, wcctl up makes the cluster alone.
	Domain  string  `json:"domain,omitempty"`
	Ingress Ingress `json:"ingress,omitzero"`
	Images  Images  `json:"images,omitzero"`
	// Delivery is helm, by which wcctl itself deploys, or gitops: wcctl writes versions to Git, and
	// Argo CD brings them to the cluster. Then services and platform below are only what a file in Git
	// begins with.
	Delivery Delivery `json:"delivery,omitempty" jsonschema:"enum=helm,enum=gitops"`
	// Git is read when delivery is gitops.
	Git *Git `json:"git,omitempty"`
	// Services change how services are deployed. Their names are auth, users, waste, recycling,
	// locations, and all for what holds for each of them.
	Services map[string]Service `json:"services,omitempty"`
	// Platform changes what the services stand on. The names are storage, data, ingress,
	// autoscaling, monitoring and lab.
	Platform map[string]Release `json:"platform,omitempty"`
}

// Kubernetes is the version and the addresses inside.
type Kubernetes struct {
	// Version is a release without the v, e.g. 1.36.3.
	Version string `json:"version,omitempty"`
	// PodSubnet gives pods their addresses, a /24 of it to each node.
	PodSubnet string `json:"podSubnet,omitempty"`
	// ServiceSubnet gives services their addresses. It may not overlap with podSubnet nor with
	// the machines' own network.
	ServiceSubnet string `json:"serviceSubnet,omitempty"`
	// Endpoint is the DNS name that stands for the API server from the first day; every machine
	// gets it into /etc/hosts. A name of its own lets a load balancer come later.
	Endpoint string `json:"endpoint,omitempty"`
	// CertificateSANs are more DNS names and addresses for the API server's certificate.
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
	// Plugin is calico, which enforces NetworkPolicies, or flannel, which is leaner and does not.
	Plugin Plugin `json:"plugin,omitempty" jsonschema:"enum=calico,enum=flannel"`
}

// SSH is how machines are logged in to. Target aws reads keyFile alone, target local nothing of it.
type SSH struct {
	// User logs in; it is root or may use sudo without a password.
	User string `json:"user,omitempty"`
	// KeyFile is a private key that nobody but you may read; ~ is your home, and a relative path
	// starts at the file's folder. Left out, target hosts tries your SSH agent and the usual files
	// in ~/.ssh, and target aws makes a key of its own in .wastecoach/.
	KeyFile string   `json:"keyFile,omitempty"`
	Bastion *Bastion `json:"bastion,omitempty"`
}

// Bastion is a host that SSH goes through to reach the machines.
type Bastion struct {
	// Host is its address or DNS name.
	Host string `json:"host"`
	// Port is where its SSH server listens.
	Port int `json:"port,omitempty" jsonschema:"minimum=1,maximum=65535"`
	// User is the machines' user where it is left out.
	User string `json:"user,omitempty"`
	// KeyFile is the machines' key where it is left out.
	KeyFile string `json:"keyFile,omitempty"`
}

// Flavor is a family of ingress controllers.
type Flavor string

// The flavors.
const (
	F5     Flavor = "f5"
	Compat Flavor = "compat"
)

// Ingress is the way in.
type Ingress struct {
	// Flavor is f5, F5's NGINX Ingress Controller with cert-manager, which their own charts install, or
	// compat, Traefik, which reads the annotations of the retired ingress-nginx and can be in a bundle.
	Flavor Flavor `json:"flavor,omitempty" jsonschema:"enum=f5,enum=compat"`
}

// Images is where the services' container images are.
type Images struct {
	// Registry is the prefix of their names, e.g. ghcr.io/you/wastecoach. A bundle's images have the
	// one that holds without it.
	Registry string `json:"registry,omitempty"`
}

// Delivery is who brings versions to the cluster.
type Delivery string

// The deliveries.
const (
	Helm   Delivery = "helm"
	GitOps Delivery = "gitops"
)

// Git is the repository that says what shall run.
type Git struct {
	// URL is where wcctl pushes and Argo CD reads: https://… or ssh://…, without a password.
	URL string `json:"url"`
	// Branch is the one that counts.
	Branch string `json:"branch,omitempty"`
	// Path is the folder of the values: services/NAME.yaml and platform/NAME.yaml.
	Path string `json:"path,omitempty"`
	// ChartsURL is the repository whose folder charts has the charts; url where it is left out.
	ChartsURL string `json:"chartsURL,omitempty"`
	// ChartsRevision is its branch, tag or commit; with a tag charts change only when you say so.
	ChartsRevision string `json:"chartsRevision,omitempty"`
}

// Strategy is how a service goes from one version to the next.
type Strategy string

// The strategies.
const (
	Rolling   Strategy = "rolling"
	BlueGreen Strategy = "blue-green"
)

// Service is how a service is deployed, where that differs from its chart.
type Service struct {
	// Strategy is rolling, pod by pod, or blue-green: the new version stands ready beside the old one
	// before it gets any request.
	Strategy Strategy `json:"strategy,omitempty" jsonschema:"enum=rolling,enum=blue-green"`
	// Replicas is how many pods answer, with autoscaling the fewest.
	Replicas int `json:"replicas,omitempty" jsonschema:"minimum=1"`
	// Workers is how many pods work on tasks, with autoscaling the fewest.
	Workers int `json:"workers,omitempty" jsonschema:"minimum=1"`
	// Values are laid over those of charts/service.
	Values map[string]any `json:"values,omitempty"`
}

// Release is a chart that services stand on.
type Release struct {
	// Disabled leaves it out: something else stands there.
	Disabled bool `json:"disabled,omitempty"`
	// Values are laid over those of the chart.
	Values map[string]any `json:"values,omitempty"`
}

// HostsTarget is machines you have.
type HostsTarget struct {
	// ControlPlane is the machine that runs etcd and the API server.
	ControlPlane Host `json:"controlPlane"`
	// Workers run the services, at least one.
	Workers []Host `json:"workers" jsonschema:"minItems=1"`
}

// Host is a machine you have.
type Host struct {
	// Name becomes the machine's host name and the node's name.
	Name string `json:"name"`
	// Address is where SSH finds it: an IPv4 address or a DNS name.
	Address string `json:"address"`
	// PrivateAddress is the IPv4 address where the other machines find it; address where it is
	// left out.
	PrivateAddress string `json:"privateAddress,omitempty"`
	// Port is where its SSH server listens.
	Port int `json:"port,omitempty" jsonschema:"minimum=1,maximum=65535"`
	// User logs in to this machine instead of ssh.user.
	User string `json:"user,omitempty"`
	// Architecture is amd64 or arm64.
	Architecture string `json:"architecture,omitempty" jsonschema:"enum=amd64,enum=arm64"`
	// Edge marks the one worker that takes the traffic from outside; the first where none is.
	Edge bool `json:"edge,omitempty"`
}

// LocalTarget is machines on this computer.
type LocalTarget struct {
	// Workers is how many there are beside the control plane.
	Workers int `json:"workers,omitempty" jsonschema:"minimum=1,maximum=100"`
	// Subnet is the machines' own network; nothing leaves it.
	Subnet string `json:"subnet,omitempty"`
	// DiskGiB is the size of each machine's disk; it takes space only as it fills.
	DiskGiB int `json:"diskGiB,omitempty" jsonschema:"minimum=6"`
}

// AWSTarget is machines in EC2.
type AWSTarget struct {
	// Region is where everything stands.
	Region string `json:"region,omitempty"`
	// InstanceType of all machines; with a g after the number (t4g) they are arm64.
	InstanceType string `json:"instanceType,omitempty"`
	// CPUCredits is what a T instance does when its CPU credits are used up: unlimited goes on, and
	// bills what it does not earn back within a day; standard slows down to its baseline.
	CPUCredits string `json:"cpuCredits,omitempty" jsonschema:"enum=unlimited,enum=standard"`
	// Workers is how many there are beside the control plane.
	Workers int `json:"workers,omitempty" jsonschema:"minimum=1,maximum=100"`
	// VolumeGiB is the size of each machine's encrypted gp3 disk.
	VolumeGiB int `json:"volumeGiB,omitempty" jsonschema:"minimum=10,maximum=16384"`
	// APIAllowedCIDRs may reach the API server from outside, e.g. your office's address with /32.
	APIAllowedCIDRs []string `json:"apiAllowedCIDRs" jsonschema:"minItems=1"`
	// APIOpenToInternet says that 0.0.0.0/0 above is meant.
	APIOpenToInternet bool `json:"apiOpenToInternet,omitempty"`
	// ZoneID is a Route 53 zone that shall hold kubernetes.endpoint; without it no record is made.
	ZoneID string `json:"zoneID,omitempty"`
	// PhotosBucket is the S3 bucket for photos, which is created; where it is left out, it is
	// named after the cluster and the account.
	PhotosBucket string `json:"photosBucket,omitempty"`
	// StateBucket is an S3 bucket that exists and shall hold Terraform's state; where it is left
	// out, the state stays in .wastecoach/ beside the file.
	StateBucket string `json:"stateBucket,omitempty"`
}

// Budget is what may be spent.
type Budget struct {
	// MonthlyUSD is the most that a month may cost in US dollars; more is a warning. 0 is no limit.
	MonthlyUSD float64 `json:"monthlyUSD,omitempty" jsonschema:"minimum=0"`
}
