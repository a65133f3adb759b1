#!/bin/sh
# Refuses other programs than those of release WANTED on a machine that is in a cluster: kubelet must
# not be newer than the API server, and the control plane is not upgraded here.
set -eu

have=$(kubelet --version 2>/dev/null | sed -n 's/^Kubernetes v//p') || true
if [ -e /var/lib/kubelet/config.yaml ] && [ -n "$have" ] && [ "$have" != "$WANTED" ]; then
	echo "this machine is in a cluster of Kubernetes $have, and a cluster cannot change to $WANTED while it runs" >&2
	exit 1
fi
