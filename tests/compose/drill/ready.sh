#!/bin/sh
# Succeeds when each of these services says that it is ready. Arguments: services of the application.
set -eu
cd "$(dirname "$0")/../../.."
for service in "$@"; do
    deploy/stack.sh compose exec -T "$service" /bin/portcullis-app healthcheck --url http://127.0.0.1:8000/readyz
done
