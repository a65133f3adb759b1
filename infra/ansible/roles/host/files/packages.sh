#!/bin/sh
# Installs PACKAGES with apt, from the flat repository SOURCE alone where it is set, and prints them.
# apt itself, as Ansible's module for it takes seconds to read apt's lists with Python.
set -eu
export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8
log=/var/log/wastecoach/apt.log

# Of the bundle only: the machine's own sources may be out of reach.
if [ -n "$SOURCE" ]; then export APT_CONFIG=/etc/wastecoach/apt.conf; fi
fail() {
	tail -n 15 "$log" >&2
	echo "apt cannot install $PACKAGES from ${SOURCE:-the distribution}: $(grep '^E: ' "$log" | head -n 1)" >&2
	exit 1
}
mkdir -p "${log%/*}" /var/lib/wastecoach/apt-lists/partial
apt-get -qq --error-on=any --option DPkg::Lock::Timeout=120 update >"$log" 2>&1 || fail
# shellcheck disable=SC2086
apt-get -qq --yes --no-install-recommends --option DPkg::Lock::Timeout=120 \
	--option Dpkg::Options::=--force-confdef --option Dpkg::Options::=--force-confold \
	install $PACKAGES >>"$log" 2>&1 </dev/null || fail
echo "$PACKAGES"
