#!/bin/sh
# The last lines of `make up`. Arguments: the demo user's password (empty when it was not printed), and how to see the logs.
set -eu
user=${PORTCULLIS_APP_DEMO_USER-demo}
if [ -z "$user" ]; then
    account='none (PORTCULLIS_APP_DEMO_USER is empty); register on the page'
elif [ -n "${PORTCULLIS_APP_DEMO_PASSWORD:-}" ]; then
    account="$user, password as set in PORTCULLIS_APP_DEMO_PASSWORD at the first start"
elif [ -n "$1" ]; then
    account="$user, password $1"
else
    account="$user, the password was printed at the first start"
fi
cat <<END

  Ready     https://localhost:${PORTCULLIS_HTTPS_PORT:-8443}/
            The certificate is made for development: the browser warns once.
  User      $account
  Logs      $2
  Stop      make down

END
