#!/bin/sh
# Takes a base backup of the database that runs, lets the oldest go and prints what there is as its last line.
set -eu

pgbackrest stanza-create
pgbackrest backup --type=full
exec sh "$(dirname "$0")/list.sh"
