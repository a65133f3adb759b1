package spec

import (
	"maps"
	"net/url"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/wastecoach/wastecoach/internal/wcctl/redact"
)

// AllServices stands in services for each of them.
const AllServices = "all"

// system looks at what runs in the cluster.
func (v *validator) system() {
	s := v.c.Spec
	if s.Domain != "" {
		v.dnsName("spec.domain", s.Domain)
	}
	v.oneOf("spec.ingress.flavor", string(s.Ingress.Flavor), string(F5), string(Compat))
	if s.Images.Registry == "" {
		v.missing("spec.images.registry", "e.g. ghcr.io/you/wastecoach")
	}
	v.git()
	for _, name := range slices.Sorted(maps.Keys(s.Services)) {
		path := "spec.services." + name
		v.oneOf(path, name, AllServices, "auth", "users", "waste", "recycling", "locations")
		service := s.Services[name]
		if service.Strategy != "" {
			v.oneOf(path+".strategy", string(service.Strategy), string(Rolling), string(BlueGreen))
		}
		v.pods(path+".replicas", service.Replicas)
		v.pods(path+".workers", service.Workers)
	}
	for _, name := range slices.Sorted(maps.Keys(s.Platform)) {
		v.oneOf("spec.platform."+name, name, "storage", "data", "ingress", "autoscaling", "monitoring", "lab")
	}
}

// git looks at where versions are written.
func (v *validator) git() {
	s := v.c.Spec
	v.oneOf("spec.delivery", string(s.Delivery), string(Helm), string(GitOps))
	switch g := s.Git; {
	case g == nil && s.Delivery == GitOps:
		v.missing("spec.git", "git: {url: https://github.com/you/wastecoach.git}")
	case g != nil:
		v.repository("spec.git.url", g.URL)
		v.repository("spec.git.chartsURL", g.ChartsURL)
		v.revision("spec.git.branch", g.Branch)
		v.revision("spec.git.chartsRevision", g.ChartsRevision)
		if !filepath.IsLocal(g.Path) || path.Clean(g.Path) != g.Path {
			v.fault("spec.git.path", "e.g. "+DefaultGitPath, "%q is no folder of a repository", g.Path)
		}
	}
}

// repository reports what Git and Argo CD would not both read.
func (v *validator) repository(path, address string) {
	if address == "" {
		v.missing(path, "e.g. https://github.com/you/wastecoach.git")
		return
	}
	u, err := url.Parse(address)
	if err != nil || !slices.Contains([]string{"https", "http", "ssh", "file"}, u.Scheme) {
		v.fault(path, "https://… or ssh://git@…", "%q is no address of a repository", redact.Text(address))
		return
	}
	if _, has := u.User.Password(); has {
		v.fault(path, "let Git's credential helper know it, and a Secret of Argo CD's", "holds a password")
	}
}

// revisionPattern leaves out what Git refuses and what would be taken for a flag.
var revisionPattern = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_./-]*$`)

func (v *validator) revision(path, name string) {
	if !revisionPattern.MatchString(name) || strings.Contains(name, "..") {
		v.fault(path, "e.g. "+DefaultBranch, "%q is no branch, tag or commit", name)
	}
}

// pods reports a number that is written and too small.
func (v *validator) pods(path string, count int) {
	if v.c.lines[path] > 0 && count < 1 {
		v.fault(path, "at least 1", "%d is too few", count)
	}
}
