package spec_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/wastecoach/wastecoach/internal/wcctl/spec"
)

// TestFaults: each file has exactly these faults, as line: path: text (hint).
func TestFaults(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("n", 41)
	for name, c := range map[string]struct {
		file string
		want []string
	}{
		"typo": {
			localFile + "  locale: {}\n",
			[]string{"6: spec.locale: is not a known key (did you mean local?)"},
		},
		"elsewhere": {
			localFile + "  podSubnet: 10.0.0.0/16\n",
			[]string{"6: spec.podSubnet: is not a known key (did you mean spec.kubernetes.podSubnet?)"},
		},
		"several homes": {
			localFile + "  workers: 2\n",
			[]string{"6: spec.workers: is not a known key " +
				"(did you mean spec.aws.workers or spec.hosts.workers or spec.local.workers?)"},
		},
		"services": {
			localFile + "  services: {wast: {}, waste: {strategy: canary, replicas: 0}}\n",
			[]string{
				`6: spec.services.wast: "wast" is not known (did you mean waste?)`,
				`6: spec.services.waste.strategy: "canary" is not known (one of: rolling, blue-green)`,
				"6: spec.services.waste.replicas: 0 is too few (at least 1)",
			},
		},
		"service keys": {
			localFile + "  services: {waste: {replica: 2}}\n",
			[]string{"6: spec.services.waste.replica: is not a known key (did you mean replicas?)"},
		},
		"platform": {
			localFile + "  platform: {dat: {}}\n  domain: https://x\n",
			[]string{
				`6: spec.platform.dat: "dat" is not known (did you mean data?)`,
				`7: spec.domain: "https://x" is no DNS name (without a scheme, port or path, e.g. api.example.org)`,
			},
		},
		"git": {
			localFile + "  delivery: gitops\n  git: {url: 'https://u:p@x/y.git', branch: --all, path: ../deploy}\n",
			[]string{
				"7: spec.git.url: holds a password (let Git's credential helper know it, and a Secret of Argo CD's)",
				"7: spec.git.chartsURL: holds a password " +
					"(let Git's credential helper know it, and a Secret of Argo CD's)",
				`7: spec.git.branch: "--all" is no branch, tag or commit (e.g. main)`,
				`7: spec.git.chartsRevision: "--all" is no branch, tag or commit (e.g. main)`,
				`7: spec.git.path: "../deploy" is no folder of a repository (e.g. deploy)`,
			},
		},
		"no git": {
			localFile + "  delivery: gitops\n",
			[]string{"4: spec.git: is missing (git: {url: https://github.com/you/wastecoach.git})"},
		},
		"no like": {
			localFile + "  network: {mtu: 9000}\n",
			[]string{"6: spec.network.mtu: is not a known key (known in spec.network: plugin)"},
		},
		"syntax": {"a: [", []string{"1: : is no YAML: did not find expected node content ()"}},
		"tabs":   {"a:\n\tb: 1", []string{"2: : is no YAML: found character that cannot start any token ()"}},
		"empty":  {"# nothing\n", []string{"1: : the file is empty ()"}},
		"two documents": {
			localFile + "---\n" + localFile,
			[]string{"6: : the file holds more than one document (keep one, without ---)"},
		},
		"key twice": {
			localFile + "  local: {workers: 1}\n  local: {workers: 2}\n",
			[]string{"7: spec.local: stands in line 6 already (keep one of them)"},
		},
		"number for text": {
			localFile + "  kubernetes: {version: 1.36}\n",
			[]string{`6: spec.kubernetes.version: 1.36 is no text (write it in quotes: "1.36")`},
		},
		"key is a list": {
			localFile + "  ? [a]\n  : b\n",
			[]string{"6: spec: a key must be a word, not a list ()"},
		},
		"huge number": {
			localFile + "  local: {workers: 99999999999999999999}\n",
			[]string{"6: spec.local.workers: must be a whole number, not \"99999999999999999999\" ()"},
		},
		"all at once": {
			"apiVersion: wastecoach.io/v1\nkind: Clutser\nmetadata: {name: My_Cluster}\n" +
				"spec:\n  target: awz\n  network: {plugin: calicoo}\n",
			[]string{
				`1: apiVersion: "wastecoach.io/v1" is not known (one of: wastecoach.io/v1alpha1)`,
				`2: kind: "Clutser" is not known (did you mean Cluster?)`,
				`3: metadata.name: "My_Cluster" cannot be a host name (write my-cluster)`,
				`5: spec.target: "awz" is not known (did you mean aws?)`,
				`6: spec.network.plugin: "calicoo" is not known (did you mean calico?)`,
			},
		},
		"nothing": {
			"{}",
			[]string{
				"0: apiVersion: is missing (one of: wastecoach.io/v1alpha1)",
				"0: kind: is missing (one of: Cluster)",
				"0: metadata.name: is missing (lower-case letters, digits and hyphens)",
				"0: spec.target: is missing (one of: aws, hosts, local)",
			},
		},
		"long name": {
			strings.Replace(localFile, "name: c", "name: "+long, 1),
			[]string{fmt.Sprintf("3: metadata.name: %q has 41 characters; at most 40 fit ()", long)},
		},
		"version": {
			localFile + "  kubernetes: {version: 1.20.0}\n",
			[]string{`6: spec.kubernetes.version: this wcctl cannot install Kubernetes "1.20.0" ` +
				`(known: 1.36.3, 1.37.2)`},
		},
		"version with v": {
			localFile + "  kubernetes: {version: v1.36.3}\n",
			[]string{`6: spec.kubernetes.version: "v1.36.3" has a v (write 1.36.3)`},
		},
		"empty values": {
			localFile + "  kubernetes: {version: \"\", podSubnet: \"\", endpoint: \"\"}\n",
			[]string{
				"6: spec.kubernetes.version: is empty (known: 1.36.3, 1.37.2)",
				"6: spec.kubernetes.podSubnet: is empty (a network, e.g. 10.244.0.0/16)",
				"6: spec.kubernetes.endpoint: is empty (a DNS name, e.g. api.example.org)",
			},
		},
		"subnets": {
			localFile + "  kubernetes:\n    podSubnet: 10.244.1.0/16\n    serviceSubnet: 10.96.0.1\n",
			[]string{
				"7: spec.kubernetes.podSubnet: 10.244.1.0/16 is an address within a network (write 10.244.0.0/16)",
				"8: spec.kubernetes.serviceSubnet: 10.96.0.1 has no length (write 10.96.0.1/32 for this one address)",
			},
		},
		"subnet sizes": {
			localFile + "  kubernetes:\n    podSubnet: 10.244.0.0/23\n    serviceSubnet: fd00::/108\n",
			[]string{
				"7: spec.kubernetes.podSubnet: /23 is too small for the pods' subnet (from /8 to /22)",
				"8: spec.kubernetes.serviceSubnet: fd00::/108 is no IPv4 network (an IPv4 network, e.g. 10.244.0.0/16)",
			},
		},
		"public subnet": {
			localFile + "  kubernetes: {podSubnet: 8.8.0.0/16}\n",
			[]string{"6: spec.kubernetes.podSubnet: 8.8.0.0/16 is not private: machines there would be out of reach " +
				"(one within 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16 or 100.64.0.0/10)"},
		},
		"overlaps": {
			localFile + "  kubernetes: {podSubnet: 10.0.0.0/8}\n",
			[]string{
				"4: spec.local.subnet: 10.77.0.0/24 overlaps with the pods' subnet, 10.0.0.0/8 " +
					"(spec.kubernetes.podSubnet) (choose another network)",
				"6: spec.kubernetes.serviceSubnet: 10.96.0.0/16 overlaps with the pods' subnet, 10.0.0.0/8 " +
					"(spec.kubernetes.podSubnet) (choose another network)",
			},
		},
		"endpoint": {
			localFile + "  kubernetes: {endpoint: \"https://k:6443\", certificateSANs: [a, \"b c\"]}\n",
			[]string{
				`6: spec.kubernetes.endpoint: "https://k:6443" is no DNS name ` +
					"(without a scheme, port or path, e.g. api.example.org)",
				`6: spec.kubernetes.certificateSANs[1]: "b c" is no DNS name (a DNS name, e.g. api.example.org)`,
			},
		},
		"endpoint is an address": {
			localFile + "  kubernetes: {endpoint: 10.0.0.1}\n",
			[]string{"6: spec.kubernetes.endpoint: 10.0.0.1 is an address, not a name " +
				"(a DNS name, e.g. api.example.org)"},
		},
		"endpoint is short": {
			localFile + "  kubernetes: {endpoint: k8s}\n",
			[]string{`6: spec.kubernetes.endpoint: "k8s" is no full DNS name (e.g. k8s.internal)`},
		},
		"blocks": {
			head + "  target: hosts\n  local: {}\n",
			[]string{
				"4: spec.hosts: is missing, but target is hosts (wcctl init --target hosts -f - shows one)",
				"6: spec.local: is there, but target is hosts (remove it, or set target: local)",
			},
		},
		"local": {
			localFile + "  local: {workers: 0, diskGiB: 1, subnet: 10.77.0.0/30}\n",
			[]string{
				"6: spec.local.workers: 0 is not from 1 to 100 ()",
				"6: spec.local.diskGiB: 1 GiB are too few; at least 6 ()",
				"6: spec.local.subnet: /30 is too small for the machines' subnet (from /16 to /24)",
			},
		},
		"hosts": {
			head + `  target: hosts
  hosts:
    controlPlane: {name: a, address: 10.0.0.1, edge: true}
    workers:
      - {name: a, address: 10.0.0.1}
      - {name: b, address: 192.0.2.7, edge: true}
      - {name: c, address: 10.244.3.4, edge: true}
      - {name: d, address: node.example.org}
      - {name: e, address: "fd00::1", port: 0, user: "a b", architecture: x86}
      - {name: f, address: 127.0.0.1, privateAddress: node}
`,
			[]string{
				"7: spec.hosts.controlPlane.edge: a control plane takes no traffic from outside " +
					"(mark one of the workers)",
				"9: spec.hosts.workers[0].name: spec.hosts.controlPlane has the same name, a ()",
				"9: spec.hosts.workers[0].address: spec.hosts.controlPlane has the same address among machines, " +
					"10.0.0.1 ()",
				"10: spec.hosts.workers[1].address: 192.0.2.7 is only an example (write your machine's address)",
				"11: spec.hosts.workers[2].address: 10.244.3.4 is within the pods' subnet, 10.244.0.0/16 " +
					"(change spec.kubernetes.podSubnet)",
				"11: spec.hosts.workers[2].edge: spec.hosts.workers[1] is the edge already (keep one of them)",
				"12: spec.hosts.workers[3].privateAddress: is missing (an IPv4 address, since address is a name)",
				`13: spec.hosts.workers[4].architecture: "x86" is not known (one of: amd64, arm64)`,
				"13: spec.hosts.workers[4].port: 0 is not from 1 to 65535 ()",
				`13: spec.hosts.workers[4].user: "a b" is no user name (e.g. root or ubuntu)`,
				"13: spec.hosts.workers[4].address: fd00::1 is no IPv4 address (an IPv4 address, e.g. 10.0.0.11)",
				"14: spec.hosts.workers[5].address: 127.0.0.1 names no other machine " +
					"(an address that the other machines reach)",
				`14: spec.hosts.workers[5].privateAddress: "node" is no IPv4 address (an IPv4 address, e.g. 10.0.0.11)`,
			},
		},
		"aws": {
			head + `  target: aws
  aws:
    apiAllowedCIDRs: [0.0.0.0/0, 1.2.3.4, 1.2.3.4/8, 203.0.113.1/32, 2.0.0.0/7]
    region: ap-northeast-2a
    instanceType: t4g.nano
    workers: 0
    volumeGiB: 5
    photosBucket: My.Bucket
    stateBucket: s3://state
    cpuCredits: none
    zoneID: example.org
  kubernetes: {podSubnet: 10.42.0.0/16}
`,
			[]string{
				"6: spec.aws: 10.42.0.0/16 overlaps with the pods' subnet, 10.42.0.0/16 " +
					"(spec.kubernetes.podSubnet) (choose another network)",
				"7: spec.aws.apiAllowedCIDRs[0]: opens the API server to everybody " +
					"(your own address with /32, or apiOpenToInternet: true where it is meant)",
				"7: spec.aws.apiAllowedCIDRs[1]: 1.2.3.4 has no length (write 1.2.3.4/32 for this one address)",
				"7: spec.aws.apiAllowedCIDRs[2]: 1.2.3.4/8 is an address within a network (write 1.0.0.0/8)",
				"7: spec.aws.apiAllowedCIDRs[3]: 203.0.113.1 is only an example (write your own address with /32)",
				"7: warning: spec.aws.apiAllowedCIDRs[4]: 2.0.0.0/7 is a large part of the internet ()",
				`8: spec.aws.region: "ap-northeast-2a" is a zone of a region (write ap-northeast-2)`,
				"9: spec.aws.instanceType: t4g.nano has less memory than kubeadm asks for (1.7 GiB) (write t4g.medium)",
				"10: spec.aws.workers: 0 is not from 1 to 100 ()",
				"11: spec.aws.volumeGiB: 5 is not from 10 to 16384 ()",
				`12: spec.aws.photosBucket: "My.Bucket" cannot be a bucket's name ` +
					`(lower-case letters, digits and hyphens)`,
				"12: spec.aws.photosBucket: a dot in its name breaks HTTPS uploads (write My-Bucket)",
				`13: spec.aws.stateBucket: "s3://state" is an address (write state)`,
				`14: spec.aws.cpuCredits: "none" is not known (one of: unlimited, standard)`,
				`15: spec.aws.zoneID: "example.org" is no zone's id ` +
					"(as in aws route53 list-hosted-zones, e.g. Z0123456789ABCDEFGHIJ)",
			},
		},
		"aws ssh": {
			awsFile + "  ssh: {user: me, bastion: {host: b}}\n",
			[]string{
				"8: spec.ssh.user: target aws logs in as its image's own user (remove it)",
				"8: spec.ssh.bastion: target aws goes through AWS SSM (remove it)",
			},
		},
		"aws warns": {
			head + "  target: aws\n  aws:\n    apiAllowedCIDRs: [0.0.0.0/0]\n    apiOpenToInternet: true\n" +
				"    instanceType: t4g.small\n",
			[]string{
				"7: warning: spec.aws.apiAllowedCIDRs[0]: the API server is open to everybody ()",
				"9: warning: spec.aws.instanceType: t4g.small has 2 GiB, too little for etcd and the API server " +
					"under load " +
					"(write t4g.medium)",
			},
		},
		"aws words": {
			awsFile + "    region: Seoul\n    instanceType: large\n    photosBucket: x\n    stateBucket: 10.0.0.1\n",
			[]string{
				`8: spec.aws.region: "Seoul" is no region (e.g. ap-northeast-2)`,
				`9: spec.aws.instanceType: "large" is no EC2 instance type (e.g. t4g.medium)`,
				`10: spec.aws.photosBucket: "x" has 1 characters; a bucket's name has 3 to 63 ()`,
				`11: spec.aws.stateBucket: "10.0.0.1" cannot be a bucket's name ` +
					`(lower-case letters, digits and hyphens)`,
			},
		},
		"buckets": {
			awsFile + "    photosBucket: sthree-x\n    stateBucket: sthree-x\n    instanceType: mac2.metal\n",
			[]string{
				`8: spec.aws.photosBucket: "sthree-x" cannot be a bucket's name: S3 keeps sthree- for itself ()`,
				"8: spec.aws.photosBucket: the photos cannot share the state's bucket (name two)",
				`9: spec.aws.stateBucket: "sthree-x" cannot be a bucket's name: S3 keeps sthree- for itself ()`,
				"10: spec.aws.instanceType: mac2.metal runs macOS only (e.g. t4g.medium)",
			},
		},
		"budget": {
			localFile + "  budget: {monthlyUSD: .inf}\n",
			[]string{"6: spec.budget.monthlyUSD: +Inf is no amount of money (e.g. 105)"},
		},
		"alias": {
			localFile + "  kubernetes: &k {podSubnet: 10.1.0.0/16}\n  network: *k\n",
			[]string{"6: spec.network.podSubnet: is not a known key (did you mean spec.kubernetes.podSubnet?)"},
		},
	} {
		_, faults := check(c.file)
		got := make([]string, len(faults))
		for i, f := range faults {
			got[i] = fmt.Sprintf("%d: %s (%s)", f.Line, f, f.Hint)
			if f.Path == "" {
				got[i] = fmt.Sprintf("%d: : %s (%s)", f.Line, f.Text, f.Hint)
			}
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s:\n got %s\nwant %s", name, strings.Join(got, "\n     "), strings.Join(c.want, "\n     "))
		}
	}
}

// TestKeyFiles: what SSH would refuse is told before anything is tried.
func TestKeyFiles(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	write := func(name, content string, mode os.FileMode) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(folder, name), []byte(content), mode); err != nil {
			t.Fatal(err)
		}
	}
	const private = "-----BEGIN OPENSSH PRIVATE KEY-----\n"
	write("id_ed25519", private, 0o600)
	write("id_open", private, 0o640)
	write("id_ed25519.pub", "ssh-ed25519 AAAA", 0o600)
	write("putty.ppk", "PuTTY-User-Key-File-3", 0o600)
	write("notes.txt", "hello", 0o600)
	if err := os.Mkdir(filepath.Join(folder, "sub dir"), 0o700); err != nil {
		t.Fatal(err)
	}
	for file, want := range map[string]string{
		"id_ed25519":   "",
		"./id_ed25519": "",
		"id_ed25591":   "there is no file F/id_ed25591 (did you mean F/id_ed25519?)",
		"none":         "there is no file F/none (ssh-keygen -t ed25519 -f F/none makes one)",
		"a/b/c":        "there is no file F/a/b/c (the path exists as far as F)",
		"$HOME/.ssh/id": "there is no file F/$HOME/.ssh/id " +
			"(variables are not expanded; ~ stands for your home folder)",
		"id_open":        "others may read F/id_open (mode 0640); SSH refuses such a key (chmod 600 F/id_open)",
		"id_ed25519.pub": "F/id_ed25519.pub is the public half of a key (write F/id_ed25519)",
		"putty.ppk": "F/putty.ppk is a PuTTY key " +
			"(puttygen F/putty.ppk -O private-openssh -o ~/.ssh/id_wastecoach)",
		"notes.txt":         "F/notes.txt is no private key ()",
		"sub dir":           "F/sub dir is a folder (name a file in it, e.g. F/sub dir/id_ed25519)",
		"~/no/such/key/x.y": "there is no file",
	} {
		c, faults := spec.Check([]byte(hostsFile+"  ssh: {keyFile: '"+file+"'}\n"), folder, releases)
		got := ""
		for _, f := range faults {
			got += strings.ReplaceAll(fmt.Sprintf("%s (%s)", f.Text, f.Hint), folder, "F")
		}
		if got != want && (want == "" || !strings.HasPrefix(got, want) || file[0] != '~') {
			t.Errorf("%s:\n got %s\nwant %s", file, got, want)
		}
		if strings.HasPrefix(c.Spec.SSH.KeyFile, "~") || !filepath.IsAbs(c.Spec.SSH.KeyFile) {
			t.Errorf("%s stays %s", file, c.Spec.SSH.KeyFile)
		}
	}
}

func TestArchitectures(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"t4g.medium": "arm64", "t3.medium": "amd64", "t3a.medium": "amd64", "m7gd.2xlarge": "arm64",
		"a1.large": "arm64", "g4dn.xlarge": "amd64", "g5g.xlarge": "arm64", "c7gn.16xlarge": "arm64",
		"is4gen.medium": "arm64", "i4i.large": "amd64", "im4gn.large": "arm64", "m5.metal": "amd64",
	} {
		if got, err := spec.Architecture(name); err != nil || got != want {
			t.Errorf("%s: %s, %v; want %s", name, got, err, want)
		}
	}
}

func TestNames(t *testing.T) {
	t.Parallel()
	for name, good := range map[string]bool{
		"a": true, "seoul-2": true, "": false, "-a": false, "A": false, "a.b": false,
		strings.Repeat("a", 40): true, strings.Repeat("a", 41): false,
	} {
		if err := spec.CheckName(name); (err == nil) != good {
			t.Errorf("%q: %v", name, err)
		}
	}
}
