#!/bin/sh
# Puts the backup on standard input in the place of what the control plane has, and prints where that
# went. A run that was killed anywhere is taken up again. Nothing that was there is deleted.
# Arguments: ID NODE ADDRESS IMAGE CLUSTER; written by restore.go.
set -eu
export LC_ALL=C
umask 077

id=$1 node=$2 address=$3 image=$4 cluster=$5
state=/var/lib/wastecoach
work=$state/restore
aside=$state/replaced/$id
data=/var/lib/etcd
kube=/etc/kubernetes
# Watches of before go on at a revision that etcd has not reached again: so far ahead none has been.
leap=1000000000

say() { echo "$*" >&2; }

exec 9>/run/lock/wastecoach
if ! flock --wait 400 9; then
	say "another run of wcctl has been at work on this machine for 400 s"
	exit 1
fi
if [ "$(cat "$state/restored" 2>/dev/null)" = "$id" ]; then exit 0; fi

unmount() { ctr --namespace k8s.io images unmount --rm "$work/tools" >/dev/null 2>&1 || true; }
clean() {
	unmount
	rm -rf "$work/new" "$work/log"
	rmdir "$work/tools" "$work" 2>/dev/null || true
}
clean
trap clean EXIT
trap 'exit 1' HUP INT TERM
mkdir -p "$work/new" "$work/tools" "$aside" "$data"
tar --extract --gzip --no-same-owner --directory "$work/new"

# etcdutl of the image that will run.
while systemctl is-active --quiet wastecoach-images; do sleep 0.2; done
if ! ctr --namespace k8s.io images ls --quiet | grep -Fqx "$image"; then
	ctr --namespace k8s.io images pull --hosts-dir /etc/containerd/certs.d "$image" >/dev/null
fi
ctr --namespace k8s.io images mount "$image" "$work/tools" >/dev/null
rm -rf "$data"/restored-*
if ! "$work/tools/usr/local/bin/etcdutl" snapshot restore "$work/new/etcd.db" --data-dir "$data/restored-$id" \
	--name "$node" --initial-cluster "$node=https://$address:2380" \
	--initial-advertise-peer-urls "https://$address:2380" \
	--bump-revision $leap --mark-compacted >"$work/log" 2>&1; then
	say "etcd's snapshot cannot be restored: $(tail -n 1 "$work/log")"
	exit 1
fi

# Without kubelet nobody starts them again. The kernel cuts names after 15 letters.
programs='etcd kube-apiserver kube-controller kube-scheduler'
running() {
	for program in $programs; do
		if pgrep --exact "$program" >/dev/null; then return 0; fi
	done
	return 1
}
systemctl stop kubelet
for signal in TERM KILL; do
	for program in $programs; do pkill --signal $signal --exact "$program" || true; done
	for _ in $(seq 100); do
		if ! running; then break 2; fi
		sleep 0.2
	done
done

# A copy first: whoever is killed in a move over two disks loses what was not copied yet.
set_aside() {
	if [ -e "$1" ] && [ ! -e "$aside$1" ]; then
		mkdir -p "$aside${1%/*}"
		rm -rf "$aside$1.part"
		cp --archive "$1" "$aside$1.part"
		sync --file-system "$aside"
		mv "$aside$1.part" "$aside$1"
	fi
	rm -rf "$1"
}
for path in $kube /etc/wastecoach/encryption.yaml /var/lib/kubelet/pki $state/control-plane $state/cluster.json; do
	set_aside "$path"
done
rm -f $state/phases/control-plane.json

# The authorities and keys of the cluster; init.sh has kubeadm make the certificates anew, for the
# machine as it is now.
mkdir -p $kube /etc/wastecoach $state/control-plane
cp --archive "$work/new$kube/pki" $kube/pki
rm -f $kube/pki/apiserver* $kube/pki/front-proxy-client.* $kube/pki/etcd/server.* $kube/pki/etcd/peer.* \
	$kube/pki/etcd/healthcheck-client.*
for path in /etc/wastecoach/encryption.yaml $state/cluster.json; do
	if [ -e "$work/new$path" ]; then cp --archive "$work/new$path" "$path"; fi
done
# init.sh takes up what was begun.
echo "$cluster" >$state/control-plane/begun
sync --file-system $kube
sync --file-system $state

# Two names on one disk: this is done or not.
if [ -e $data/member ] && [ ! -e "$data/replaced-$id" ]; then mv $data/member "$data/replaced-$id"; fi
rm -rf $data/member
mv "$data/restored-$id/member" $data/member
rm -rf "$data/restored-$id"
sync --file-system $data

echo "$id" >$state/.restored
sync $state/.restored
mv $state/.restored $state/restored
sync $state
find "$aside" "$data/replaced-$id" -maxdepth 0 ! -empty 2>/dev/null || true
rmdir "$aside" "${aside%/*}" 2>/dev/null || true
