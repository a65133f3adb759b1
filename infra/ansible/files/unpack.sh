#!/bin/sh
# Unpacks ARCHIVE's programs into the folder INTO, once per CHECKSUM unless one is missing, and lists
# them in ARCHIVE.unpacked. A program is replaced by a rename, so one that runs goes on, and a run that was
# cut off is repeated as a whole.
set -eu

marker=$ARCHIVE.unpacked
present() { tail -n +2 "$marker" | while read -r program; do [ -e "$program" ] || exit 1; done; }
if [ "$(head -n 1 "$marker" 2>/dev/null)" = "$CHECKSUM $INTO" ] && present; then exit 0; fi
mkdir -p "$INTO"
work=$(mktemp -d "$INTO/.unpack.XXXXXX")
trap 'rm -rf "$work"' EXIT
tar -xzf "$ARCHIVE" -C "$work" --no-same-owner
find "$work" -type f -perm /111 >"$work/.programs"
echo "$CHECKSUM $INTO" >"$work/.marker"
while read -r file; do
	chmod 0755 "$file"
	mv -f "$file" "$INTO/${file##*/}"
	echo "$INTO/${file##*/}" >>"$work/.marker"
done <"$work/.programs"
mv -f "$work/.marker" "$marker"
echo unpacked
