#!/bin/sh
# Writes the files of standard input that differ, and prints their names. A line "=== PATH MODE"
# begins a file; the mode "absent" removes one. One task for many files, as each of Ansible's tasks
# costs half a second on three machines.
set -eu

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
umask 077
awk -v work="$work" '
	/^=== \// { n++; print n, $2, $3 >(work "/list"); printf "" >(work "/" n); next }
	{ print >(work "/" n) }'
while read -r number path mode; do
	if [ "$mode" = absent ]; then
		if [ -e "$path" ]; then rm -f "$path" && echo "$path"; fi
		continue
	fi
	if cmp --silent "$work/$number" "$path" && [ "0$(stat --format %a "$path")" = "$mode" ]; then continue; fi
	(umask 022 && mkdir -p "${path%/*}")
	# A rename, so that nobody ever reads half a file.
	install --owner root --group root --mode "$mode" "$work/$number" "$path.wcctl"
	mv -f "$path.wcctl" "$path"
	echo "$path"
done <"$work/list"
