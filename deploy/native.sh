#!/bin/sh
# The stack without containers: the same two binaries with the same configuration, everything they write below ./var/.
#
#   deploy/native.sh up | down
#
# PROFILE=dev compiles faster and runs slower (default: release). BIN_DIR=DIR takes binaries that are built already.
# PORTCULLIS_BIND, PORTCULLIS_HTTPS_PORT and PORTCULLIS_HTTP_PORT say where the edge listens.
set -eu
cd "$(dirname "$0")/.."

ready_seconds_max=${READY_SECONDS_MAX:-60}
# The servers' own drain_timeout and five seconds.
stop_seconds_max=35
profile=${PROFILE:-release}
var=$PWD/var
bind=${PORTCULLIS_BIND:-127.0.0.1}
https_port=${PORTCULLIS_HTTPS_PORT:-8443}
http_port=${PORTCULLIS_HTTP_PORT:-8080}

say() { printf '%s\n' "$*"; }

# A process id is believed only while the process still is the program that was started: ids are used again.
running() { # NAME
    pid=$(cat "$var/run/$1.pid" 2>/dev/null) && [ -n "$pid" ] && kill -0 "$pid" 2>/dev/null || return 1
    case $(readlink "/proc/$pid/exe" 2>/dev/null || ps -o comm= -p "$pid") in
        */"$1" | */"$1 (deleted)" | "$1") return 0 ;;
        *) return 1 ;;
    esac
}

# The binary was built anew since the process started.
outdated() { # NAME
    [ "$(readlink "/proc/$(cat "$var/run/$1.pid")/exe" 2>/dev/null || echo "$bin/$1")" != "$bin/$1" ]
}

stop() { # NAME
    running "$1" || { rm -f "$var/run/$1.pid"; return 0; }
    pid=$(cat "$var/run/$1.pid")
    say "Stopping $1 (at most $stop_seconds_max s for what is in flight)"
    kill -TERM "$pid" 2>/dev/null || :
    tenths=0
    while running "$1"; do
        if [ "$tenths" -ge $((stop_seconds_max * 10)) ]; then
            say "$1 did not stop in time: killed"
            kill -KILL "$pid" 2>/dev/null || :
            break
        fi
        sleep 0.1
        tenths=$((tenths + 1))
    done
    rm -f "$var/run/$1.pid"
}

start() { # NAME ARGUMENTS... (and in $health the arguments of its health check)
    name=$1
    shift
    if running "$name"; then
        if ! outdated "$name"; then say "$name runs already"; return 0; fi
        stop "$name"
    fi
    # Somebody else's server would answer the health check in the place of ours.
    if "$bin/$name" healthcheck $health >/dev/null 2>&1; then
        say "Another $name answers already where this one is to start. Stop it first, or give this one other addresses."
        exit 1
    fi
    # A session of its own, so that Ctrl-C in this terminal is not meant for it.
    if command -v setsid >/dev/null 2>&1; then detach='setsid'; else detach='nohup'; fi
    $detach "$bin/$name" "$@" >>"$var/log/$name.log" 2>&1 </dev/null &
    echo $! > "$var/run/$name.pid"
}

# A fresh child may still be the shell or setsid; only an end of the process counts as a failure.
wait_ready() { # NAME (and in $health the arguments of its health check)
    name=$1
    pid=$(cat "$var/run/$name.pid")
    tenths=0
    until "$bin/$name" healthcheck $health >/dev/null 2>&1; do
        if ! kill -0 "$pid" 2>/dev/null || [ "$tenths" -ge $((ready_seconds_max * 10)) ]; then
            say "$name is not ready. The last lines of $var/log/$name.log:"
            tail -n 30 "$var/log/$name.log"
            stop "$name"
            return 1
        fi
        [ $((tenths % 20)) -ne 0 ] || say "Waiting for $name ..."
        sleep 0.1
        tenths=$((tenths + 1))
    done
}

build() {
    if [ -n "${BIN_DIR:-}" ]; then bin=$(cd "$BIN_DIR" && pwd); return 0; fi
    command -v cargo >/dev/null 2>&1 || { say 'Neither a Docker engine nor cargo was found: install one of them.'; exit 1; }
    say "Building ($profile profile); the first time takes some minutes ..."
    cargo build --locked --profile "$profile" -p portcullis -p portcullis-app
    if [ "$profile" = dev ]; then folder=debug; else folder=$profile; fi
    bin=$(cd "${CARGO_TARGET_DIR:-target}/$folder" && pwd)
}

up() {
    build
    # Keys, the database and the password in the log are nobody else's business.
    umask 077
    mkdir -p "$var/run" "$var/log" "$var/key" "$var/portcullis" "$var/app/attachments"

    PORTCULLIS_APP_LISTEN=${PORTCULLIS_APP_LISTEN:-127.0.0.1:8000}
    PORTCULLIS_APP_STATE=$var/app
    PORTCULLIS_APP_ASSERTION_KEY=$var/key/assertion.key
    PORTCULLIS_APP_ASSERTION_KEY_CREATE=true
    PORTCULLIS_APP_ISSUER=${PORTCULLIS_ISSUER:-https://localhost:8443}
    export PORTCULLIS_APP_LISTEN PORTCULLIS_APP_STATE PORTCULLIS_APP_ASSERTION_KEY PORTCULLIS_APP_ASSERTION_KEY_CREATE PORTCULLIS_APP_ISSUER
    health="--url http://$PORTCULLIS_APP_LISTEN/readyz"
    start portcullis-app run
    wait_ready portcullis-app

    PORTCULLIS_CONFIG=$PWD/deploy/portcullis.toml
    PORTCULLIS_STATE=$var/portcullis
    PORTCULLIS_HTTPS=$bind:$https_port
    PORTCULLIS_HTTP=$bind:$http_port
    PORTCULLIS_HTTPS_PORT=$https_port
    PORTCULLIS_APP_ENDPOINT=$PORTCULLIS_APP_LISTEN
    PORTCULLIS_ASSERTION_KEY=$var/key/assertion.key
    PORTCULLIS_STATIC=$PWD/static
    PORTCULLIS_ATTACHMENTS=$var/app/attachments
    export PORTCULLIS_CONFIG PORTCULLIS_STATE PORTCULLIS_HTTPS PORTCULLIS_HTTP PORTCULLIS_HTTPS_PORT PORTCULLIS_APP_ENDPOINT PORTCULLIS_ASSERTION_KEY \
        PORTCULLIS_STATIC PORTCULLIS_ATTACHMENTS
    health=
    start portcullis run
    wait_ready portcullis

    password=$(sed -n 's/.*demo user created: username=[^ ]* password=//p' "$var/log/portcullis-app.log" | tail -n 1)
    deploy/banner.sh "$password" "tail -f var/log/*.log"
}

case ${1:-} in
    up) up ;;
    # The edge first: what it has in flight needs the application.
    down) stop portcullis; stop portcullis-app ;;
    *) sed -n '2,7s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
esac
