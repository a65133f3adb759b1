#!/bin/sh
# Writes a tar of what a control plane consists of to standard output: facts first, then etcd's
# snapshot, then files. Read by create.go. etcd must run; the API server need not.
set -eu
export LC_ALL=C
umask 077

work=/var/lib/wastecoach/backup
pki=/etc/kubernetes/pki/etcd

say() { echo "$*" >&2; }

# Nobody changes the control plane meanwhile.
exec 9>/run/lock/wastecoach
if ! flock --wait 400 9; then
	say "another run of wcctl has been at work on this machine for 400 s"
	exit 1
fi
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
rm -rf "$work"
mkdir -p "$work"

# The programs of the container that runs: they fit its data.
if ! etcd=$(pgrep --exact --oldest etcd); then
	say "etcd does not run on this machine: what it holds can only be had by starting it"
	exit 1
fi
tools=/proc/$etcd/root/usr/local/bin
began=$(date +%s.%N)
if ! "$tools/etcdctl" --endpoints https://127.0.0.1:2379 --cacert $pki/ca.crt \
	--cert $pki/healthcheck-client.crt --key $pki/healthcheck-client.key \
	snapshot save "$work/etcd.db" >"$work/log" 2>&1; then
	say "etcd gives no snapshot: $(tail -n 1 "$work/log")"
	exit 1
fi
if ! "$tools/etcdutl" snapshot status "$work/etcd.db" --write-out json >"$work/status.json" 2>"$work/log"; then
	say "etcd's snapshot is damaged: $(tail -n 1 "$work/log")"
	exit 1
fi
cd /
find etc/kubernetes etc/wastecoach var/lib/wastecoach/cluster.json var/lib/wastecoach/control-plane \
	-type f | sort >"$work/files"
if [ -s var/lib/wastecoach/cluster.json ]; then
	cp var/lib/wastecoach/cluster.json "$work/settings.json"
else
	echo '{}' >"$work/settings.json"
fi
cp $pki/../ca.crt "$work/ca.crt"
{
	sha256sum "$work/etcd.db" | sed 's|/.*|etcd.db|'
	xargs -d '\n' sha256sum <"$work/files"
} >"$work/sums"
{
	stat --format '%s etcd.db' "$work/etcd.db"
	xargs -d '\n' stat --format '%s %n' <"$work/files"
} >"$work/sizes"
echo "$(date +%s.%N) $began" | awk '{printf "%.3f\n", $1 - $2}' >"$work/seconds"
tar --create --gzip --owner 0 --group 0 --directory "$work" status.json settings.json ca.crt sums sizes seconds etcd.db \
	--directory / --files-from "$work/files"
