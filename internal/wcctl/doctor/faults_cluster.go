package doctor

import "regexp"

// mendResolver makes the file anew that pods inherit, and the pods that have the old one.
const mendResolver = "wcctl up --only packages --again\n" +
	"kubectl -n kube-system rollout restart deployment coredns"

// networkFaults are those between pods: pod network, kube-proxy, DNS.
func networkFaults() []Fault {
	return []Fault{
		{
			ID: "dns-loop", Title: "DNS asks itself in a circle",
			Cause: "the node's resolv.conf names 127.0.0.53 or another address of its own: " +
				"CoreDNS forwards to itself",
			Hint:  mendResolver,
			signs: []string{"plugin/loop: Loop ("},
		},
		{
			ID: "cni-missing-plugin", Title: "A program of the pod network is not installed",
			Cause: "/opt/cni/bin lacks what the network's configuration calls",
			Hint:  "ls /opt/cni/bin # on the machine\nwcctl up --only packages --again",
			signs: []string{"failed to find plugin \""},
		},
		{
			ID: "cni-version", Title: "The pod network's configuration is newer than its programs",
			Cause: "its cniVersion is one that the plugin in /opt/cni/bin does not speak",
			Hint:  "sudo grep -r cniVersion /etc/cni/net.d # on the machine\nwcctl up --only packages,network --again",
			signs: []string{"incompatible CNI versions"},
		},
		{
			ID: "flannel-not-ready", Title: "flannel has not set up its node",
			Cause: "its pod does not run there, so that /run/flannel/subnet.env is missing",
			Hint:  "kubectl -n kube-flannel get pods -o wide",
			signs: []string{"subnet.env: no such file or directory"}, passing: true,
		},
		{
			ID: "pod-cidr", Title: "A node has no range of pod addresses",
			Cause: "the cluster was made without spec.kubernetes.podSubnet, or the range is " +
				"used up",
			Hint:  "kubectl get nodes -o custom-columns=NAME:.metadata.name,CIDR:.spec.podCIDR",
			signs: []string{"pod cidr not assigned", "CIDRNotAvailable", "no podCIDR"},
		},
		{
			ID: "no-pod-network", Title: "A node has no pod network",
			Cause: "it was joined before the network's pods ran there, or they fail",
			Hint:  "kubectl get pods -A -o wide\nwcctl up --only network --again",
			signs: []string{
				"cni plugin not initialized", "NetworkPluginNotReady",
				"no networks found in /etc/cni/net.d",
				"cni config uninitialized",
			},
			passing: true,
		},
		{
			ID: "no-service-network", Title: "Pods cannot reach the API server's service address",
			Cause: "kube-proxy is missing or fails on that node, or the service range meets the " +
				"machines' own network",
			Hint: "kubectl -n kube-system get pods -l k8s-app=kube-proxy -o wide",
			signs: []string{
				"dial tcp 10.96.0.1:443: i/o timeout",
				"dial tcp 10.96.0.1:443: connect: no route to host",
				"dial tcp 10.96.0.1:443: connect: network is unreachable",
				"dial tcp 10.96.0.1:443: connect: connection refused",
			},
			passing: true,
		},
		{
			ID: "nftables-missing", Title: "The kernel or the machine has no nftables",
			Cause: "kube-proxy runs in nftables mode, which needs kernel 5.13 and nft 1.0.1",
			Hint:  "uname -r; nft --version # on the machine",
			signs: []string{"could not run nft command", "nftables kube-proxy", "nft: not found"},
			pattern: regexp.MustCompile(
				`(?i)(could not run nft|requires kernel|requires nft|not found|not supported)`),
		},
		{
			ID: "metrics-certificates", Title: "metrics-server does not trust the kubelets",
			Cause:   "their certificates are their own and hold no addresses",
			Hint:    "wcctl up --only metrics --again",
			signs:   []string{"doesn't contain any IP SANs", "x509: cannot validate certificate for"},
			pattern: regexp.MustCompile(`(metrics-server|scraper|[Ss]crape)`),
		},
	}
}

// controlPlaneFaults are those of the API server and etcd that nothing above explains better.
func controlPlaneFaults() []Fault {
	return []Fault{
		{
			ID: "etcd-slow", Title: "etcd's disk is too slow",
			Cause: "its leader cannot write its heartbeats in time: the disk is shared or " +
				"throttled",
			Hint: "iostat -x 1 5 # on the control plane",
			signs: []string{
				"leader failed to send out heartbeat on time", "slow fdatasync",
			},
			passing: true,
		},
		{
			ID: "etcd-corrupt", Title: "etcd's data is damaged",
			Cause: "the machine lost its power while it wrote",
			Hint:  "sudo ls -l /var/lib/etcd/member # on the control plane; then restore a backup",
			signs: []string{
				"failed to recover v3 backend from snapshot", "wal: crc mismatch",
				"walpb: crc mismatch",
				"snap: crc mismatch", "freepages: failed to get all reachable pages",
			},
		},
		{
			ID: "encryption-key", Title: "The API server cannot decrypt its secrets",
			Cause: "the key in the encryption configuration is another than the one they were " +
				"written with",
			Hint: "sudo ls -l /etc/kubernetes/encryption* # on the control plane; put the old " +
				"key back",
			signs: []string{
				"unable to transform key", "no matching prefix found",
				"identity transformer tried to read encrypted data",
			},
		},
		{
			ID: "pod-sandbox", Title: "Pods cannot be started on a node",
			Cause:   "containerd or the pod network refuses: the message has the reason",
			Hint:    "kubectl get events -A --field-selector reason=FailedCreatePodSandBox",
			signs:   []string{"Failed to create pod sandbox", "failed to setup network for sandbox"},
			passing: true,
		},
		{
			ID: "pod-crashes", Title: "A pod crashes again and again",
			Cause: "its own log has the reason",
			Hint:  "kubectl get pods -A\nkubectl -n NAMESPACE logs POD --previous",
			signs: []string{"CrashLoopBackOff"}, sources: []string{sourcePods},
		},
		{
			ID: "unschedulable", Title: "No node takes a pod",
			Cause: "all are full, cordoned, tainted or not ready: the message counts them",
			Hint:  "kubectl get pods -A --field-selector status.phase=Pending",
			signs: []string{
				"nodes are available:",
			},
			passing: true, pattern: regexp.MustCompile(`^.*\b0/\d+ nodes`),
		},
	}
}
