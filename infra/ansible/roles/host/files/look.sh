#!/bin/sh
# Prints what the host role decides by, as JSON. Standard input: the packages that are wanted.
set -u

flag() { if "$@" >/dev/null 2>&1; then echo true; else echo false; fi; }
list() { awk 'NF { printf "%s\"%s\"", sep, $1; sep = "," }'; }

missing() {
	xargs -n 1 | while read -r package; do
		state=$(dpkg-query --show --showformat '${db:Status-Status}' "$package" 2>/dev/null)
		[ "$state" = installed ] || echo "$package"
	done
}

timesyncd() {
	if [ ! -e /lib/systemd/system/systemd-timesyncd.service ]; then echo absent
	elif [ -L /etc/systemd/system/systemd-timesyncd.service ]; then echo masked
	elif systemctl is-active --quiet systemd-timesyncd; then echo active
	else echo idle; fi
}

printf '{"missing":[%s]' "$(missing | list)"
printf ',"modules":[%s]' "$(list </proc/modules)"
printf ',"hostname":"%s"' "$(cat /etc/hostname)"
printf ',"container":%s' "$(flag systemd-detect-virt --quiet --container)"
printf ',"swap":%s' "$(flag test "$(wc -l </proc/swaps)" -gt 1)"
printf ',"swap_masked":%s' "$(flag test -L /etc/systemd/system/swap.target)"
printf ',"cloud_init":%s' "$(flag test -d /etc/cloud/cloud.cfg.d)"
printf ',"timesyncd":"%s"}\n' "$(timesyncd)"
