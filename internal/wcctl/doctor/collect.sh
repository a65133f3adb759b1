#!/bin/sh
# Prints what a machine knows, in sections; runs as root and changes nothing.
section() { printf '\n==> %s <==\n' "$1"; }
has() { command -v "$1" >/dev/null 2>&1; }
journal() {
  journalctl "$@" --since "-$HOURS hours" -n 5000 -o short-iso --no-pager 2>/dev/null | cut -c1-2000
}

section facts
echo "fact now $(date +%s)"
df -P -x tmpfs -x devtmpfs -x overlay -x squashfs -x efivarfs 2>/dev/null |
  awk 'NR > 1 { sub("%", "", $5); print "fact disk", $6, $5 }'
df -iP -x tmpfs -x devtmpfs -x overlay -x squashfs -x vfat -x efivarfs 2>/dev/null |
  awk 'NR > 1 && $5 ~ /%/ { sub("%", "", $5); print "fact inodes", $6, $5 }'
df -P / 2>/dev/null | awk 'NR > 1 { sub("%", "", $5); print "fact disk", $6, $5 }'
awk 'NR > 1 { n += $3 } END { print "fact swap", n + 0 }' /proc/swaps
for unit in containerd kubelet; do
  if systemctl cat "$unit" >/dev/null 2>&1; then
    echo "fact unit $unit $(systemctl is-active "$unit" 2>/dev/null)"
  fi
done
file=$(sed -n 's/^resolvConf: *//p' /var/lib/kubelet/config.yaml 2>/dev/null | tr -d '"')
if [ -e /var/lib/kubelet/config.yaml ]; then
  sed -n 's/^nameserver  */fact nameserver /p' "${file:-/etc/resolv.conf}" 2>/dev/null
fi
[ -r /etc/machine-id ] && echo "fact identity machine-id $(cat /etc/machine-id)"
[ -r /sys/class/dmi/id/product_uuid ] && echo "fact identity product-uuid $(cat /sys/class/dmi/id/product_uuid)"

section system
date -u; uname -a; cat /etc/os-release; uptime; hostname; stat -fc 'cgroup: %T' /sys/fs/cgroup
has timedatectl && timedatectl 2>/dev/null
systemctl --failed --no-legend --plain 2>/dev/null
has kubelet && kubelet --version; has containerd && containerd --version

section disk
df -hP; df -iP

section memory
free -m; ps -eo rss,pid,comm --sort=-rss | head -15

section network
ip -br address; ip route; has ss && ss -lntu
if has nft; then nft list tables; nft list ruleset 2>/dev/null | wc -l; fi

section names
ls -l /etc/resolv.conf; cat /etc/resolv.conf /etc/hosts

section kubernetes
ls -lR /etc/kubernetes /etc/cni/net.d /opt/cni/bin 2>/dev/null
cat /var/lib/kubelet/config.yaml /var/lib/kubelet/kubeadm-flags.env 2>/dev/null
cat /etc/kubernetes/manifests/*.yaml 2>/dev/null

section runtime
cat /etc/containerd/config.toml 2>/dev/null
if has crictl; then timeout 20 crictl ps -a; timeout 20 crictl images
else has ctr && { timeout 20 ctr -n k8s.io containers list; timeout 20 ctr -n k8s.io images list -q; }
fi

section kubelet
journal -u kubelet

section containerd
journal -u containerd

section kernel
journal -k | grep -iE 'oom|out of memory|i/o error|ext4|xfs|nf_conntrack|blocked for' | tail -200

for name in kube-apiserver kube-controller-manager kube-scheduler etcd; do
  for log in /var/log/pods/kube-system_"$name"-*/*/*.log; do
    [ -r "$log" ] || continue
    section "$name"
    tail -n 400 "$log" | cut -c1-2000
  done
done
