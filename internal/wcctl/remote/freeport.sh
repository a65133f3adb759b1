#!/bin/sh
# Ends the SSH sessions, other than our own, that listen on TCP port $PORT. Says "freed" if it did.
# POSIX sh: the machine may have neither ss nor fuser.
hex=$(printf '%04X' "${PORT:?}")
inodes=$(cat /proc/net/tcp /proc/net/tcp6 2>/dev/null |
	awk -v port=":$hex" '$4 == "0A" && substr($2, length($2) - 4) == port { print $10 }')
[ -n "$inodes" ] || exit 0

# Our own session and all above it stay.
own=' '
pid=$$
while [ "${pid:-0}" -gt 1 ]; do
	own="$own$pid "
	pid=$(awk '/^PPid:/ { print $2 }' "/proc/$pid/status" 2>/dev/null)
done

holders() {
	for process in /proc/[0-9]*; do
		pid=${process#/proc/}
		read -r name 2>/dev/null <"$process/comm" || continue
		case $name in sshd*) ;; *) continue ;; esac
		case "$own" in *" $pid "*) continue ;; esac
		for inode in $inodes; do
			# shellcheck disable=SC2010 # the names of descriptors are numbers
			if ls -l "$process/fd" 2>/dev/null | grep -q "socket:\[$inode\]$"; then
				echo "$pid"
			fi
		done
	done
}

pids=$(holders)
[ -n "$pids" ] || exit 0
# shellcheck disable=SC2086 # a list of numbers
kill $pids 2>/dev/null
tries=0
while [ -n "$(holders)" ] && [ "$tries" -lt 50 ]; do
	tries=$((tries + 1))
	sleep 0.1
done
echo freed
