package spec

// What is used where the file says nothing.
const (
	DefaultPodSubnet     = "10.244.0.0/16"
	DefaultServiceSubnet = "10.96.0.0/16"
	DefaultWorkers       = 2
	DefaultSSHUser       = "root"
	DefaultSSHPort       = 22
	DefaultArchitecture  = "amd64"
	DefaultLocalSubnet   = "10.77.0.0/24"
	DefaultLocalDiskGiB  = 10
	DefaultRegion        = "ap-northeast-2"
	DefaultInstanceType  = "t4g.medium"
	DefaultCPUCredits    = "unlimited"
	DefaultVolumeGiB     = 20
	DefaultLocalDomain   = "wastecoach.test"
	DefaultRegistry      = "wastecoach.io"
	DefaultBranch        = "main"
	DefaultGitPath       = "deploy"
)

// Releases are the Kubernetes releases that wcctl can install.
type Releases struct {
	Default   string
	Supported []string
}

// Default fills in what the file leaves out. What it writes, be it empty or 0, stays for Validate.
func Default(c *Cluster, releases Releases) {
	s := &c.Spec
	fill(c, "spec.kubernetes.version", &s.Kubernetes.Version, releases.Default)
	fill(c, "spec.kubernetes.podSubnet", &s.Kubernetes.PodSubnet, DefaultPodSubnet)
	fill(c, "spec.kubernetes.serviceSubnet", &s.Kubernetes.ServiceSubnet, DefaultServiceSubnet)
	if labelPattern.MatchString(c.Metadata.Name) {
		fill(c, "spec.kubernetes.endpoint", &s.Kubernetes.Endpoint, "api."+c.Metadata.Name+".internal")
	}
	plugin, flavor := Calico, F5
	if s.Target == Local {
		plugin, flavor = Flannel, Compat // the others' images cannot be built for the offline bundle
		fill(c, "spec.domain", &s.Domain, DefaultLocalDomain)
	}
	fill(c, "spec.network.plugin", &s.Network.Plugin, plugin)
	fill(c, "spec.ingress.flavor", &s.Ingress.Flavor, flavor)
	fill(c, "spec.images.registry", &s.Images.Registry, DefaultRegistry)
	fill(c, "spec.delivery", &s.Delivery, Helm)
	if s.Git != nil {
		fill(c, "spec.git.branch", &s.Git.Branch, DefaultBranch)
		fill(c, "spec.git.path", &s.Git.Path, DefaultGitPath)
		fill(c, "spec.git.chartsURL", &s.Git.ChartsURL, s.Git.URL)
		fill(c, "spec.git.chartsRevision", &s.Git.ChartsRevision, s.Git.Branch)
	}
	if s.SSH.Bastion != nil {
		fill(c, "spec.ssh.bastion.port", &s.SSH.Bastion.Port, DefaultSSHPort)
	}
	switch s.Target {
	case AWS:
		defaultAWS(c)
	case Hosts:
		defaultHosts(c)
	case Local:
		defaultLocal(c)
	}
}

func defaultAWS(c *Cluster) {
	a := c.Spec.AWS
	if a == nil {
		return
	}
	fill(c, "spec.aws.region", &a.Region, DefaultRegion)
	fill(c, "spec.aws.instanceType", &a.InstanceType, DefaultInstanceType)
	fill(c, "spec.aws.cpuCredits", &a.CPUCredits, DefaultCPUCredits)
	fill(c, "spec.aws.workers", &a.Workers, DefaultWorkers)
	fill(c, "spec.aws.volumeGiB", &a.VolumeGiB, DefaultVolumeGiB)
}

func defaultHosts(c *Cluster) {
	s := &c.Spec
	fill(c, "spec.ssh.user", &s.SSH.User, DefaultSSHUser)
	if s.SSH.Bastion != nil {
		fill(c, "spec.ssh.bastion.user", &s.SSH.Bastion.User, s.SSH.User)
		fill(c, "spec.ssh.bastion.keyFile", &s.SSH.Bastion.KeyFile, s.SSH.KeyFile)
	}
	if s.Hosts == nil {
		return
	}
	edge := false
	for _, h := range s.Hosts.all() {
		edge = edge || h.Edge
		fill(c, h.path+".port", &h.Port, DefaultSSHPort)
		fill(c, h.path+".user", &h.User, s.SSH.User)
		fill(c, h.path+".architecture", &h.Architecture, DefaultArchitecture)
		if isIPv4(h.Address) {
			fill(c, h.path+".privateAddress", &h.PrivateAddress, h.Address)
		}
	}
	if !edge && len(s.Hosts.Workers) > 0 {
		s.Hosts.Workers[0].Edge = true
	}
}

func defaultLocal(c *Cluster) {
	if c.Spec.Local == nil && c.lines["spec.local"] == 0 {
		c.Spec.Local = &LocalTarget{}
	}
	l := c.Spec.Local
	if l == nil {
		return
	}
	fill(c, "spec.local.workers", &l.Workers, DefaultWorkers)
	fill(c, "spec.local.subnet", &l.Subnet, DefaultLocalSubnet)
	fill(c, "spec.local.diskGiB", &l.DiskGiB, DefaultLocalDiskGiB)
}

func fill[T comparable](c *Cluster, path string, field *T, value T) {
	var zero T
	if _, written := c.lines[path]; !written && *field == zero {
		*field = value
	}
}
