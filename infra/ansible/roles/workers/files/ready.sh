#!/bin/sh
# Waits until each of NODES is Ready; after PATIENCE seconds says what keeps it from that.
set -eu
export KUBECONFIG=/etc/kubernetes/admin.conf

deadline=$(($(date +%s) + PATIENCE))
for node in $NODES; do
	while ! kubectl wait --for condition=Ready "node/$node" --timeout 20s >/dev/null 2>&1; do
		if [ "$(date +%s)" -lt "$deadline" ]; then
			sleep 0.5
			continue
		fi
		kubectl --namespace kube-system get pods --output wide --field-selector "spec.nodeName=$node" >&2 || true
		reason=$(kubectl get node "$node" \
			--output 'jsonpath={.status.conditions[?(@.type=="Ready")].message}' 2>&1) || true
		pressure=$(kubectl get node "$node" \
			--output 'jsonpath={range .status.conditions[?(@.status=="True")]}{.type}: {.message} {end}' 2>&1) || true
		echo "node $node is not Ready after $PATIENCE s: ${reason:-it never reported} ${pressure}" >&2
		exit 1
	done
done
