#!/bin/sh
# One step of `make test`: says what runs and how long it took. Arguments: its name, its command.
set -eu
cd "$(dirname "$0")/.."
name=$1
shift
printf '\n=== %s\n' "$name"
start=$(date +%s)
status=0
"$@" || status=$?
printf '=== %s: %s after %s s\n' "$name" "$([ "$status" -eq 0 ] && echo ok || echo FAILED)" "$(($(date +%s) - start))"
exit "$status"
