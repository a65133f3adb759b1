#!/bin/sh
# Joins the cluster that the file JOIN names. A run that was killed anywhere is taken up again.
set -eu

state=/var/lib/wastecoach
log=/var/log/wastecoach/kubeadm-join.log
kube=/etc/kubernetes

say() { echo "$*" >&2; }

# One run at a time. kubeadm inherits the lock, so it is held even when this shell was killed.
exec 9>/run/lock/wastecoach
if ! flock --wait 300 9; then
	say "another run of wcctl has been at work on this machine for 300 s: see $log there"
	exit 1
fi
mkdir -p "$state" "${log%/*}"
trap 'rm -f "$JOIN"' EXIT

mark() {
	echo "$AUTHORITY" >"$state/.$1"
	sync "$state/.$1"
	mv "$state/.$1" "$state/$1"
	sync "$state"
}

refuse_leftovers() {
	for leftover in $kube/kubelet.conf $kube/bootstrap-kubelet.conf $kube/pki/ca.crt "$kube"/manifests/*.yaml; do
		if [ ! -e "$leftover" ]; then continue; fi
		say "leftovers of an earlier cluster: $leftover is there, and wcctl did not put it there"
		exit 1
	done
}

authority() {
	sha256sum 2>/dev/null <$kube/pki/ca.crt | cut -d ' ' -f 1
}

# Kubelet has its own certificate of this cluster and runs: the join had done all that counts.
member() {
	[ -s $kube/kubelet.conf ] && [ -s /var/lib/kubelet/config.yaml ] || return 1
	[ "$(authority)" = "$AUTHORITY" ] || return 1
	systemctl start kubelet
	for _ in $(seq 40); do
		if [ "$(healthz)" = ok ]; then return 0; fi
		sleep 0.5
	done
	return 1
}

healthz() {
	python3 -c 'import urllib.request as r; print(r.urlopen("http://127.0.0.1:10248/healthz", timeout=2).read().decode())' 2>/dev/null
}

join() {
	if kubeadm join --config "$JOIN" --ignore-preflight-errors "$IGNORED" >"$log" 2>&1 </dev/null; then return; fi
	tail -n 15 "$log" >&2
	journalctl --unit kubelet --since -5min --output cat --no-pager |
		grep -E '^E|cgroup driver|failed to run' | tail -n 3 >&2
	cause=$(grep -E '\[ERROR|^error' "$log" | tail -n 1)
	say "kubeadm join did not end well: ${cause:-$(tail -n 1 "$log")}"
	exit 1
}

if [ -e "$state/joined" ]; then exit 0; fi
if [ ! -e "$state/joining" ]; then
	refuse_leftovers
	mark joining
	join
elif ! member; then
	kubeadm reset --force --cri-socket unix:///run/containerd/containerd.sock >"$log" 2>&1 </dev/null ||
		say "kubeadm reset: $(tail -n 1 "$log")"
	join
fi
mark joined
rm -f "$state/joining"
