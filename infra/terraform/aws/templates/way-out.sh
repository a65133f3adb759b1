#!/bin/bash
# The first boot of a machine behind the edge: wait for the way out, then see that Session Manager
# comes in. Its agent starts before there is a way, and waits longer after each failure.
# Arguments: the host and port to reach, and how long to try, in seconds.
set -euo pipefail

host=$1 port=$2 patience=$3

reached() { timeout 3 bash -c ": </dev/tcp/$host/$port" 2>/dev/null; }

# A restart would cut the session of somebody who is in already.
connected() {
	[[ "$(ss --no-header --tcp --processes state established "( dport = :$port )")" == *ssm-agent-work* ]]
}

while ! reached && [ "$SECONDS" -lt "$patience" ]; do
	sleep 2
done
if ! connected; then
	systemctl restart snap.amazon-ssm-agent.amazon-ssm-agent.service
fi
