#!/bin/sh
# Refuses other programs than those of release WANTED on a machine that is in a cluster: kubelet must
# not be newer than the API server, and the control plane is not upgraded here. RESTORES is yes where a
# backup takes the cluster back to that release.
set -eu

if [ "$RESTORES" = yes ]; then exit 0; fi
have=$(kubelet --version 2>/dev/null | sed -n 's/^Kubernetes v//p') || true
if [ -e /var/lib/kubelet/config.yaml ] && [ -n "$have" ] && [ "$have" != "$WANTED" ]; then
	echo "this machine runs Kubernetes $have in a cluster, and $WANTED is wanted: wcctl upgrade brings it there" >&2
	exit 1
fi
