#!/bin/bash
# The drill over the images: two instances of the application behind one edge, under load, while they are restarted,
# replaced, killed and cut off, and the edge gets other configurations. Nothing may be lost. The plans are in drill/.
#
# KEEP=1 leaves the stack up for a look. Without a Docker engine it says SKIPPED.
set -u
cd "$(dirname "$0")/../.." || exit 1
# shellcheck source=tests/compose/steps.sh
. tests/compose/steps.sh

if ! deploy/stack.sh engine; then
    echo 'SKIPPED: no Docker engine answers'
    exit 0
fi
work=$(mktemp -d)
# The user of the containers reads the configuration in it.
chmod 0711 "$work"
export COMPOSE_PROJECT_NAME=portcullis-drill-$$ COMPOSE_FILE=docker-compose.yml:tests/compose/two.yml
export DRILL_WORK=$work DRILL_HOST=localhost DRILL_PASSWORD='correct horse 7 battery'
DRILL_PORT=$(free_port)
DRILL_ADMIN_PORT=$(free_port)
export DRILL_PORT DRILL_ADMIN_PORT
PORTCULLIS_HTTP_PORT=$(free_port)
export PORTCULLIS_HTTP_PORT PORTCULLIS_BIND=127.0.0.1 PORTCULLIS_HTTPS_PORT=$DRILL_PORT
# Nobody signs in as this one.
export PORTCULLIS_APP_DEMO_USER=''
unset PORTCULLIS_APP_DEMO_PASSWORD PORTCULLIS_APP_DATABASE PORTCULLIS_ISSUER
trap clean_up EXIT
trap 'exit 130' INT TERM

mkdir "$work/etc"
cp tests/compose/drill/*.toml "$work/etc/"
sed 's/^resolve_every = .*/resolve_every = "2s"/' "$work/etc/edge.toml" > "$work/etc/good.toml"
sed 's/^endpoints/endpoins/' "$work/etc/edge.toml" > "$work/etc/bad.toml"
sed 's/"app2:8000"/"drill:9000"/' "$work/etc/edge.toml" > "$work/etc/relayed.toml"

# One plan from this host, where the commands of its faults run.
held() { # PLAN
    "$work/portcullis" drill --plan "tests/compose/drill/$1.toml" --ca "$work/ca.pem"
}

# The plan whose relay the edge finds by its name in the network.
held_beside() { # PLAN
    cp "$work/etc/relayed.toml" "$work/etc/edge.toml"
    compose exec -T edge /bin/portcullis reload || return 1
    local address
    address=$(docker inspect -f "{{(index .NetworkSettings.Networks \"${COMPOSE_PROJECT_NAME}_back\").IPAddress}}" "$(container edge)")
    compose run --rm -T --use-aliases -e DRILL_PASSWORD -e "DRILL_ADMIN=$address:9901" drill \
        drill --plan "/etc/drill/$1.toml" --host edge --insecure
}

build_images
echo "Starting ..."
run_quietly "$work/up.log" compose up -d --no-build edge app app2 || fail_hard 'the stack does not start'
wait_for 120 'all containers healthy' all_healthy edge app app2 || fail_hard 'the stack is not ready'
docker cp "$(container edge):/bin/portcullis" "$work/portcullis" >/dev/null || fail_hard 'no program in the image'
docker cp "$(container edge):/var/lib/portcullis/self-signed-main.pem" "$work/ca.pem" >/dev/null || fail_hard 'no certificate'

check 'deploys lose nothing' held deploys
check 'crashes lose nothing that may be sent twice' held crashes
check 'bad connections to one instance lose nothing that may be sent twice' held_beside sockets

finish
