#!/bin/sh
# Sets what /etc/sysctl.d/90-wastecoach.conf says and is not so yet, and prints the names. A container
# may not set all of it; kubeadm's own checks name the one that is needed.
set -eu

sed -n 's/^\([^#= ]*\) = \(.*\)$/\1 \2/p' /etc/sysctl.d/90-wastecoach.conf | while read -r name value; do
	if [ "$(sysctl --values "$name" 2>/dev/null)" = "$value" ]; then continue; fi
	if sysctl --quiet --write "$name=$value" 2>/dev/null; then echo "$name"; fi
done
