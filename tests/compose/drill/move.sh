#!/bin/sh
# Replaces a container by a new one with another address. Arguments: the service, and one that takes its old address
# where the engine would give it again.
set -eu
cd "$(dirname "$0")/../../.."

address() {
    docker inspect -f '{{range .NetworkSettings.Networks}}{{.IPAddress}} {{end}}' "$(deploy/stack.sh compose ps -q "$1")"
}

before=$(address "$1")
deploy/stack.sh compose rm -sf "$1"
deploy/stack.sh compose up -d --no-build --no-deps "$2"
deploy/stack.sh compose up -d --no-build --no-deps "$1"
after=$(address "$1")
echo "$1: $before-> $after"
[ "$before" != "$after" ]
