#!/bin/sh
# Gives a node the fetched kubeadm, kubelet and kubectl; service.sh follows and starts kubelet anew.
# A run that was killed anywhere is taken up again. Arguments: RELEASE ROLE STAGED IGNORED; written by
# upgrade_nodes.go.
set -eu
export LC_ALL=C

release=$1 role=$2 staged=$3 ignored=$4
programs=/usr/local/bin
log=/var/log/wastecoach/kubeadm-upgrade.log
mkdir -p "${log%/*}"

exec 9>/run/lock/wastecoach
if ! flock --wait 300 9; then
	echo "another run of wcctl has been at work on this machine for 300 s" >&2
	exit 1
fi
# The control plane's kubelet got its configuration from kubeadm upgrade apply.
if [ "$role" = worker ] && ! "${staged}kubeadm" upgrade node --ignore-preflight-errors "$ignored" \
	>"$log" 2>&1 </dev/null; then
	tail -n 15 "$log" >&2
	cause=$(grep -E '\[ERROR|^error|FATAL' "$log" | tail -n 1)
	echo "kubeadm upgrade node did not end well: ${cause:-$(tail -n 1 "$log")}" >&2
	exit 1
fi
# A copy, so that a repeated run finds it; a rename, as kubelet runs.
for program in kubeadm kubectl kubelet; do
	if [ ! -e "$staged$program" ] || cmp --silent "$staged$program" "$programs/$program"; then continue; fi
	install --owner root --group root --mode 0755 "$staged$program" "$programs/.$program"
	sync "$programs/.$program"
	mv "$programs/.$program" "$programs/$program"
done
have=$("$programs/kubelet" --version)
if [ "$have" != "Kubernetes v$release" ]; then
	echo "kubelet is $have, and Kubernetes v$release was fetched" >&2
	exit 1
fi
export UNIT=kubelet.service FILES="/etc/systemd/system/kubelet.service $programs/kubelet"
