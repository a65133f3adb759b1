# Notes that a phase is done here: $1 is its name, standard input the record's JSON on one line and
# then the files that the phase manages. The JSON comes last: without it there is no record.
set -eu
umask 077
records=/var/lib/wastecoach/phases
mkdir -p "$records"
read -r json
while read -r path; do
	if [ -f "$path" ] && [ ! -L "$path" ]; then
		sha256sum "$path"
	fi
done >"$records/.$1.sha256"
printf '%s\n' "$json" >"$records/.$1.json"
mv "$records/.$1.sha256" "$records/$1.sha256"
mv "$records/.$1.json" "$records/$1.json"
sync "$records/$1.sha256" "$records/$1.json" "$records" 2>/dev/null || true
