#!/bin/sh
# Takes a running container off its network, or puts it back. Arguments: connect or disconnect, and the service.
set -eu
cd "$(dirname "$0")/../../.."
id=$(deploy/stack.sh compose ps -q "$2")
network=${COMPOSE_PROJECT_NAME}_back
case $1 in
    disconnect) docker network disconnect "$network" "$id" ;;
    connect) docker network connect --alias "$2" "$network" "$id" ;;
esac
