#!/bin/sh
# Upgrades the control plane with kubeadm. A run that was killed anywhere is taken up again.
# Arguments: RELEASE STAGED IGNORED; written by upgrade_control_plane.go.
set -eu
export LC_ALL=C

release=$1 staged=$2 ignored=$3
state=/var/lib/wastecoach
own=$state/control-plane
log=/var/log/wastecoach/kubeadm-upgrade.log
export KUBECONFIG=/etc/kubernetes/admin.conf

say() { echo "$*" >&2; }

# One run at a time. kubeadm inherits the lock, so it is held even when this shell was killed.
exec 9>/run/lock/wastecoach
if ! flock --wait 900 9; then
	say "another run of wcctl has been at work on this machine for 900 s: see $log there"
	exit 1
fi
mkdir -p "$own" "${log%/*}"

keep() {
	sync "$1" && mv "$1" "$2" && sync "${2%/*}"
}
explain() {
	tail -n 15 "$log" >&2
	cause=$(grep -E '\[ERROR|^error|FATAL' "$log" | tail -n 1)
	say "kubeadm upgrade did not end well: ${cause:-$(tail -n 1 "$log")}"
	exit 1
}
ready() {
	for _ in $(seq 180); do
		if kubectl get --raw /readyz >/dev/null 2>&1; then return; fi
		sleep 0.5
	done
	say "the API server does not answer: $(kubectl get --raw /readyz 2>&1 | tail -n 1)"
	exit 1
}
of_release() { grep -q "\"spec.kubernetes.version\":\"$release\"" "$state/cluster.json"; }

if of_release && [ ! -e "$own/upgrading" ]; then exit 0; fi
echo "$release" >"$own/.upgrading"
keep "$own/.upgrading" "$own/upgrading"
ready
: >"$log"
# It says itself what is of that release already, and puts old manifests back where a new one fails.
if ! "${staged}kubeadm" upgrade apply "v$release" --yes --ignore-preflight-errors "$ignored" \
	>>"$log" 2>&1 </dev/null; then
	explain
fi
ready
# What the cluster has now, for the role control_plane and for wcctl.
sed "s/^kubernetesVersion: .*/kubernetesVersion: v$release/" "$own/settings" >"$own/.settings"
keep "$own/.settings" "$own/settings"
sed "s/\"spec.kubernetes.version\":\"[^\"]*\"/\"spec.kubernetes.version\":\"$release\"/" \
	"$state/cluster.json" >"$state/.cluster.json"
keep "$state/.cluster.json" "$state/cluster.json"
rm -f "$own/upgrading"
echo upgraded
