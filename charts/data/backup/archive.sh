#!/bin/sh
# Archives a segment of the write-ahead log: archive.sh PATH. PostgreSQL runs it in its data.
set -eu

missing=55 # pgbackrest's code for a file that is not in the repository
code=0
pgbackrest archive-push "$1" || code=$?
if [ "$code" != "$missing" ]; then exit "$code"; fi
# The first segment of all. Where the repository is another database's, this fails, and says so.
pgbackrest stanza-create --no-online
exec pgbackrest archive-push "$1"
