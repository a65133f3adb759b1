#!/bin/sh
# Ends well only where kubelet can use containerd: the CRI plugin is there, and its cgroup driver is
# the one that kubelet is told.
set -u

say() { echo "$*" >&2; }
plugins() { ctr plugins ls 2>&1; }
failing() { plugins | awk '$1 ~ /^io.containerd.cri/ && $NF != "ok" && $NF != "skip" { print $1 "/" $2 ": " $NF }'; }

for _ in $(seq 50); do
	if plugins | grep -Eq '^io\.containerd\.(cri|grpc)\.v1 +(cri|runtime) .*ok *$'; then break; fi
	sleep 0.2
done
if ! plugins | grep -Eq '^io\.containerd\.(cri|grpc)\.v1 +(cri|runtime) .*ok *$'; then
	say "containerd's CRI plugin is not ready, so kubelet cannot use containerd: it is disabled in /etc/containerd/config.toml or it failed"
	failing >&2
	journalctl --unit containerd --lines 15 --no-pager --output cat >&2
	exit 1
fi
if ! containerd config dump | grep -q 'SystemdCgroup = true'; then
	say "containerd's cgroup driver is not systemd while kubelet's is: SystemdCgroup is not true in what containerd loaded"
	exit 1
fi
