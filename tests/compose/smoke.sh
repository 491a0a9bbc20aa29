#!/bin/bash
# The smoke test over the images: brings up docker-compose.yml under a project name of its own and on free ports, walks
# through it with curl as a client would, and takes everything away again, volumes too. Each wait has an end.
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
export COMPOSE_PROJECT_NAME=portcullis-smoke-$$
https_port=$(free_port)
http_port=$(free_port)
export PORTCULLIS_BIND=127.0.0.1 PORTCULLIS_HTTPS_PORT=$https_port PORTCULLIS_HTTP_PORT=$http_port
unset PORTCULLIS_APP_DEMO_USER PORTCULLIS_APP_DEMO_PASSWORD PORTCULLIS_APP_DATABASE PORTCULLIS_ISSUER
trap clean_up EXIT
trap 'exit 130' INT TERM

build_images
echo "Starting ..."
run_quietly "$work/up.log" compose up -d || fail_hard 'the stack does not start'
wait_for 120 'both containers healthy' all_healthy edge app || fail_hard 'the stack is not ready'

echo '-- images'
check 'edge image below 25 MB' test "$(image_bytes portcullis:local)" -lt 25000000
check 'app image below 25 MB' test "$(image_bytes portcullis-app:local)" -lt 25000000
check 'edge runs as nobody, root read-only' test "$(container_facts edge)" = '65532:65532 true'
check 'app runs as nobody, root read-only' test "$(container_facts app)" = '65532:65532 true'
check 'edge binary is static' is_static edge /bin/portcullis
check 'app binary is static' is_static app /bin/portcullis-app
check 'the app is not published' test -z "$(docker port "$(container app)")"

echo '-- site'
get /
check 'the page is served' said 200 'content-type: text/html'
check 'with a content security policy' said 200 "content-security-policy: default-src 'self'"
curl_to "$work/head" "http://127.0.0.1:$http_port/notes?a=1" -D "$work/headers" -o /dev/null
check 'plain http is redirected' said 308 'location: https://127.0.0.1:'"$https_port/notes?a=1"
get /../etc/passwd --path-as-is
check 'nothing above the root' refused
get /%2e%2e/%2e%2e/etc/portcullis/portcullis.toml --path-as-is
check 'nothing above the root, encoded' refused

echo '-- tokens'
password=$(compose logs --no-color app 2>/dev/null | sed -n 's/.*demo user created: username=demo password=//p' | tr -d '\r')
check 'the demo password is printed once' test "$(printf '%s' "$password" | grep -c .)" = 1
get /api/me/
check 'no token: 401 with a challenge' said 401 'www-authenticate: Bearer'
post /api/token/ "{\"username\":\"demo\",\"password\":\"$password\"}"
check 'sign-in' said 200 'content-type: application/json'
access=$(member access)
refresh=$(member refresh)
get /api/me/ -H "Authorization: Bearer $access"
check 'a token opens' said 200
check 'as the user whom it names' test "$(member username)" = demo
get /api/me/ -H "Authorization: Bearer ${access%??}xx"
check 'a changed token: 401' said 401 'error="invalid_token"'
get /api/me/ -H 'X-Auth-Assertion: forged' -H 'X-Auth-Subject: demo' -H 'X_Auth_Subject: demo'
check 'a forged identity opens nothing' said 401
post /api/token/refresh/ "{\"refresh\":\"$refresh\"}"
check 'refresh' said 200
access=$(member access)
post /api/register/ '{"username":"bob","password":"correct horse 7 battery"}'
check 'register' said 201
post /api/token/ '{"username":"bob","password":"correct horse 7 battery"}'
bob=$(member access)
get /api/me/ -H "Authorization: Bearer $bob" -H 'X-Auth-Assertion: forged' -H 'X-Auth-Subject: demo'
check 'a forged identity changes nothing' test "$(member username)" = bob
get /api/admin/users/ -H "Authorization: Bearer $bob"
check 'no admin role: 403' said 403 'insufficient_scope'
get /api/admin/users/ -H "Authorization: Bearer $access"
check 'the admin role opens' said 200

echo '-- notebook'
auth="Authorization: Bearer $access"
post /api/notes/ '{"title":"Smoke","text":"*hello*","tags":["a"]}' -H "$auth"
check 'create' said 201 'etag: "'
note=$(member id)
etag=$(field etag)
request PUT "/api/notes/$note/" -H "$auth" -H "If-Match: $etag" --json-body '{"title":"Smoke","text":"again","tags":[],"pinned":true}'
check 'change with the right version' said 200
request PUT "/api/notes/$note/" -H "$auth" -H "If-Match: $etag" --json-body '{"title":"Smoke","text":"lost","tags":[],"pinned":true}'
check 'change with a stale version: 412' said 412
get "/api/notes/$note/" -H "Authorization: Bearer $bob"
check "another user's note: 404" said 404
request PUT "/api/notes/$note/shares/bob/" -H "$auth" --json-body '{"role":"viewer"}'
check 'share' said 200
get "/api/notes/$note/" -H "Authorization: Bearer $bob"
check 'a shared note is read' said 200

echo '-- attachments'
head -c 16000000 /dev/urandom > "$work/file"
request POST "/api/notes/$note/attachments/?name=file.bin" -H "$auth" -H 'Content-Type: application/octet-stream' --data-binary "@$work/file"
check 'upload of 16 MB' said 201
file=$(member id)
get "/api/attachments/$file/" -H "$auth"
check 'download is the same' cmp -s "$work/file" "$work/body"
check 'the path stays inside' not_said 'x-accel-redirect'
get "/api/attachments/$file/" -H "$auth" -H 'Range: bytes=1000000-1000099'
check 'one range' said 206 'content-range: bytes 1000000-1000099/16000000'
check 'has the right bytes' cmp -s -n 100 -i 1000000:0 "$work/file" "$work/body"
get "/api/attachments/$file/"
check 'no token, no download' said 401

echo '-- live changes'
curl -ksN --max-time 40 "https://127.0.0.1:$https_port/api/events/" -H "Authorization: Bearer $bob" > "$work/events" &
events=$!
check 'an event arrives' event_arrives
kill "$events" 2>/dev/null

echo '-- stop and start'
curl -ks --max-time 60 --limit-rate 4M -o "$work/slow" -w '%{http_code}' "https://127.0.0.1:$https_port/api/attachments/$file/" -H "$auth" > "$work/slow.status" &
slow=$!
wait_for 20 'the download has begun' test -s "$work/slow"
run_quietly "$work/stop.log" compose stop edge
wait "$slow"
check 'a stop finishes the download in flight' cmp -s "$work/file" "$work/slow"
check 'the edge stopped by itself' test "$(docker inspect -f '{{.State.ExitCode}}' "$(container edge)")" = 0
run_quietly "$work/stop.log" compose kill -s KILL app
run_quietly "$work/up.log" compose up -d
check 'both come back' wait_for 120 'both containers healthy' all_healthy edge app
get "/api/notes/$note/" -H "$auth"
check 'nothing acknowledged is lost, and the old token still opens' said 200 'etag: "'
check 'the last change is there' test "$(member text)" = again

finish
