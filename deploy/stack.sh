#!/bin/sh
# What `make up` and `make down` run: the stack of docker-compose.yml where a Docker engine answers, else natively.
#
#   deploy/stack.sh up | down | compose ARGUMENTS... | engine (answers one?) | builder (which image?)
#
# STACK=compose or STACK=native decides by hand. The variables of docker-compose.yml hold for both ways.
set -eu
cd "$(dirname "$0")/.."

ready_seconds_max=${READY_SECONDS_MAX:-120}
official_builder=$(sed -n 's/^ARG BUILDER=//p' deploy/Dockerfile)
local_builder=portcullis-builder:local

say() { printf '%s\n' "$*"; }

compose() {
    if docker compose version >/dev/null 2>&1; then docker compose "$@"; else docker-compose "$@"; fi
}

# An engine counts only together with a compose command.
engine_answers() {
    command -v docker >/dev/null 2>&1 && timeout 20 docker version >/dev/null 2>&1 \
        && { docker compose version >/dev/null 2>&1 || command -v docker-compose >/dev/null 2>&1; }
}

way() {
    case ${STACK:-} in
        compose | native) echo "$STACK" ;;
        '') if engine_answers; then echo compose; else echo native; fi ;;
        *) say "STACK is \"$STACK\": compose or native" >&2; exit 2 ;;
    esac
}

# The official image where it can be had, else one imported from this host.
choose_builder() {
    [ -z "${BUILDER:-}" ] || return 0
    if docker image inspect "$official_builder" >/dev/null 2>&1; then return 0; fi
    say "Fetching the builder image $official_builder ..."
    if docker pull -q "$official_builder" 2>"$pull_log"; then return 0; fi
    say "It cannot be had ($(tail -n 1 "$pull_log" | cut -c 1-120))."
    say "Using this host's own toolchain as the builder instead: deploy/airgap/import-builder.sh"
    deploy/airgap/import-builder.sh || return 1
    BUILDER=$local_builder
    export BUILDER
}

health() {
    id=$(compose ps -q "$1" 2>/dev/null | head -n 1)
    [ -n "$id" ] && docker inspect -f '{{.State.Status}} {{.State.Health.Status}}' "$id" 2>/dev/null || echo absent
}

up_compose() {
    pull_log=$(mktemp)
    trap 'rm -f "$pull_log"' EXIT
    choose_builder || { say 'No builder image: starting natively instead.'; exec deploy/native.sh up; }
    compose build
    say 'Starting ...'
    compose up -d || { compose logs --tail 30 app; return 1; }
    waited=0
    until [ "$(health edge)" = 'running healthy' ] && [ "$(health app)" = 'running healthy' ]; do
        if [ "$waited" -ge "$ready_seconds_max" ]; then
            say "Not ready after $waited s: edge $(health edge), app $(health app). The last lines of both:"
            compose logs --tail 30 edge app
            return 1
        fi
        [ $((waited % 5)) -ne 0 ] || say "Waiting: edge $(health edge), app $(health app)"
        sleep 1
        waited=$((waited + 1))
    done
    password=$(compose logs --no-color app 2>/dev/null | sed -n 's/.*demo user created: username=[^ ]* password=//p' | tail -n 1)
    deploy/banner.sh "$password" 'docker-compose logs -f'
}

case ${1:-} in
    engine) engine_answers ;;
    compose) shift; compose "$@" ;;
    builder) pull_log=$(mktemp); choose_builder >&2; rm -f "$pull_log"; echo "${BUILDER:-$official_builder}" ;;
    up)
        way=$(way)
        if [ "$way" = compose ]; then up_compose; else
            [ -n "${STACK:-}" ] || say 'No Docker engine answers: building and starting natively.'
            exec deploy/native.sh up
        fi ;;
    down)
        # Whatever runs: a stack may have been started the other way.
        deploy/native.sh down
        if [ "${STACK:-}" != native ] && engine_answers; then compose down; fi ;;
    *) sed -n '2,7s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
esac
