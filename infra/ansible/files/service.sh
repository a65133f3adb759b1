#!/bin/sh
# Enables and starts UNIT, starts it anew where one of FILES changed after its last start, and
# prints what it did. The stamp survives this program: a run that was killed between writing a file
# and the restart is made good by the next.
set -eu

stamp=/var/lib/wastecoach/started/$UNIT
if ! systemctl is-enabled --quiet "$UNIT" 2>/dev/null; then
	systemctl enable --quiet "$UNIT"
	echo enabled
fi
# shellcheck disable=SC2086
if [ ! -e "$stamp" ] || [ -n "$(find $FILES -newer "$stamp")" ]; then
	mkdir -p "${stamp%/*}"
	touch "$stamp.new"
	systemctl daemon-reload
	systemctl restart "$UNIT"
	mv "$stamp.new" "$stamp"
	echo restarted
elif ! systemctl is-active --quiet "$UNIT"; then
	systemctl start "$UNIT"
	if systemctl is-active --quiet "$UNIT"; then echo started; fi
fi
