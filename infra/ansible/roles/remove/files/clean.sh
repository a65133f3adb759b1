#!/bin/sh
# Takes this machine out of its cluster and prints what it removed. What is left is named as an
# error. DEPTH=cluster keeps programs and settings, DEPTH=all removes them too.
set -u

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
	gone /etc/kubernetes /var/lib/etcd /var/lib/kubelet /var/lib/cni /etc/cni/net.d/* /run/flannel /run/calico \
		/var/lib/calico /var/log/pods /var/log/containers /var/log/kubernetes /var/log/wastecoach \
		/etc/wastecoach/encryption.yaml /etc/wastecoach/kubeadm.yaml /etc/wastecoach/audit-policy.yaml /etc/wastecoach/calico.yaml \
		/var/lib/wastecoach/control-plane /var/lib/wastecoach/joined /var/lib/wastecoach/joining /run/wastecoach
}

programs() {
	systemctl disable --quiet --now kubelet 2>/dev/null
	systemctl disable --quiet --now containerd 2>/dev/null
	archives=/var/cache/wastecoach
	if [ -e $archives-containerd.tar.gz ]; then
		tar -tzf $archives-containerd.tar.gz | while read -r file; do
			case $file in
			*/) ;;
			*) gone "/usr/local/bin/${file##*/}" ;;
			esac
		done
	fi
	if [ -e $archives-cni-plugins.tar.gz ]; then gone /opt/cni /opt/containerd; fi
	gone $archives-* /usr/local/bin/kubeadm /usr/local/bin/kubelet /usr/local/bin/kubectl /usr/local/bin/runc \
		/etc/systemd/system/kubelet.service /etc/systemd/system/containerd.service /etc/containerd \
		/var/lib/containerd /run/containerd /etc/sysctl.d/90-wastecoach.conf \
		/etc/modules-load.d/wastecoach.conf /etc/wastecoach \
		/var/lib/wastecoach
	systemctl daemon-reload
	rmdir --ignore-fail-on-non-empty /etc/cni/net.d /etc/cni "$HOME/.ansible/tmp" "$HOME/.ansible" 2>/dev/null
}

cluster
if [ "$DEPTH" = all ]; then programs; fi

left=$(pgrep --list-name '^(kubelet|kube-|etcd|flanneld|coredns|containerd-shim)' || true)
if [ -n "$left" ]; then
	say "$left"
	say "these programs of the cluster are still running on $(hostname)"
	exit 1
fi
