#!/bin/sh
# Gives WORKERS and EDGES their labels, takes the edge's from all others, and prints what changed.
set -eu
export KUBECONFIG=/etc/kubernetes/admin.conf

# kubectl says "not labeled" where a label was right already.
label() { kubectl label --overwrite "$@" | grep -v 'not labeled$' || true; }

have=$(kubectl get nodes --selector "$EDGE_LABEL" --output name)
for node in $have; do
	case " $EDGES " in
	*" ${node#node/} "*) ;;
	*) label "$node" "$EDGE_LABEL-" ;;
	esac
done
# shellcheck disable=SC2086
if [ -n "$WORKERS" ]; then label nodes $WORKERS "$WORKER_LABEL="; fi
# shellcheck disable=SC2086
if [ -n "$EDGES" ]; then label nodes $EDGES "$EDGE_LABEL=true"; fi
