#!/bin/sh
# Makes the cluster with kubeadm, once, and prints what it did. A run that was killed anywhere is
# taken up again: certificates, the encryption key and etcd's data are kept where they are whole.
set -eu

state=/var/lib/wastecoach/control-plane
log=/var/log/wastecoach/kubeadm-init.log
kube=/etc/kubernetes
pods=$kube/manifests
config=$SETTINGS/kubeadm.yaml
export KUBECONFIG=$kube/admin.conf

say() { echo "$*" >&2; }

# One run at a time. kubeadm inherits the lock, so it is held even when this shell was killed.
exec 9>/run/lock/wastecoach
if ! flock --wait 400 9; then
	say "another run of wcctl has been at work on this machine for 400 s: see $log there"
	exit 1
fi
mkdir -p "$state" "${log%/*}" "$AUDIT_LOGS"

keep() {
	sync "$1" && mv "$1" "$2" && sync "${2%/*}"
}

# The key never leaves the machine and is made before anything can be written with it.
encryption() {
	if [ -s "$SETTINGS/encryption.yaml" ]; then return; fi
	umask 077
	cat >"$SETTINGS/.encryption" <<-END
		apiVersion: apiserver.config.k8s.io/v1
		kind: EncryptionConfiguration
		resources:
		  - resources: [secrets]
		    providers:
		      - secretbox:
		          keys:
		            - name: first
		              secret: $(head -c 32 /dev/urandom | base64)
		      - identity: {}
	END
	umask 022
	keep "$SETTINGS/.encryption" "$SETTINGS/encryption.yaml"
}

refuse_leftovers() {
	for leftover in "$pods"/*.yaml /var/lib/etcd/member $kube/kubelet.conf; do
		if [ ! -e "$leftover" ]; then continue; fi
		say "leftovers of an earlier cluster: $leftover is there, and ${1:-it is not of cluster $CLUSTER}"
		exit 1
	done
}

explain() {
	tail -n 15 "$log" >&2
	# What is behind a kubelet or an API server that does not come up stands in kubelet's journal.
	if grep -q 'kubelet is not \|kubelet-check\|timed out waiting\|deadline exceeded' "$log"; then
		cause=$(journalctl --unit kubelet --since -5min --output cat --no-pager |
			grep -E '^E|cgroup driver|failed to run' | tail -n 1)
		say "${cause:-kubelet says nothing}"
	fi
	cause=$(grep -E '\[ERROR|^error' "$log" | tail -n 1)
	say "kubeadm init did not end well: ${cause:-$(tail -n 1 "$log")}"
	exit 1
}

kubeadm_init() {
	if ! kubeadm init --config "$config" --skip-token-print \
		--ignore-preflight-errors "$1" >>"$log" 2>&1 </dev/null; then
		explain
	fi
	used
	date --iso-8601=seconds >"$state/.done"
	keep "$state/.done" "$state/done"
}

# The settings that the cluster has.
used() {
	cat "$config" "$SETTINGS/audit-policy.yaml" >"$state/.settings"
	keep "$state/.settings" "$state/settings"
}

# Certificates are on the disk before etcd has data: a power cut cannot leave data without them.
# Before that nobody has used them, so a torn one is made anew.
certificates() {
	if [ -d /var/lib/etcd/member ]; then return; fi
	if ! kubeadm init phase certs all --config "$config" >>"$log" 2>&1; then rm -rf "$kube/pki"; fi
	if ! kubeadm init phase kubeconfig all --config "$config" >>"$log" 2>&1; then rm -f $kube/*.conf; fi
	sync --file-system /etc
}

begin() {
	refuse_leftovers
	echo "$CLUSTER" >"$state/.begun"
	keep "$state/.begun" "$state/begun"
	: >"$log"
	encryption
	certificates
	kubeadm_init "$IGNORED${IGNORED:+,}FileAvailable--etc-kubernetes-kubelet.conf"
	echo made
}

resume() {
	encryption
	certificates
	torn=DirAvailable--var-lib-etcd,Port-6443,Port-10250,Port-10257,Port-10259,Port-2379,Port-2380
	for pod in etcd kube-apiserver kube-controller-manager kube-scheduler; do
		torn=$torn,FileAvailable--etc-kubernetes-manifests-$pod.yaml
	done
	kubeadm_init "$torn${IGNORED:+,$IGNORED}"
	echo resumed
}

answer() {
	systemctl start kubelet
	for _ in $(seq 120); do
		if kubectl get --raw /readyz >/dev/null 2>&1; then return; fi
		sleep 0.5
	done
	say "the API server of cluster $CLUSTER does not answer: $(kubectl get --raw /readyz 2>&1 | tail -n 1)"
	exit 1
}

# What a cluster cannot change while it runs, as a line to compare.
fixed() {
	sed -nE '/^ *(clusterName|kubernetesVersion|controlPlaneEndpoint|podSubnet|serviceSubnet):/s/^ *//p' "$1"
}

# New settings of a cluster that is there: the API server gets its names and flags, kubelets their
# configuration; what would break the cluster is refused.
adapt() {
	if cat "$config" "$SETTINGS/audit-policy.yaml" | cmp --silent - "$state/settings"; then return; fi
	was=$(fixed "$state/settings")
	new=$(fixed "$config")
	if [ "$new" != "$was" ]; then
		say "a cluster cannot change this while it runs: it was made with" \
			"$(echo "$was" | grep -Fvx "$new" | paste -sd ,), wanted is $(echo "$new" | grep -Fvx "$was" | paste -sd ,)"
		exit 1
	fi
	rm -f $kube/pki/apiserver.crt $kube/pki/apiserver.key
	for phase in 'certs apiserver' 'control-plane all' 'upload-config all'; do
		# shellcheck disable=SC2086
		kubeadm init phase $phase --config "$config" >>"$log" 2>&1 || explain
	done
	# Kubelet starts a pod anew for a new manifest, not for a new certificate.
	pkill --exact kube-apiserver || true
	used
	echo adapted
}

# An addon that is missing is made again: without kube-proxy no service has an address.
addons() {
	for addon in kube-proxy:daemonset/kube-proxy coredns:deployment/coredns; do
		if kubectl --namespace kube-system get "${addon#*:}" >/dev/null 2>"$state/addon"; then continue; fi
		if ! grep -q NotFound "$state/addon"; then cat "$state/addon" >&2; exit 1; fi
		kubeadm init phase addon "${addon%%:*}" --config "$config" >>"$log" 2>&1 || explain
		echo "${addon%%:*} was missing"
	done
}

if [ -e "$state/begun" ] && [ "$(cat "$state/begun")" != "$CLUSTER" ]; then
	refuse_leftovers "its cluster is $(cat "$state/begun")"
fi
if [ ! -e "$state/begun" ]; then begin
elif [ ! -e "$state/done" ]; then resume
fi
answer
adapt
answer
addons
