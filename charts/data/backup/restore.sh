#!/bin/sh
# Puts the stopped database back to RESTORE_TIME. It comes up in a folder beside the data, which takes the data's place
# only when it is there. Nothing is deleted: the data becomes $PGDATA.before-$RESTORE_ID. Run again, it begins anew.
set -eu

new=$PGDATA.restoring
ready=$PGDATA.restored
old=$PGDATA.before-$RESTORE_ID
private=$(mktemp -d)
for folder in /usr/lib/postgresql/*/bin; do
	PATH=$folder:$PATH
done
server=
trap 'if [ -n "$server" ]; then kill -QUIT "$server" || true; fi' EXIT
# A pod that is deleted ends here; what it was doing leaves no trace.
trap 'exit 143' TERM INT

step() { printf 'step: %s\n' "$*"; }
ask() { psql --host "$private" --username postgres --no-psqlrc --no-align --field-separator=" " --tuples-only --quiet "$@"; }

# Starts the server where nobody else reaches it, and returns when it takes writes; fails when it ends before.
# The archive must hear of it, or the next restore would take the same timeline again.
recover() {
	printf 'local all all trust\n' >"$private/pg_hba.conf"
	: >"$private/log"
	postgres -D "$new" -c config_file=/etc/postgresql/postgresql.conf -c hba_file="$private/pg_hba.conf" \
		-c listen_addresses= -c unix_socket_directories="$private" -c hot_standby=off "$@" >"$private/log" 2>&1 &
	server=$!
	tail -n +1 -f "$private/log" &
	log=$!
	until [ ! -e "$new/recovery.signal" ] && ask --command 'SELECT' postgres >/dev/null 2>&1; do
		if ! kill -0 "$server" 2>/dev/null; then
			server=
			kill "$log" || true
			return 1
		fi
		sleep 0.5
	done
	kill "$log" || true
}

# What a run left that was cut off between its two moves.
if [ ! -e "$PGDATA" ] && [ -e "$ready" ]; then mv "$ready" "$PGDATA"; fi
rm -rf "$new" "$ready"

# shellcheck disable=SC2046 # fields of a line
set -- $(df -Pk "$(dirname "$PGDATA")" | tail -n 1)
if [ "$4" -lt "$RESTORE_KIB" ]; then
	echo "too little room: $(($4 / 1024)) MiB are free, and the database has $((RESTORE_KIB / 1024)) MiB" >&2
	exit 1
fi

step "getting the base backup before $RESTORE_TIME"
mkdir -m 700 "$new"
# From here on pgbackrest's database is this one, in archive.sh too.
export PGBACKREST_PG1_PATH="$new" PGBACKREST_LOG_LEVEL_CONSOLE=warn
# The timeline of the base backup: the latest one may leave it before that time. An absolute path, as
# PostgreSQL is told to call what is called here.
/usr/bin/pgbackrest restore --type=time --target="$RESTORE_TIME" --target-action=promote --target-timeline=current

step "replaying until $RESTORE_TIME"
if ! recover; then
	# No transaction ended later, so the end of the archive is that time.
	if ! grep -q 'before configured recovery target was reached' "$private/log"; then exit 1; fi
	step "replaying to the end of the archive: it holds nothing later"
	recover -c recovery_target_time=
fi

step "counting rows"
printf 'last transaction: %s\n' "$(ask --command 'SELECT pg_last_xact_replay_timestamp()' postgres)"
for database in $(ask --command 'SELECT datname FROM pg_database WHERE datallowconn AND NOT datistemplate' postgres); do
	ask "$database" <<'END'
SELECT format('SELECT %L, count(*) FROM %I.%I',
    'rows: ' || current_database() || '.' || schemaname || '.' || relname, schemaname, relname)
  FROM pg_stat_user_tables ORDER BY schemaname, relname
\gexec
END
done
for setting in restore_command recovery_target_time recovery_target_action recovery_target_timeline; do
	ask --command "ALTER SYSTEM RESET $setting" postgres
done

step "putting it in place"
kill -INT "$server"
wait "$server"
server=
sync
mv "$new" "$ready"
# There is one from the run that was cut off: that is the data from before.
if [ ! -e "$old" ] && [ -e "$PGDATA" ]; then mv "$PGDATA" "$old"; fi
rm -rf "$PGDATA"
mv "$ready" "$PGDATA"
sync
