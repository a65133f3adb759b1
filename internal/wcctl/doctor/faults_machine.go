package doctor

import "regexp"

// runtimeFaults are containerd's, and kubelet's with it.
func runtimeFaults() []Fault {
	return []Fault{
		{
			ID: "cri-disabled", Title: "containerd's Kubernetes plugin is switched off",
			Cause: "the package's own /etc/containerd/config.toml disables \"cri\"",
			Hint:  "wcctl up --from containerd",
			signs: []string{
				"unknown service runtime.v1.RuntimeService",
				"unknown service runtime.v1.ImageService",
				"unknown service runtime.v1alpha2", "CRI v1 runtime API is not implemented",
			},
		},
		{
			ID: "cgroup-driver", Title: "kubelet and containerd use different cgroup drivers",
			Cause: "one says systemd, the other cgroupfs: SystemdCgroup in config.toml must be " +
				"true",
			Hint: "wcctl up --from containerd",
			signs: []string{
				"expected cgroupsPath to be of format", "kubelet cgroup driver:",
				"is different from docker cgroup driver",
			},
			pattern: regexp.MustCompile(`(for systemd cgroups|is different from)`),
		},
		{
			ID: "cgroup-v1", Title: "The machine uses cgroup v1",
			Cause: "kubelet 1.35 and later do not start there unless they are told to",
			Hint: "stat -fc %T /sys/fs/cgroup # on the machine: cgroup2fs is wanted\n" +
				"sudo sed -i 's/^GRUB_CMDLINE_LINUX=\"/&systemd.unified_cgroup_hierarchy=1 /' /etc/default/grub",
			signs: []string{
				"configured to not run on a host using cgroup v1",
				"cgroup v1 support is unsupported",
			},
			not: []string{"WARNING", "[WARNING"},
		},
		{
			ID: "cgroup-controllers", Title: "A cgroup controller is missing",
			Cause: "the kernel was started without it, e.g. memory on a Raspberry Pi",
			Hint:  "cat /sys/fs/cgroup/cgroup.controllers # on the machine",
			signs: []string{
				"missing required cgroups", "missing cgroups:",
				"missing optional cgroups: memory",
			},
		},
		{
			ID: "inotify", Title: "The machine may watch no more files",
			Cause: "fs.inotify.max_user_instances or max_user_watches is too low",
			Hint: "printf 'fs.inotify.max_user_instances=8192\\nfs.inotify.max_user_watches=524288\\n' | " +
				"sudo tee /etc/sysctl.d/99-inotify.conf && sudo sysctl --system # on the machine",
			signs: []string{"inotify", "fsnotify watcher", "fsnotify.Watcher"},
			pattern: regexp.MustCompile(
				`(?i)(too many open files|no space left on device|user limit on the total number)`),
		},
		{
			ID: "runtime-down", Title: "containerd does not run",
			Cause: "it stopped, or was never started",
			Hint: "sudo systemctl restart containerd && sudo journalctl -u containerd -n 50 " +
				"--no-pager # on the machine",
			signs: []string{"containerd.sock"},
			pattern: regexp.MustCompile(
				`containerd\.sock: connect: (no such file or directory|connection refused)`),
			passing: true,
		},
		{
			ID: "runc-oom-score", Title: "runc may not lower a container's OOM score",
			Cause: "the machine is a container itself, without CAP_SYS_RESOURCE",
			Hint: "set restrict_oom_score_adj = true in /etc/containerd/config.toml and " +
				"restart containerd",
			signs: []string{
				"can't get final child's PID from pipe",
			},
		},
		{
			ID: "runtime-name-reserved", Title: "containerd still holds a container that kubelet gave up",
			Cause:   "the disk or the machine is so slow that an earlier attempt has not ended",
			Hint:    "sudo systemctl restart containerd # on the machine",
			signs:   []string{"failed to reserve sandbox name", "failed to reserve container name"},
			passing: true,
		},
	}
}

// imageFaults are those of pulling images.
func imageFaults() []Fault {
	pull := regexp.MustCompile(`(?i)(pull|resolve reference|image)`)
	return []Fault{
		{
			ID: "image-rate-limit", Title: "The registry gives no more images for now",
			Cause: "too many pulls without a login from this address",
			Hint:  "wcctl up --bundle DIR",
			signs: []string{"toomanyrequests", "429 Too Many Requests"}, pattern: pull,
		},
		{
			ID: "image-not-found", Title: "There is no such image",
			Cause: "its name or tag is wrong, or the mirror does not hold it",
			Hint:  "sudo crictl pull IMAGE # on the machine\nwcctl bundle verify DIR",
			signs: []string{": not found", "manifest unknown", "name unknown"},
			pattern: regexp.MustCompile(
				`(?i)(failed to pull image|failed to pull and unpack|failed to resolve reference|ErrImagePull)`),
		},
		{
			ID: "image-slow", Title: "An image comes too slowly",
			Cause: "the pull was given up: the way to the registry is slow or is cut",
			Hint:  "time sudo crictl pull IMAGE # on the machine\nwcctl up --bundle DIR",
			signs: []string{
				"context deadline exceeded", "DeadlineExceeded", "TLS handshake timeout",
				"no progress",
			},
			pattern: regexp.MustCompile(
				`(?i)(pull|PullImage|resolve reference|images? pull)`),
		},
		{
			ID: "image-unreachable", Title: "The registry cannot be reached",
			Cause: "the machine has no way out, or the mirror does not run: then use a bundle",
			Hint: "sudo crictl pull registry.k8s.io/pause:3.10.2 # on the machine\nwcctl up " +
				"--bundle DIR",
			signs: []string{
				"connection refused", "no such host", "i/o timeout", "network is unreachable",
				"no route to host",
			},
			pattern: regexp.MustCompile(
				`(?i)(failed to pull|failed to resolve reference|ErrImagePull|PullImage|\[ERROR ImagePull\])`),
		},
		{
			ID: "image-pull", Title: "An image cannot be pulled",
			Cause:   "the message after it has the reason",
			Hint:    "kubectl get events -A --field-selector reason=Failed",
			signs:   []string{"ImagePullBackOff", "ErrImagePull", "[ERROR ImagePull]"},
			passing: true,
		},
	}
}

// machineFaults are the machine's own: disk, memory, clock.
func machineFaults() []Fault {
	return []Fault{
		{
			ID: "etcd-no-space", Title: "etcd's database is full",
			Cause: "it reached its quota and refuses every write",
			Hint: "kubectl -n kube-system exec etcd-CONTROL_PLANE -- sh -c " +
				"'etcdctl defrag && etcdctl alarm disarm' # with its certificates",
			signs: []string{"database space exceeded", "alarm:NOSPACE", "NOSPACE alarm"},
		},
		{
			ID: "disk-full", Title: "A disk is full",
			Cause: "nothing can be written any more",
			Hint: "df -h; sudo du -xh / | sort -h | tail -20 # on the machine\nsudo crictl rmi " +
				"--prune",
			signs: []string{
				"no space left on device", "No space left on device", "[Errno 28]",
				"disk quota exceeded",
			},
		},
		{
			ID: "disk-pressure", Title: "A node has too little disk left",
			Cause: "kubelet evicts pods and takes no new ones until there is room",
			Hint: "df -h /var/lib/kubelet /var/lib/containerd # on the machine\nsudo crictl " +
				"rmi --prune",
			signs: []string{
				"NodeHasDiskPressure", "node.kubernetes.io/disk-pressure", "EvictionThresholdMet",
				"The node was low on resource: ephemeral-storage", "FreeDiskSpaceFailed",
			},
		},
		{
			ID: "memory-pressure", Title: "A node has too little memory left",
			Cause: "kubelet evicts pods until there is room",
			Hint:  "kubectl top pods -A --sort-by=memory",
			signs: []string{
				"NodeHasInsufficientMemory", "node.kubernetes.io/memory-pressure",
				"The node was low on resource: memory",
			},
		},
		{
			ID: "out-of-memory", Title: "The kernel killed a program for want of memory",
			Cause: "the machine or a container's limit is too small for it",
			Hint:  "kubectl get pods -A; kubectl top pods -A --sort-by=memory",
			signs: []string{
				"Out of memory: Killed process", "Memory cgroup out of memory", "OOMKilled",
				"oom-kill:constraint",
			},
		},
		{
			ID: "clock-skew", Title: "A machine's clock is wrong",
			Cause: "certificates are not valid yet on it: it is behind the others, or ahead",
			Hint:  "timedatectl; sudo systemctl restart systemd-timesyncd # on each machine",
			signs: []string{
				"certificate has expired or is not yet valid", "Release file for", "clock skew",
				"clock is not in sync",
			},
			pattern: regexp.MustCompile(
				`(current time \S+ is before|not valid yet|clock skew|clock is not in sync)`),
		},
		{
			ID: "certificates-expired", Title: "A certificate has expired",
			Cause: "kubeadm's certificates live for a year",
			Hint: "sudo kubeadm certs check-expiration # on the control plane\n" +
				"sudo kubeadm certs renew all && sudo systemctl restart kubelet",
			signs: []string{
				"certificate has expired",
				"bootstrap client certificate in /etc/kubernetes/kubelet.conf is expired",
				"tls: expired certificate",
			},
		},
	}
}
