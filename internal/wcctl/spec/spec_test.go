package spec_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/wastecoach/wastecoach/internal/wcctl/spec"
)

var releases = spec.Releases{Default: "1.36.3", Supported: []string{"1.36.3", "1.37.2"}}

func check(text string) (*spec.Cluster, []spec.Fault) {
	return spec.Check([]byte(text), ".", releases)
}

const head = "apiVersion: wastecoach.io/v1alpha1\nkind: Cluster\nmetadata: {name: c}\nspec:\n"

const (
	localFile = head + "  target: local\n"
	awsFile   = head + "  target: aws\n  aws:\n    apiAllowedCIDRs: [1.2.3.4/32]\n"
	hostsFile = head + `  target: hosts
  hosts:
    controlPlane: {name: cp, address: 10.0.0.11}
    workers:
      - {name: w1, address: 10.0.0.12}
`
)

// accepted are files that Load takes; among them the commented ones, once their examples are
// replaced.
func accepted(t *testing.T) []string {
	t.Helper()
	files := []string{
		localFile, awsFile, hostsFile,
		localFile + "  local: {workers: 1, subnet: 172.20.0.0/24, diskGiB: 6}\n  ssh: {}\n",
		localFile + "  local:\n  kubernetes:\n  network:\n  ssh:\n  budget:\n",
		localFile + "  budget: {monthlyUSD: 0}\n",
		localFile + "  delivery: gitops\n  git: {url: 'ssh://git@x/y.git', path: deploy/lab, chartsRevision: v1.2.3}\n",
		awsFile + "    region: us-gov-west-1\n    instanceType: c7gn.xlarge\n  budget: {monthlyUSD: 70.5}\n",
		head + "  target: aws\n  aws: {apiAllowedCIDRs: [0.0.0.0/0], apiOpenToInternet: true}\n",
		hostsFile + "  ssh: {user: ubuntu, bastion: {host: b.example.org, port: 2222}}\n",
		strings.Replace(hostsFile, "10.0.0.12", "node.example.org, privateAddress: 10.0.0.12, port: 23", 1),
		localFile + "  kubernetes:\n    version: \"1.37.2\"\n" +
			"    certificateSANs: [k.example.org, 1.2.3.4, \"*.x.y\"]\n",
	}
	for _, target := range spec.Targets() {
		text, err := spec.Starter(target, "own", releases)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, strings.NewReplacer("203.0.113.", "9.9.9.", "192.0.2.", "10.0.0.").
			Replace(string(text)))
	}
	return files
}

// misshapen are files whose shape is wrong.
var misshapen = map[string]string{
	"unknown key":         localFile + "  color: blue\n",
	"unknown key at root": localFile + "color: blue\n",
	"block as text":       localFile + "  local: three\n",
	"list as text":        head + "  target: aws\n  aws: {apiAllowedCIDRs: 1.2.3.4/32}\n",
	"number as text":      localFile + "  local: {workers: two}\n",
	"text as number":      localFile + "  kubernetes: {version: 1.36}\n",
	"fraction":            localFile + "  local: {workers: 2.5}\n",
	"truth as text":       awsFile + "    apiOpenToInternet: \"yes\"\n",
	"key without value":   awsFile + "    region:\n",
	"no target":           head + "  local: {}\n",
	"unknown target":      head + "  target: gcp\n",
	"two blocks":          localFile + "  aws: {apiAllowedCIDRs: [1.2.3.4/32]}\n",
	"no block":            head + "  target: hosts\n",
	"empty block":         head + "  target: aws\n  aws:\n",
	"ssh with local":      localFile + "  ssh: {user: me}\n",
	"user with aws":       awsFile + "  ssh: {user: me}\n",
	"bastion with aws":    awsFile + "  ssh: {bastion: {host: b.example.org}}\n",
	"no name":             strings.Replace(localFile, "{name: c}", "{}", 1),
	"no metadata":         strings.Replace(localFile, "metadata: {name: c}\n", "", 1),
	"other kind":          strings.Replace(localFile, "kind: Cluster", "kind: Pod", 1),
	"other version":       strings.Replace(localFile, "v1alpha1", "v2", 1),
	"no workers":          localFile + "  local: {workers: 0}\n",
	"empty list":          head + "  target: aws\n  aws: {apiAllowedCIDRs: []}\n",
	"hosts no workers": head + "  target: hosts\n" +
		"  hosts: {controlPlane: {name: a, address: 10.0.0.1}, workers: []}\n",
	"host no address": strings.Replace(hostsFile, ", address: 10.0.0.12", "", 1),
	"bastion no host": hostsFile + "  ssh: {bastion: {port: 22}}\n",
	"port":            hostsFile + "  ssh: {bastion: {host: b, port: 70000}}\n",
	"plugin":          localFile + "  network: {plugin: cilium}\n",
	"cpu credits":     awsFile + "    cpuCredits: none\n",
	"architecture":    strings.Replace(hostsFile, "10.0.0.12", "10.0.0.12, architecture: x86_64", 1),
	"negative budget": localFile + "  budget: {monthlyUSD: -1}\n",
	"scalar":          "wastecoach\n",
}

func TestDefaultsFillWhatIsLeftOut(t *testing.T) {
	t.Parallel()
	c, faults := check(hostsFile)
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	want := spec.Host{
		Name: "w1", Address: "10.0.0.12", PrivateAddress: "10.0.0.12", Port: 22, User: "root",
		Architecture: "amd64", Edge: true,
	}
	if got := c.Spec.Hosts.Workers[0]; got != want {
		t.Errorf("worker %+v, want %+v", got, want)
	}
	if c.Spec.Hosts.ControlPlane.Edge {
		t.Error("the control plane is an edge")
	}
	if got := c.Spec.Kubernetes; !reflect.DeepEqual(got, spec.Kubernetes{
		Version: "1.36.3", PodSubnet: "10.244.0.0/16", ServiceSubnet: "10.96.0.0/16",
		Endpoint: "api.c.internal",
	}) {
		t.Errorf("kubernetes: %+v", got)
	}
	for text, want := range map[string]spec.Plugin{
		localFile: spec.Flannel, awsFile: spec.Calico, hostsFile: spec.Calico,
	} {
		if c, _ := check(text); c.Spec.Network.Plugin != want {
			t.Errorf("plugin of %s is %s, want %s", c.Spec.Target, c.Spec.Network.Plugin, want)
		}
	}
}

func TestDefaultingTwiceChangesNothing(t *testing.T) {
	t.Parallel()
	for _, text := range accepted(t) {
		c, _ := check(text)
		once, err := c.YAML()
		if err != nil {
			t.Fatal(err)
		}
		again, faults := check(string(once))
		if spec.Stops(faults) {
			t.Fatalf("what show prints is refused: %v\n%s", faults, once)
		}
		twice, err := again.YAML()
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(once, twice) {
			t.Errorf("once:\n%s\ntwice:\n%s", once, twice)
		}
	}
}

func TestNumbersThatAreTextStayInQuotes(t *testing.T) {
	t.Parallel()
	c := &spec.Cluster{Metadata: spec.Metadata{Name: "123"}}
	text, err := c.YAML()
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), `name: "123"`) {
		t.Errorf("%s", text)
	}
}

var commented = regexp.MustCompile(`(?m)^( *)#(\S)`)

// TestStartersShowEveryKey: with all comments taken away the files are read, and hold every key of
// their target.
func TestStartersShowEveryKey(t *testing.T) {
	t.Parallel()
	for _, target := range spec.Targets() {
		text, err := spec.Starter(target, "own", releases)
		if err != nil {
			t.Fatal(err)
		}
		golden(t, filepath.Join("testdata", "starter_"+string(target)+".yaml"), text)
		c, faults := spec.Parse(commented.ReplaceAll(text, []byte("$1$2")))
		if len(faults) > 0 {
			t.Errorf("%s: %v", target, faults)
		}
		for _, path := range spec.Paths() {
			other := false
			for _, o := range spec.Targets() {
				other = other || o != target && strings.HasPrefix(path+".", "spec."+string(o)+".")
			}
			ssh := strings.HasPrefix(path, "spec.ssh") && target != spec.Hosts &&
				(target == spec.Local || path != "spec.ssh" && path != "spec.ssh.keyFile")
			if worker := strings.HasPrefix(path, "spec.hosts.workers[]."); worker || other || ssh ||
				path == "spec.hosts.controlPlane.edge" {
				continue
			}
			if c.Line(path) == 0 {
				t.Errorf("%s does not show %s", target, path)
			}
		}
	}
}

// TestStarterDefaultsAreTrue: a commented-out default is what Default fills in.
func TestStarterDefaultsAreTrue(t *testing.T) {
	t.Parallel()
	examples := regexp.MustCompile(
		`(?m)^ *#(domain|zoneID|photosBucket|stateBucket|bastion|keyFile|privateAddress|` +
			`git|url|branch|path|chartsURL|chartsRevision):.*\n`)
	for _, target := range spec.Targets() {
		text, err := spec.Starter(target, "own", releases)
		if err != nil {
			t.Fatal(err)
		}
		as, _ := check(string(text))
		all := commented.ReplaceAll(examples.ReplaceAll(text, nil), []byte("$1$2"))
		written, _ := check(string(all))
		want, _ := as.YAML()
		got, _ := written.YAML()
		// An empty list and none print alike only after the next reading.
		trimmed := strings.Replace(string(got), "    certificateSANs: []\n", "", 1)
		if trimmed != string(want) {
			t.Errorf("%s: with the defaults written out:\n%s\nwithout:\n%s", target, trimmed, want)
		}
	}
}

func TestLoadReadsFilesAndStandardInput(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "c.yaml")
	if err := os.WriteFile(file, []byte(localFile), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{file, "-"} {
		c, faults, err := spec.Load(path, strings.NewReader(localFile), releases)
		if err != nil || len(faults) > 0 || c.Metadata.Name != "c" {
			t.Errorf("%s: %v, %v, %v", path, c, faults, err)
		}
	}
	_, _, err := spec.Load("-", strings.NewReader("kind: Pod\nkind: Pod\n"), releases)
	var faults *spec.FaultsError
	if !errors.As(err, &faults) || !strings.Contains(err.Error(), "\n  -:2: kind: stands in line 1") {
		t.Errorf("error: %v", err)
	}
	if _, _, err := spec.Load(file+"x", nil, releases); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("error: %v", err)
	}
	large := strings.NewReader(strings.Repeat("# large\n", 1<<18))
	if _, _, err := spec.Load("-", large, releases); err == nil {
		t.Error("a file of 2 MiB is read")
	}
}

func TestPathsAreThoseOfTheTypes(t *testing.T) {
	t.Parallel()
	for _, want := range []string{"metadata.name", "spec.hosts.workers[].address", "spec.aws.region"} {
		if !slices.Contains(spec.Paths(), want) {
			t.Errorf("no %s", want)
		}
	}
}

// FuzzCheck: no file makes it panic, faults name themselves, and what is taken is taken again as
// `config show` prints it.
func FuzzCheck(f *testing.F) {
	for _, text := range misshapen {
		f.Add(text)
	}
	for _, text := range []string{localFile, awsFile, hostsFile, "a: &a [*a]", "? [a]\n: b", "<<: *x", "- a"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		c, faults := check(text)
		for _, fault := range faults {
			if fault.Text == "" || strings.Contains(fault.String()+fault.Hint, "%!") {
				t.Errorf("%+v", fault)
			}
		}
		if spec.Stops(faults) {
			return
		}
		shown, err := c.YAML()
		if err != nil {
			t.Fatal(err)
		}
		if _, faults := check(string(shown)); spec.Stops(faults) {
			t.Errorf("%v\n%s", faults, shown)
		}
	})
}
