# What a machine says of itself in one go, one fact a line: read by survey.go.
set -u
export LC_ALL=C
records=/var/lib/wastecoach/phases
echo "boot $(cat /proc/sys/kernel/random/boot_id)"
for unit in containerd kubelet; do
	echo "unit $unit $(systemctl is-active "$unit" 2>/dev/null)"
done
for json in "$records"/*.json; do
	[ -f "$json" ] || continue
	phase=${json##*/}
	phase=${phase%.json}
	echo "record $phase $(base64 <"$json" | tr -d '\n')"
	[ -s "$records/$phase.sha256" ] || continue
	sha256sum -c --quiet "$records/$phase.sha256" 2>/dev/null |
		sed -n "s|^\(.*\): FAILED.*|drift $phase \1|p"
done
admin=/etc/kubernetes/admin.conf
if [ -f "$admin" ]; then
	echo "admin $(awk '/certificate-authority-data:|client-certificate-data:/ {print $2}' "$admin" |
		sha256sum | cut -d ' ' -f 1)"
fi
echo end
