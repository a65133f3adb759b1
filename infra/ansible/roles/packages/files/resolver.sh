#!/bin/sh
# Links LINK to a resolv.conf that pods may inherit: one that names a server outside this machine.
# CoreDNS forwards to it, so a loopback address would make it ask itself.
set -eu

outside() { awk '$1 == "nameserver" && $2 !~ /^(127\.|::1$)/ { found = 1 } END { exit !found }' "$1" 2>/dev/null; }

for file in /run/systemd/resolve/resolv.conf /etc/resolv.conf; do
	if ! outside "$file"; then continue; fi
	if [ "$(readlink "$LINK" || true)" = "$file" ]; then exit 0; fi
	mkdir -p "$(dirname "$LINK")"
	ln -sfn "$file" "$LINK"
	echo "$file"
	exit 0
done
echo "DNS loop: /etc/resolv.conf names only this machine itself, so CoreDNS would forward to itself; give it a name server that is not a loopback address" >&2
exit 1
