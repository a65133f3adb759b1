#!/bin/sh
# Waits until the API server at ENDPOINT answers this machine, and says what is in the way if it
# does not within PATIENCE seconds.
set -eu

# Only whether somebody answers; kubeadm then checks who, by the hash of the authority.
ask() {
	python3 - "https://$ENDPOINT/readyz" <<-'END' 2>&1
		import ssl, sys, urllib.error, urllib.request
		try:
		    urllib.request.build_opener(
		        urllib.request.ProxyHandler({}),
		        urllib.request.HTTPSHandler(context=ssl._create_unverified_context()),
		    ).open(sys.argv[1], timeout=5)
		except (urllib.error.URLError, OSError) as error:
		    sys.exit(str(getattr(error, "reason", error)))
	END
}

deadline=$(($(date +%s) + PATIENCE))
until answer=$(ask); do
	if [ "$(date +%s)" -ge "$deadline" ]; then
		echo "the API server at $ENDPOINT does not answer this machine ($answer): it is not ready, or a firewall or security group lets no worker through to it" >&2
		exit 1
	fi
	sleep 0.5
done
