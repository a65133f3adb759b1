#!/bin/sh
# Makes LINK a resolv.conf that pods may inherit: one whose servers are all outside this machine.
# CoreDNS forwards to them, so a loopback address would make it ask itself.
set -eu

# Exits with 0 where FILE names a server of the KIND inside, this machine, or outside.
names() { awk -v kind="$1" '
	$1 == "nameserver" { found[$2 ~ /^(127\.|::1$)/ ? "inside" : "outside"] = 1 }
	END { exit !found[kind] }' "$2" 2>/dev/null; }

for file in /run/systemd/resolve/resolv.conf /etc/resolv.conf; do
	if ! names outside "$file"; then continue; fi
	mkdir -p "$(dirname "$LINK")"
	if names inside "$file"; then
		awk '$1 != "nameserver" || $2 !~ /^(127\.|::1$)/' "$file" >"$LINK.new"
		if [ ! -L "$LINK" ] && cmp -s "$LINK.new" "$LINK"; then rm "$LINK.new"; exit 0; fi
		chmod 0644 "$LINK.new"
		mv "$LINK.new" "$LINK"
	else
		if [ "$(readlink "$LINK" || true)" = "$file" ]; then exit 0; fi
		ln -sfn "$file" "$LINK"
	fi
	echo "$file"
	exit 0
done
echo "DNS loop: /etc/resolv.conf names only this machine itself, so CoreDNS would forward to itself; give it a name server that is not a loopback address" >&2
exit 1
