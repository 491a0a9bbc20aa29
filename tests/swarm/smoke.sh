#!/bin/bash
# The smoke test of the swarm: starts deploy/swarm/stack.yml on a swarm of this one node, with the images that the smoke
# test of compose has built, walks through it as clients of two edges, rolls an update of the application under load, and
# takes everything away again, the swarm too if it made it. Each wait has an end.
#
# KEEP=1 leaves it up for a look. Without a Docker engine, without the images or without PostgreSQL it says SKIPPED.
set -u
cd "$(dirname "$0")/../.." || exit 1
# shellcheck source=tests/compose/steps.sh
. tests/compose/steps.sh
# shellcheck source=tests/swarm/steps.sh
. tests/swarm/steps.sh

skip() { echo "SKIPPED: $1"; exit 0; }

deploy/stack.sh engine || skip 'no Docker engine answers'
for tool in openssl nsenter curl; do
    command -v "$tool" >/dev/null || skip "$tool is not installed"
done
edge_image=${PORTCULLIS_IMAGE:-portcullis:local}
app_image=${PORTCULLIS_APP_IMAGE:-portcullis-app:local}
for image in "$edge_image" "$app_image"; do
    docker image inspect "$image" >/dev/null 2>&1 || skip "there is no image $image (tests/compose/smoke.sh builds it)"
done

work=$(mktemp -d)
stack=portcullis-swarm-$$
made_swarm=
had_bridge=$(docker network ls -q --filter name=docker_gwbridge)
trap clean_up EXIT
trap 'exit 130' INT TERM
export POSTGRES_IMAGE=portcullis-postgres-test:$$
tests/swarm/postgres-image.sh "$POSTGRES_IMAGE" >"$work/postgres.log" 2>&1 || skip "no image of PostgreSQL: $(tail -n 1 "$work/postgres.log")"
begin_swarm || skip "no swarm: $(tail -n 1 "$work/swarm.log")"

export PORTCULLIS_IMAGE=$edge_image PORTCULLIS_APP_IMAGE=$app_image PORTCULLIS_SECRETS=$stack PORTCULLIS_CONFIG_VERSION=$stack
export PORTCULLIS_HOST=portcullis.test
# Ports of the node itself, any free ones: each edge is reached by itself, and no kernel lacks what that needs.
export PORTCULLIS_PORTS=host PORTCULLIS_PUBLISH_HTTPS=0 PORTCULLIS_PUBLISH_HTTP=0 PORTCULLIS_EDGE_ENDPOINT=dnsrr
unset PORTCULLIS_HTTPS_PORT PORTCULLIS_APP_DEMO_USER PORTCULLIS_APP_DATABASE

echo 'Starting ...'
run_quietly "$work/secrets.log" deploy/swarm/secrets.sh "$PORTCULLIS_HOST" || fail_hard 'the secrets are not made'
run_quietly "$work/deploy.log" docker stack deploy -c deploy/swarm/stack.yml "$stack" || fail_hard 'the stack is not taken'
wait_for 120 'two edges, two instances and the database healthy' converged || fail_hard 'the stack is not ready'

echo '-- stack'
check 'edges run as nobody, root read-only' test "$(facts edge)" = '65532:65532 true'
check 'instances run as nobody, root read-only' test "$(facts app)" = '65532:65532 true'
check 'no instance and no database is published' test -z "$(published app)$(published postgres)"
check 'no password in the settings of a service' no_password
check 'both instances listen to each other' wait_for 20 'two ears' ears 2
check 'each edge has a link' wait_for 30 'two links' each_edge_is_linked

echo '-- two edges'
first=$(edge_port 1)
second=$(edge_port 2)
at "$first" GET /
check 'the page is served' said 200 "content-security-policy: default-src 'self'"
check 'with the certificate of the site' certificate_of "$second"
at "$first" POST /api/register/ --json-body '{"username":"ann","password":"correct horse 7 battery"}'
check 'register at one edge' said 201
at "$second" POST /api/token/ --json-body '{"username":"ann","password":"correct horse 7 battery"}'
check 'sign in at the other' said 200
access=$(member access)
refresh=$(member refresh)
at "$first" POST /api/notes/ -H "Authorization: Bearer $access" --json-body '{"title":"Swarm","text":"hello","tags":[]}'
check 'a note' said 201
note=$(member id)
at "$second" GET "/api/notes/$note/" -H "Authorization: Bearer $access"
check 'is read at the other edge' said 200 Swarm
head -c 100000 /dev/urandom > "$work/file"
at "$first" POST "/api/notes/$note/attachments/?name=file.bin" -H "Authorization: Bearer $access" -H 'Content-Type: application/octet-stream' --data-binary "@$work/file"
check 'an upload' said 201
file=$(member id)
at "$second" GET "/api/attachments/$file/" -H "Authorization: Bearer $access"
check 'is read at the other edge, byte for byte' cmp -s "$work/file" "$work/body"

# Whichever instance takes the log-out, and whichever of the two the other edge has its link to.
echo '-- log out'
for round in 1 2 3; do
    at "$first" POST /api/token/blacklist/ --json-body "{\"refresh\":\"$refresh\"}"
    check "log out at one edge ($round)" said 200
    check 'the other edge refuses by itself' wait_for 5 'the refusal' refused_by_edge "$second" "$access"
    at "$second" POST /api/token/ --json-body '{"username":"ann","password":"correct horse 7 battery"}'
    access=$(member access)
    refresh=$(member refresh)
done

echo '-- an update of the application under load'
old=$(tasks app)
load_begins "$first" "$access"
run_quietly "$work/update.log" docker service update --detach --update-delay 7s --update-monitor 2s --env-add UPDATED=1 "${stack}_app" || fail_hard 'the update is not taken'
check 'it is completed' wait_for 90 'the update' update_is completed
load_ends
check 'by two other instances' others_than "$old"
check 'and no request has failed' no_failures
at "$second" GET "/api/notes/$note/" -H "Authorization: Bearer $access"
check 'nothing is lost' said 200 Swarm

finish
