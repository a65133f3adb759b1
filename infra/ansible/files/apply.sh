#!/bin/sh
# Applies the file MANIFEST, or else standard input, and prints what differed; then waits for what WAIT names
# as namespace/kind/name, by the object's own selector.
set -eu
export KUBECONFIG=/etc/kubernetes/admin.conf
as="--server-side --force-conflicts --field-manager wastecoach"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cat "${MANIFEST:--}" >"$work/manifest.yaml"
# An apply on the server's side reports every object as applied, so the difference is asked first.
# shellcheck disable=SC2086
if ! kubectl diff $as --filename "$work/manifest.yaml" >"$work/diff" 2>&1; then
	kubectl apply $as --filename "$work/manifest.yaml"
fi
for object in $WAIT; do
	namespace=${object%%/*}
	if kubectl --namespace "$namespace" rollout status "${object#*/}" --timeout "$PATIENCE" >"$work/out" 2>&1
	then continue; fi
	kubectl --namespace "$namespace" get pods --output wide >&2 || true
	kubectl --namespace "$namespace" get events --field-selector type=Warning --sort-by .lastTimestamp \
		--no-headers --output custom-columns=OBJECT:.involvedObject.name,MESSAGE:.message |
		tail -n 8 >"$work/events" || true
	cat "$work/events" >&2
	cause=$(tail -n 1 "$work/events")
	echo "$object is not ready after $PATIENCE: ${cause:-$(tail -n 1 "$work/out")}" >&2
	exit 1
done
