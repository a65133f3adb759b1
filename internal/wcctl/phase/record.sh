#!/bin/sh
# Notes that a phase is done here: $1 is its name, standard input the record's JSON on one line and
# then the files that the phase manages. The JSON comes last: without it there is no record.
set -eu
export LC_ALL=C
umask 077
records=/var/lib/wastecoach/phases
mkdir -p "$records"
read -r json
while read -r path; do
	if [ -f "$path" ] && [ ! -L "$path" ]; then
		printf '%s\n' "$path"
	fi
done >"$records/.$1.files"
xargs -r -d '\n' sha256sum <"$records/.$1.files" >"$records/.$1.sha256"
# A file whose inode, size and times are the same need not be read again.
xargs -r -d '\n' stat -c '%i %s %Y %Z %n' <"$records/.$1.files" >"$records/.$1.stat"
printf '%s\n' "$json" >"$records/.$1.json"
rm -f "$records/.$1.files"
for part in sha256 stat json; do
	mv "$records/.$1.$part" "$records/$1.$part"
done
sync "$records/$1.sha256" "$records/$1.stat" "$records/$1.json" "$records" 2>/dev/null || true
