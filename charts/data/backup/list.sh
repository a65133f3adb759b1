#!/bin/sh
# Prints the backups as one line of JSON.
exec pgbackrest info --output=json --log-level-console=warn
