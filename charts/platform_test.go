package charts_test

import (
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"helm.sh/helm/v4/pkg/action"
	"sigs.k8s.io/yaml"

	"github.com/wastecoach/wastecoach/internal/wcctl/bundle"
	"github.com/wastecoach/wastecoach/internal/wcctl/release"
)

// platformCase is one way in which a chart of the platform is rendered.
type platformCase struct {
	name, chart, namespace, values string
}

const labIngress = `
acme:
  server: https://pebble.lab.svc:14000/dir
  caConfigMap: ca
  hosts: [api, files, idp]
publishAddresses: [10.77.0.12]
`

const ownCertificate = "{flavor: f5, acme: {enabled: false, hosts: [api]}, tls: {secretName: own}}"

const otherCharts = `
git: {url: 'ssh://git@git.example.org/wastecoach/lab.git', branch: lab, path: clusters/lab}
charts: {url: 'https://github.com/you/wastecoach.git', revision: v1.2.3}
`

var monitoring = platformCase{"monitoring", "monitoring", "monitoring", ""}

func platformCases() []platformCase {
	return []platformCase{
		{"storage", "storage", "storage", ""},
		{"storage-retained", "storage", "storage", "storageClass: {default: false, reclaimPolicy: Retain}"},
		{"ingress", "ingress", "ingress", ""},
		{"ingress-lab", "ingress", "ingress", labIngress},
		{"ingress-behind-proxy", "ingress", "ingress", "{trustedProxies: [10.0.0.0/8], acme: {enabled: false}}"},
		{"ingress-f5", "ingress", "ingress", "{flavor: f5, acme: {email: ops@example.org}}"},
		{"ingress-f5-own", "ingress", "ingress", ownCertificate},
		{"autoscaling", "autoscaling", "keda", ""},
		monitoring,
		{"lab", "lab", "lab", "pebble: {edgeAddress: 10.77.0.12}"},
		{"lab-without-pebble", "lab", "lab", "pebble: {enabled: false}"},
		{"gitops", "gitops", "argocd", ""},
		{"gitops-other-charts", "gitops", "argocd", otherCharts},
	}
}

// renderPlatform is a release's manifest in that namespace.
func renderPlatform(t *testing.T, c platformCase) (string, error) {
	t.Helper()
	return renderIn(t, c.chart, c.chart, c.namespace, values(t, c.values))
}

func TestPlatformGoldens(t *testing.T) {
	t.Parallel()
	for _, c := range platformCases() {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, err := renderPlatform(t, c)
			if err != nil {
				t.Fatal(err)
			}
			checkGolden(t, filepath.Join("testdata", "platform", c.name+".yaml"), got)
		})
	}
}

func TestPlatformLint(t *testing.T) {
	t.Parallel()
	for _, c := range platformCases() {
		lint := action.NewLint()
		lint.Strict, lint.Namespace = true, c.namespace
		for _, err := range lint.Run([]string{c.chart}, values(t, c.values)).Errors {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestPlatformRefusesValues(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ chart, values, want string }{
		"an unknown key":                {"storage", "paths: [/a]", "'paths' not allowed"},
		"a relative path":               {"storage", "path: volumes", "/path"},
		"an unknown flavor":             {"ingress", "flavor: nginx", "/flavor"},
		"no name to certify":            {"ingress", "acme: {hosts: []}", "/acme/hosts"},
		"a plain ACME server":           {"ingress", "acme: {server: 'http://ca.example/dir'}", "/acme/server"},
		"no Secret to certify into":     {"ingress", "{flavor: f5, tls: {secretName: ''}}", "/tls/secretName"},
		"what cert-manager cannot read": {"ingress", "{flavor: f5, acme: {caConfigMap: ca}}", "/acme/caConfigMap"},
		"an image of nowhere":           {"autoscaling", "operator: {image: {tag: ''}}", "/operator/image"},
		"a wrong edge":                  {"lab", "pebble: {edgeAddress: worker-1}", "/pebble/edgeAddress"},
		"nowhere to go":                 {"monitoring", "networkPolicy: {namespaces: []}", "/networkPolicy/namespaces"},
		"a password":                    {"gitops", "git: {url: 'https://u:p@x/y.git'}", "/git/url"},
		"a branch like a flag":          {"gitops", "git: {branch: --all}", "/git/branch"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := renderPlatform(t, platformCase{chart: test.chart, namespace: "x", values: test.values})
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("no %q in: %v", test.want, err)
			}
		})
	}
}

// TestPlatformImagesAreInTheBundle holds the charts and infra/versions.yaml together.
func TestPlatformImagesAreInTheBundle(t *testing.T) {
	t.Parallel()
	catalog, err := release.Load()
	if err != nil {
		t.Fatal(err)
	}
	recipe, err := catalog.Recipe(catalog.Kubernetes.Default, "amd64")
	if err != nil {
		t.Fatal(err)
	}
	var known []string
	for _, c := range recipe.With(bundle.System).Components {
		for _, i := range c.Images {
			known = append(known, i.Ref)
		}
	}
	for _, c := range platformCases() {
		text, err := renderPlatform(t, c)
		if err != nil {
			t.Fatal(err)
		}
		for _, image := range regexp.MustCompile(`(?:image: |--helper-image=)(\S+)`).FindAllStringSubmatch(text, -1) {
			if !strings.HasPrefix(image[1], "wastecoach.io/") && !slices.Contains(known, image[1]) {
				t.Errorf("%s uses %s, which is not in versions.yaml", c.name, image[1])
			}
		}
	}
}

// pod is what Pod Security looks at.
type pod struct {
	Kind     string
	Metadata struct{ Name string }
	Spec     struct {
		Template struct {
			Spec struct {
				HostNetwork     bool
				SecurityContext struct{ RunAsNonRoot bool }
				Containers      []container
			}
		}
	}
}

type container struct {
	Name            string
	SecurityContext struct {
		ReadOnlyRootFilesystem   bool
		AllowPrivilegeEscalation *bool
		Capabilities             struct{ Add, Drop []string }
	}
	ReadinessProbe, LivenessProbe any
	Resources                     struct{ Requests, Limits map[string]string }
}

// TestPlatformPodsAreSafe lets only the ingress out of the restricted level, and out of probes only
// what serves nothing.
func TestPlatformPodsAreSafe(t *testing.T) {
	t.Parallel()
	seen := 0
	for _, c := range platformCases() {
		text, err := renderPlatform(t, c)
		if err != nil {
			t.Fatal(err)
		}
		for part := range strings.SplitSeq(text, "\n---\n") {
			var p pod
			if err := yaml.Unmarshal([]byte(part), &p); err != nil {
				t.Fatal(err)
			}
			for _, one := range p.Spec.Template.Spec.Containers {
				seen++
				p.check(t, one)
			}
		}
	}
	if seen < 8 {
		t.Errorf("saw only %d containers", seen)
	}
}

func (p pod) check(t *testing.T, c container) {
	t.Helper()
	s := c.SecurityContext
	if !s.ReadOnlyRootFilesystem || s.AllowPrivilegeEscalation == nil || *s.AllowPrivilegeEscalation ||
		!slices.Contains(s.Capabilities.Drop, "ALL") {
		t.Errorf("%s/%s may too much: %+v", p.Metadata.Name, c.Name, s)
	}
	edge := p.Metadata.Name == "traefik"
	if restricted := p.Spec.Template.Spec.SecurityContext.RunAsNonRoot && len(s.Capabilities.Add) == 0 &&
		!p.Spec.Template.Spec.HostNetwork; restricted == edge {
		t.Errorf("%s/%s is restricted: %t", p.Metadata.Name, c.Name, restricted)
	}
	if p.Metadata.Name != "local-path" && (c.ReadinessProbe == nil || c.LivenessProbe == nil) {
		t.Errorf("%s/%s has no probes", p.Metadata.Name, c.Name)
	}
	if c.Resources.Requests["memory"] == "" || c.Resources.Limits["memory"] == "" {
		t.Errorf("%s/%s may take all memory", p.Metadata.Name, c.Name)
	}
}
