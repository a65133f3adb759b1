#!/bin/sh
# Takes this machine out of its cluster and prints what it removed. What is left is named as an
# error. DEPTH=cluster keeps programs and settings, DEPTH=all removes them too.
set -u

state=/var/lib/wastecoach
settings=/etc/wastecoach

say() { echo "$*" >&2; }

exec 9>/run/lock/wastecoach
if ! flock --wait 60 9; then
	say "another run of wcctl is at work on this machine"
	exit 1
fi

gone() {
	for path in "$@"; do
		if [ ! -e "$path" ] && [ ! -L "$path" ]; then continue; fi
		if rm -rf --one-file-system "$path" 2>/dev/null || empty "$path"; then echo "$path"; fi
	done
}

# A folder that is a mount point of its own can be emptied but not removed.
empty() {
	mountpoint --quiet "$1" && ! find "$1" -mindepth 1 -delete 2>&1 | grep -q .
}

# Kubelet keeps all pods in one slice. Asking containerd to end each takes long and may wait for a
# shim that hangs.
stop_pods() {
	systemctl stop kubelet 2>/dev/null
	systemctl kill --signal KILL kubepods.slice 2>/dev/null && echo kubepods.slice
	shims | while read -r pid; do kill -KILL "$pid" && echo "process $pid"; done
	if ! systemctl is-active --quiet containerd; then return; fi
	ctr --namespace k8s.io containers ls --quiet | while read -r container; do
		timeout 20 ctr --namespace k8s.io containers delete "$container" >/dev/null 2>&1
		echo "container $container"
	done
}

shims() { pgrep --full '^[^ ]*/containerd-shim-runc-v2 -namespace k8s.io '; }

unmount() {
	awk '$2 ~ "^/var/lib/kubelet/|^/run/containerd/io.containerd|^/run/netns/cni-" { print $2 }' /proc/mounts |
		sort -r | while read -r path; do umount --lazy "$path" && echo "mount $path"; done
	for netns in /run/netns/cni-*; do
		if [ -e "$netns" ]; then ip netns delete "${netns##*/}" && echo "$netns"; fi
	done
}

links() {
	ip -o link show | awk -F ': ' '$2 ~ /^(cni0|flannel|vxlan.calico|cali|kube-ipvs0|tunl0@|nodelocaldns)/ { sub(/@.*/, "", $2); print $2 }' |
		while read -r link; do ip link delete "$link" 2>/dev/null && echo "interface $link"; done
}

# Rules of kube-proxy, the pod networks and their port mappings; those of others stay.
rules() {
	if command -v nft >/dev/null; then
		nft list tables 2>/dev/null | awk '$3 ~ /^(kube-proxy|flannel|calico|cni_hostport)/ { print $2, $3 }' |
			while read -r family table; do nft delete table "$family" "$table" && echo "nft $family $table"; done
	fi
	for tool in iptables ip6tables; do
		if ! command -v $tool-save >/dev/null; then continue; fi
		rule='KUBE-|FLANNEL-|CNI-|cali[-:]|flanneld'
		if ! $tool-save 2>/dev/null | grep -Eq -- "$rule"; then continue; fi
		$tool-save 2>/dev/null | grep -Ev -- "$rule" | $tool-restore && echo "$tool rules"
	done
}

# containerd watches /etc/cni/net.d and ends where the folder goes, so only what is in it goes.
cluster() {
	stop_pods
	unmount
	links
	rules
	gone /etc/cni/net.d/10-flannel.conflist /etc/cni/net.d/10-calico.conflist /etc/cni/net.d/calico-kubeconfig
	gone /etc/kubernetes /var/lib/etcd /var/lib/kubelet /var/lib/cni /run/flannel /run/calico /var/lib/calico \
		/usr/libexec/kubernetes /etc/systemd/logind.conf.d/99-kubelet.conf
	gone /var/log/pods /var/log/containers /var/log/kubernetes /var/log/calico /var/log/wastecoach
	gone $settings/encryption.yaml $settings/kubeadm.yaml $settings/audit-policy.yaml $settings/calico.yaml
	gone $state/control-plane $state/joined $state/joining /run/wastecoach
}

# What unpack.sh listed, and no other file of these folders.
unpacked() {
	if [ -e "$1.unpacked" ]; then
		tail -n +2 "$1.unpacked" | while read -r program; do gone "$program"; done
	fi
	gone "$1" "$1.unpacked"
}

programs() {
	if [ -e $state/started/kubelet.service ]; then systemctl disable --quiet --now kubelet; fi
	if [ -e $state/started/containerd.service ]; then
		systemctl disable --quiet --now containerd
		gone /etc/systemd/system/containerd.service /etc/containerd /var/lib/containerd /run/containerd /opt/containerd
	fi
	unpacked /var/cache/wastecoach-containerd.tar.gz
	unpacked /var/cache/wastecoach-cni-plugins.tar.gz
	gone /opt/cni/bin/flannel /opt/cni/bin/calico /opt/cni/bin/calico-ipam
	gone /usr/local/bin/kubeadm /usr/local/bin/kubelet /usr/local/bin/kubectl /etc/systemd/system/kubelet.service
	gone /etc/sysctl.d/90-wastecoach.conf /etc/modules-load.d/wastecoach.conf /etc/cloud/cloud.cfg.d/99-wastecoach.cfg
	if [ "$(readlink /etc/systemd/system/swap.target)" = /dev/null ]; then
		systemctl unmask --quiet swap.target && echo swap.target
	fi
	systemctl daemon-reload
	rmdir --ignore-fail-on-non-empty /opt/cni/bin /opt/cni /etc/cni/net.d /etc/cni \
		"$HOME/.ansible/tmp" "$HOME/.ansible" 2>/dev/null
	# Last, as it says that there is something to remove.
	gone $settings $state
}

# A machine that has nothing of wcctl's is left as it is, whatever else runs there.
if [ ! -e $state ]; then exit 0; fi
cluster
if [ "$DEPTH" = all ]; then programs; fi

left=$(pgrep --list-name '^(kubelet|kube-|etcd|flanneld|coredns|containerd-shim)' || true)
if [ -n "$left" ]; then
	say "$left"
	say "these programs of the cluster are still running on $(hostname)"
	exit 1
fi
