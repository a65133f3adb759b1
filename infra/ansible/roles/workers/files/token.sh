#!/bin/sh
# Prints the cluster's authority and, where one is NEEDED, a new join token with the authority's
# hash as kubeadm counts it, as JSON.
set -eu

authority=$(sha256sum </etc/kubernetes/pki/ca.crt)
token='' hash=''
if [ "$NEEDED" = yes ]; then
	# kubeadm join ENDPOINT --token TOKEN --discovery-token-ca-cert-hash HASH
	command=$(kubeadm --kubeconfig /etc/kubernetes/admin.conf token create --ttl "$LIFETIME" \
		--description "joins workers" --print-join-command)
	token=$(echo "$command" | sed -n 's/.*--token \([^ ]*\).*/\1/p')
	hash=$(echo "$command" | sed -n 's/.*--discovery-token-ca-cert-hash \([^ ]*\).*/\1/p')
fi
printf '{"token":"%s","hash":"%s","authority":"%s"}\n' "$token" "$hash" "${authority%% *}"
