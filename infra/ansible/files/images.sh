#!/bin/sh
# Pulls the images that standard input names, one per line, and prints those that were missing.
# MODE=start leaves the work to a unit of systemd's, so that it goes on while other tasks run;
# MODE=wait waits for that unit and pulls what is missing even then.
set -eu

unit=wastecoach-images
work=/run/wastecoach
mkdir -p "$work"

# What the unit runs; a program of its own because the unit outlives this one.
# shellcheck disable=SC2016
puller='
one() {
	for pause in 1 3 0; do
		answer=$(timeout 300 ctr --namespace k8s.io images pull \
			--hosts-dir /etc/containerd/certs.d "$1" 2>&1 >/dev/null) && return
		case $answer in *"not found"*|*denied*|*unauthorized*) break ;; esac
		sleep "$pause"
	done
	echo "$1: ${answer:-no answer within 300 s, the pull is too slow}" >>/run/wastecoach/images.failed
}
rm -f /run/wastecoach/images.failed
count=0
while read -r image; do
	one "$image" &
	count=$((count + 1))
	if [ $((count % 3)) = 0 ]; then wait; fi
done </run/wastecoach/images.missing
wait
'

missing() {
	ctr --namespace k8s.io images ls --quiet >"$work/images.have"
	grep -Fvx -f "$work/images.have" "$work/images" >"$work/images.missing" || true
}

grep . >"$work/images" || true
if [ "$MODE" = wait ]; then
	while systemctl is-active --quiet $unit; do sleep 0.2; done
fi
if systemctl is-active --quiet $unit; then exit 0; fi
missing
cat "$work/images.missing"
if [ ! -s "$work/images.missing" ]; then exit 0; fi
if [ "$MODE" = start ]; then
	exec systemd-run --quiet --collect --unit $unit --setenv "PATH=$PATH" sh -c "$puller"
fi
sh -c "$puller"
if [ -s "$work/images.failed" ]; then
	tail -n 5 "$work/images.failed" >&2
	echo "pulling images failed: $(tail -n 1 "$work/images.failed")" >&2
	exit 1
fi
