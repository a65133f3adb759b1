#!/bin/sh
# The edge's first boot. The others have no way out before its end, so it asks nobody but the
# archive, and that again and again: cloud-init would try once.
set -eu

install() {
	apt-get -qq -o DPkg::Lock::Timeout=60 update &&
		apt-get -qq -y -o DPkg::Lock::Timeout=60 install --no-install-recommends nftables
}

tries=60
until command -v nft >/dev/null; do
	if [ "$tries" -eq 0 ]; then
		echo "nftables cannot be installed" >&2
		exit 1
	fi
	tries=$((tries - 1))
	install || sleep 5
done
sysctl --load /etc/sysctl.d/60-wastecoach-edge.conf
systemctl daemon-reload
systemctl enable --now wastecoach-edge.service
