#!/bin/sh
# Prints what a machine is, as one JSON object: read by probe.go. It changes nothing.
# POSIX sh and what every Linux has: the machine may be bare.
set -u
export LC_ALL=C

now=$(date +%s.%N)
case $now in *N*) now=$(date +%s) ;; esac

# Makes standard input a JSON string's inside; the few control characters left are of no interest.
inside() { tr -d '\000-\010\013-\037' | sed -e 's/[\\"]/\\&/g' -e 's/	/ /g' | tr '\n' ' ' | sed 's/ *$//'; }
text() { printf '"%s":"%s"' "$1" "$(printf '%s\n' "$2" | inside)"; }
# Makes lines a JSON list of strings.
list() {
	printf '"%s":[' "$1"
	sed -e 's/[\\"]/\\&/g' -e 's/^/"/' -e 's/$/"/' | paste -s -d , - | tr -d '\n'
	printf ']'
}
flag() {
	name=$1
	shift
	if "$@" >/dev/null 2>&1; then printf '"%s":true' "$name"; else printf '"%s":false' "$name"; fi
}
number() { printf '"%s":%s' "$1" "$(printf '%s' "${2:-0}" | tr -dc '0-9.-' | sed 's/^$/0/')"; }
has() { command -v "$1"; }
os() { (
	# shellcheck disable=SC1091 # another machine's file
	. /etc/os-release 2>/dev/null
	eval "printf '%s' \"\${$1:-}\""
); }
meminfo() { awk -v key="$1:" '$1 == key { print $2 }' /proc/meminfo; }

# The free and total kilobytes and the share of free inodes of the file system under a path.
disk() {
	path=$1
	while [ ! -e "$path" ]; do path=$(dirname "$path"); done
	kilobytes=$(df -Pk "$path" 2>/dev/null | awk 'NR == 2 { print $2, $4 }')
	inodes=$(df -Pi "$path" 2>/dev/null | awk 'NR == 2 && $2 > 0 { print int(100 * $4 / $2) }')
	printf '{%s,%s,%s,%s}' "$(text path "$1")" "$(number total_kb "${kilobytes% *}")" \
		"$(number free_kb "${kilobytes#* }")" "$(number free_inodes_percent "${inodes:-100}")"
}

listening() {
	cat /proc/net/tcp /proc/net/tcp6 2>/dev/null | awk '
		function hex(s,  i, n) {
			n = 0
			for (i = 1; i <= length(s); i++) n = 16 * n + index("0123456789ABCDEF", substr(s, i, 1)) - 1
			return n
		}
		$4 == "0A" { n = split($2, part, ":"); print hex(part[n]), $10 }' | sort -u -n
}

# The name of the process that holds the socket of an inode.
holder() {
	for fd in /proc/[0-9]*/fd/*; do
		if [ "$(readlink "$fd" 2>/dev/null)" = "socket:[$1]" ]; then
			process=${fd%/fd/*}
			cat "$process/comm"
			return
		fi
	done
}

ports() {
	sep=
	listening | while read -r port inode; do
		case " $PORTS " in *" $port "*) ;; *) continue ;; esac
		printf '%s{"port":%s,%s}' "$sep" "$port" "$(text process "$(holder "$inode")")"
		sep=,
	done
}

# Hashes what stands in a certificate's PEM file, however its lines are broken.
authority() {
	[ -f /etc/kubernetes/pki/ca.crt ] || return
	sed '/-----/d' /etc/kubernetes/pki/ca.crt | tr -d '\n\r ' | sha256sum | cut -d ' ' -f 1
}

# What an earlier cluster may have left.
leftovers() {
	for file in /etc/kubernetes/*.conf /etc/kubernetes/manifests/*.yaml /var/lib/etcd/member \
		/var/lib/kubelet/config.yaml /var/lib/kubelet/pki /etc/cni/net.d/*.conf /etc/cni/net.d/*.conflist; do
		case $file in *podman*) continue ;; esac # its own, beside any cluster
		[ -e "$file" ] && printf '%s\n' "$file"
	done
}

# Container runtimes that would be fought over, and firewalls.
runtimes() {
	for package in containerd containerd.io cri-o docker-ce docker.io; do
		if [ "$(dpkg-query --show --showformat '${db:Status-Status}' "$package" 2>/dev/null)" = installed ]; then
			echo "$package"
		fi
	done
	if [ -e /snap/bin/docker ]; then echo 'docker (snap)'; fi
}

firewalls() {
	for unit in ufw firewalld; do
		if [ $unit = ufw ] && ! grep -qs '^ENABLED=yes' /etc/ufw/ufw.conf; then continue; fi
		if systemctl is-active --quiet $unit 2>/dev/null; then echo $unit; fi
	done
}

others() {
	for unit in k3s k3s-agent rke2-server rke2-agent k0scontroller k0sworker snap.microk8s.daemon-kubelite \
		snap.kubelet.daemon; do
		if systemctl is-active --quiet "$unit" 2>/dev/null; then echo "$unit"; fi
	done
}

cgroup() {
	if [ "$(stat -fc %T /sys/fs/cgroup 2>/dev/null)" = cgroup2fs ]; then
		echo v2
	elif [ -d /sys/fs/cgroup/unified ]; then
		echo hybrid
	elif [ -d /sys/fs/cgroup/memory ]; then
		echo v1
	fi
}

# loaded, available, missing, or unknown where nothing tells what the kernel has.
module() {
	release=$(uname -r)
	if [ -d "/sys/module/$1" ] || grep -qs "^$1 " /proc/modules ||
		grep -qsw "$1" /proc/filesystems; then
		echo loaded
	elif [ ! -d "/lib/modules/$release" ]; then
		echo unknown
	elif modprobe -n -q "$1" 2>/dev/null || grep -qs "/$1\.ko" "/lib/modules/$release/modules.builtin"; then
		echo available
	else
		echo missing
	fi
}

modules() {
	sep=
	for name in overlay br_netfilter nf_conntrack nf_tables vxlan; do
		printf '%s%s' "$sep" "$(text "$name" "$(module $name)")"
		sep=,
	done
}

units() {
	sep=
	for name in containerd kubelet; do
		printf '%s%s' "$sep" "$(text "$name" "$(systemctl is-active "$name" 2>/dev/null)")"
		sep=,
	done
}

resolvers() { awk '$1 == "nameserver" { print $2 }' "$1" 2>/dev/null; }

addresses() {
	if has ip >/dev/null; then
		ip -o addr show 2>/dev/null | awk '{ sub("/.*", "", $4); print $4 }'
	else
		hostname -I 2>/dev/null | tr ' ' '\n' | sed '/^$/d'
	fi
}

records() { for file in /var/lib/wastecoach/phases/*.json; do [ -f "$file" ] && basename "$file" .json; done; }

join() {
	sep=
	for part in "$@"; do
		printf '%s%s' "$sep" "$part"
		sep=,
	done
}

printf '{%s}\n' "$(join \
	"$(number time "$now")" \
	"\"os\":{$(join "$(text id "$(os ID)")" "$(text like "$(os ID_LIKE)")" \
		"$(text version "$(os VERSION_ID)")" "$(text name "$(os PRETTY_NAME)")")}" \
	"$(text kernel "$(uname -r)")" \
	"$(text architecture "$(uname -m)")" \
	"$(number cpus "$(grep -c ^processor /proc/cpuinfo)")" \
	"$(number memory_kb "$(meminfo MemTotal)")" \
	"$(number swap_kb "$(meminfo SwapTotal)")" \
	"\"disks\":[$(disk /),$(disk /var/lib)]" \
	"\"ports\":[$(ports)]" \
	"$(text cgroup "$(cgroup)")" \
	"$(flag systemd test -d /run/systemd/system)" \
	"$(flag container systemd-detect-virt --quiet --container)" \
	"$(flag apt has apt-get)" \
	"$(flag python has python3)" \
	"$(text hostname "$(cat /proc/sys/kernel/hostname)")" \
	"$(text machine_id "$(cat /etc/machine-id 2>/dev/null)")" \
	"$(text product_uuid "$(cat /sys/class/dmi/id/product_uuid 2>/dev/null)")" \
	"$(addresses | list addresses)" \
	"\"modules\":{$(modules)}" \
	"\"units\":{$(units)}" \
	"$(number inotify_instances "$(cat /proc/sys/fs/inotify/max_user_instances)")" \
	"$(number inotify_watches "$(cat /proc/sys/fs/inotify/max_user_watches)")" \
	"$(resolvers /etc/resolv.conf | list resolvers)" \
	"$(resolvers /run/systemd/resolve/resolv.conf | list upstream_resolvers)" \
	"$(text authority "$(authority)")" \
	"$(text cluster "$(cat /var/lib/wastecoach/control-plane/begun 2>/dev/null)")" \
	"$(flag joined test -e /var/lib/wastecoach/joined)" \
	"$(leftovers | list leftovers)" \
	"$(others | list others)" \
	"$(runtimes | list runtimes)" \
	"$(firewalls | list firewalls)" \
	"$(records | list records)")"
