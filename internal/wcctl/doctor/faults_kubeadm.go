package doctor

import "regexp"

// checkFaults are what kubeadm's own checks before init and join report.
func checkFaults() []Fault {
	return []Fault{
		{
			ID: "leftover-cluster", Title: "The machine holds the remains of another cluster",
			Cause: "an earlier kubeadm ran here and nobody reset it",
			Hint: "sudo kubeadm reset -f && sudo rm -rf /etc/cni/net.d # on the machine; it " +
				"deletes that cluster's data",
			signs: []string{"[ERROR DirAvailable-", "[ERROR FileAvailable-"},
		},
		{
			ID: "port-in-use", Title: "A port that Kubernetes needs is taken",
			Cause: "another program listens there, or the remains of another cluster",
			Hint:  "sudo ss -ltnp # on the machine",
			signs: []string{"[ERROR Port-", "bind: address already in use"},
		},
		{
			ID: "swap", Title: "The machine swaps",
			Cause: "kubelet does not start on a machine with swap",
			Hint: "sudo swapoff -a && sudo sed -i '/\\sswap\\s/s/^/#/' /etc/fstab # on the " +
				"machine",
			signs: []string{"running with swap on is not supported", "[ERROR Swap]"},
		},
		{
			ID: "too-small", Title: "The machine is too small",
			Cause: "a control plane needs 2 processors and 1700 MB of memory",
			Hint:  "nproc; free -m # on the machine",
			signs: []string{"[ERROR NumCPU]", "[ERROR Mem]"},
		},
		{
			ID: "br-netfilter", Title: "Packets of bridges pass the firewall rules by",
			Cause: "the kernel module br_netfilter is not loaded",
			Hint: "sudo modprobe br_netfilter && echo br_netfilter | sudo tee " +
				"/etc/modules-load.d/k8s.conf # on the machine",
			signs: []string{
				"[ERROR FileContent--proc-sys-net-bridge", "Failed to check br_netfilter",
				"Module br_netfilter not found",
				"/proc/sys/net/bridge/bridge-nf-call-iptables: no such file",
				"/proc/sys/net/bridge/bridge-nf-call-iptables does not exist",
			},
		},
		{
			ID: "ip-forward", Title: "The machine does not forward packets",
			Cause: "net.ipv4.ip_forward is 0: pods of other nodes cannot be reached",
			Hint: "echo net.ipv4.ip_forward=1 | sudo tee /etc/sysctl.d/99-k8s.conf && sudo " +
				"sysctl --system # on the machine",
			signs: []string{"[ERROR FileContent--proc-sys-net-ipv4-ip_forward]"},
		},
		{
			ID: "program-missing", Title: "A program that Kubernetes calls is not installed",
			Cause: "somebody removed its package",
			Hint:  "wcctl up --only host --again",
			signs: []string{"[ERROR FileExisting-"},
		},
		{
			ID: "version-skew", Title: "kubelet and control plane are of versions that do not fit",
			Cause: "a kubelet may not be newer than the API server",
			Hint:  "wcctl status\nwcctl plan",
			signs: []string{
				"[ERROR KubeletVersion]", "is higher than the control plane version",
				"version is too new",
			},
		},
	}
}

// joinFaults are what kubeadm's init and join run into.
func joinFaults() []Fault {
	return []Fault{
		{
			ID: "duplicate-name", Title: "Two machines have one name",
			Cause: "a node of that name is in the cluster already: every machine needs a host " +
				"name of its own",
			Hint: "kubectl get nodes -o wide\nsudo hostnamectl set-hostname NAME # on the " +
				"machine, if it is another one",
			signs: []string{
				"a Node with name", "a node with name",
			},
			pattern: regexp.MustCompile("already exists"),
		},
		{
			ID: "token-expired", Title: "The join token is no longer valid",
			Cause: "tokens live for a short time; wcctl makes a new one in every run",
			Hint:  "wcctl up --from workers",
			signs: []string{
				"could not find a JWS signature in the cluster-info ConfigMap",
				"is invalid for this cluster or it has expired",
				"invalid bearer token, Token has expired",
			},
		},
		{
			ID: "wrong-ca", Title: "The machine trusts another cluster's authority",
			Cause: "its kubeconfig or its join hash is of an earlier cluster at this address",
			Hint:  "sudo kubeadm reset -f # on the machine\nwcctl up",
			signs: []string{
				"cluster CA found in cluster-info ConfigMap is invalid", "none of the public keys",
				"while trying to verify candidate authority certificate",
			},
			pattern: regexp.MustCompile(`(?i)(pinned|"(kubernetes|etcd-ca)\\?"|\\"(kubernetes|etcd-ca)|is invalid)`),
		},
		{
			ID: "api-not-ready", Title: "The machine joins before the API server answers",
			Cause: "the control plane is still starting, or has stopped",
			Hint:  "wcctl status\nwcctl up --from workers",
			signs: []string{
				"couldn't validate the identity of the API Server",
				"failed to request the cluster-info ConfigMap",
				"couldn't initialize a kubernetes client",
			},
			pattern: regexp.MustCompile(`(connection refused|EOF|Service Unavailable|connection reset)`),
		},
		{
			ID: "api-unreachable", Title: "A worker finds no way to the API server",
			Cause: "a firewall or security group lets no traffic through to port 6443, or the " +
				"address is another",
			Hint: "nc -vz CONTROL_PLANE 6443 # on the worker",
			signs: []string{
				":6443: i/o timeout", ":6443: connect: no route to host",
				":6443: connect: connection timed out",
			},
		},
		{
			ID: "endpoint-unknown", Title: "The name of the API server is not known on the machine",
			Cause: "the control plane's endpoint is missing in its /etc/hosts or DNS",
			Hint:  "wcctl up --only host --again",
			signs: []string{
				"no such host",
			},
			pattern: regexp.MustCompile(`(:6443.*dial tcp: lookup|lookup \S*(control|kube|api))`),
			not:     []string{"pull", "registry"},
		},
		{
			ID: "certificate-name", Title: "The API server's certificate does not hold the name or address asked for",
			Cause: "it was made before that name was one of spec.kubernetes.certificateSANs",
			Hint:  "grep -n -A5 certificateSANs wastecoach.yaml",
			signs: []string{"x509: certificate is valid for", "doesn't contain any IP SANs"},
			not:   []string{"metrics-server", "scrape"},
		},
	}
}

// startFaults are what does not come up, or does not go.
func startFaults() []Fault {
	return []Fault{
		{
			ID: "kubelet-unhealthy", Title: "kubelet does not come up",
			Cause: "its own log has the reason",
			Hint:  "sudo journalctl -u kubelet -n 50 --no-pager # on the machine\nwcctl doctor",
			signs: []string{
				"The kubelet is not healthy after", "http://localhost:10248/healthz",
				"http://127.0.0.1:10248/healthz",
			},
			pattern: regexp.MustCompile(`(not healthy|connection refused|fail|unhealthy)`),
		},
		{
			ID: "control-plane-unhealthy", Title: "A part of the control plane does not come up",
			Cause: "its container stops or waits; its log has the reason",
			Hint: "sudo crictl ps -a; sudo tail -n 50 /var/log/pods/kube-system_*/*/*.log # on " +
				"the control plane",
			signs: []string{
				"is not healthy after", "couldn't initialize a Kubernetes cluster",
				"could not initialize a Kubernetes cluster",
			},
		},
		{
			ID: "wrong-label", Title: "Something waits for pods with a label that no pod has",
			Cause: "kubectl wait ends at once when nothing matches; the label differs from the " +
				"manifest's",
			Hint:  "kubectl get pods -A --show-labels",
			signs: []string{"error: no matching resources found"},
		},
		{
			ID: "disruption-budget", Title: "A node cannot be emptied",
			Cause: "a PodDisruptionBudget allows no pod of that app to go",
			Hint:  "kubectl get poddisruptionbudgets -A",
			signs: []string{"violate the pod's disruption budget"},
		},
	}
}
