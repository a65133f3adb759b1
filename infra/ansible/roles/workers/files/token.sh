#!/bin/sh
# Prints the hash of the cluster's authority and, where one is NEEDED, a new join token, as JSON.
set -eu

# As kubeadm counts it: SHA-256 of the public key in DER.
authority=sha256:$(openssl x509 -noout -pubkey -in /etc/kubernetes/pki/ca.crt |
	openssl pkey -pubin -outform der | sha256sum | cut -d ' ' -f 1)
token=
if [ "$NEEDED" = yes ]; then
	token=$(kubeadm --kubeconfig /etc/kubernetes/admin.conf token create --ttl "$LIFETIME" \
		--description "joins workers")
fi
printf '{"token":"%s","authority":"%s"}\n' "$token" "$authority"
