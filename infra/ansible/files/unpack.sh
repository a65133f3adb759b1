#!/bin/sh
# Unpacks ARCHIVE into the folder INTO, once per CHECKSUM. A file is replaced by a rename, so a
# program that runs goes on, and a run that was cut off is repeated as a whole.
set -eu

marker=$ARCHIVE.unpacked
if [ "$(cat "$marker" 2>/dev/null)" = "$CHECKSUM $INTO" ]; then exit 0; fi
mkdir -p "$INTO"
work=$(mktemp -d "$INTO/.unpack.XXXXXX")
trap 'rm -rf "$work"' EXIT
tar -xzf "$ARCHIVE" -C "$work" --no-same-owner
find "$work" -type f -perm /111 | while read -r file; do
	chmod 0755 "$file"
	mv -f "$file" "$INTO/${file##*/}"
done
echo "$CHECKSUM $INTO" >"$marker"
echo unpacked
