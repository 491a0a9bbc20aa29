# The words that smoke.sh is written in. Sourced, not run: $work, $note and $auth are set there.
# shellcheck shell=bash disable=SC2154,SC2034

passed=0
failed=0

compose() { deploy/stack.sh compose "$@"; }
container() { compose ps -q "$1" 2>/dev/null | head -n 1; }

check() { # NAME COMMAND...
    local name=$1
    shift
    if "$@"; then
        passed=$((passed + 1))
        printf 'ok     %s\n' "$name"
    else
        failed=$((failed + 1))
        printf 'FAILED %s (status %s)\n' "$name" "${status:-}"
        [ ! -s "$work/headers" ] || sed 's/^/       | /' "$work/headers" | head -n 20
        [ ! -s "$work/body" ] || head -c 300 "$work/body" | tr -cd '[:print:]\n' | sed 's/^/       | /'
    fi
}

# The output of a command that is only worth reading when it fails.
run_quietly() { # LOG COMMAND...
    local log=$1
    shift
    "$@" >"$log" 2>&1 || { tail -n 40 "$log"; return 1; }
}

wait_for() { # SECONDS WHAT COMMAND...
    local end=$((SECONDS + $1)) what=$2
    shift 2
    until "$@"; do
        if [ "$SECONDS" -ge "$end" ]; then echo "gave up waiting: $what"; return 1; fi
        sleep 0.5
    done
}

all_healthy() { # SERVICES...
    local service
    for service in "$@"; do
        [ "$(docker inspect -f '{{.State.Health.Status}}' "$(container "$service")" 2>/dev/null)" = healthy ] || return 1
    done
}

# A port that nobody listens on, below the range that the kernel gives to clients.
free_port() {
    local port
    while port=$((10000 + RANDOM % 20000)); do
        (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || { echo "$port"; return; }
    done
}

# The images, from whatever of them the engine has kept already.
build_images() {
    echo "Building the images ..."
    BUILDER=$(deploy/stack.sh builder) || exit 1
    export BUILDER
    run_quietly "$work/build.log" compose build edge app || fail_hard 'the images do not build'
}

image_bytes() { docker image inspect -f '{{.Size}}' "$1"; }
container_facts() { docker inspect -f '{{.Config.User}} {{.HostConfig.ReadonlyRootfs}}' "$(container "$1")"; }

is_static() { # SERVICE PATH
    docker cp "$(container "$1"):$2" "$work/binary" >/dev/null \
        && LC_ALL=C ldd "$work/binary" 2>&1 | grep -qE 'statically linked|not a dynamic executable'
}

curl_to() { # STATUS-FILE URL CURL-ARGUMENTS...
    local to=$1 url=$2
    shift 2
    : > "$work/headers"
    : > "$work/body"
    status=$(curl -ks --max-time 30 -w '%{http_code}' "$@" "$url")
    echo "$status" > "$to"
}

# One request over TLS; --json-body TEXT stands for its two curl arguments.
request() { # METHOD PATH CURL-ARGUMENTS...
    local method=$1 path=$2 arguments=()
    shift 2
    while [ $# -gt 0 ]; do
        case $1 in
            --json-body) arguments+=(-H 'Content-Type: application/json' --data-binary "$2"); shift 2 ;;
            *) arguments+=("$1"); shift ;;
        esac
    done
    curl_to "$work/status" "https://127.0.0.1:$https_port$path" -X "$method" -D "$work/headers" -o "$work/body" "${arguments[@]}"
}
get() { local path=$1; shift; request GET "$path" "$@"; }
post() { local path=$1 body=$2; shift 2; request POST "$path" --json-body "$body" "$@"; }

# The last answer had this status and, when given, a header line or body that matches.
said() { # STATUS [PATTERN]
    [ "$status" = "$1" ] && { [ $# -lt 2 ] || grep -qi -- "$2" "$work/headers" || grep -qi -- "$2" "$work/body"; }
}
not_said() { ! grep -qi -- "$1" "$work/headers"; }
refused() { case $status in 400 | 404) return 0 ;; *) return 1 ;; esac; }
field() { sed -n "s/^$1: //Ip" "$work/headers" | tr -d '\r' | tail -n 1; }
# The first text member of this name in the last answer's JSON; the values that are asked for hold no escapes.
member() { grep -o "\"$1\" *: *\"[^\"]*\"" "$work/body" | head -n 1 | sed "s/^\"$1\" *: *\"//; s/\"$//"; }

# The stream is open some time after curl has begun: change the note until a change comes through.
event_arrives() {
    local try
    for try in 1 2 3 4 5 6 7 8 9 10; do
        get "/api/notes/$note/" -H "$auth"
        request PATCH "/api/notes/$note/" -H "$auth" -H "If-Match: $(field etag)" --json-body "{\"title\":\"Live $try\"}"
        sleep 0.5
        grep -q '^event: note' "$work/events" && grep -q "$note" "$work/events" && return 0
    done
    return 1
}

clean_up() {
    if [ "${KEEP:-0}" = 1 ]; then
        echo "left up: COMPOSE_PROJECT_NAME=$COMPOSE_PROJECT_NAME"
    else
        compose down -v --timeout 5 >/dev/null 2>&1
    fi
    rm -rf "$work"
}

fail_hard() {
    echo "FAILED: $1"
    compose logs --no-color --tail 40 2>/dev/null
    exit 1
}

finish() {
    if [ "$failed" -gt 0 ]; then compose logs --no-color --tail 40 2>/dev/null; fi
    printf '%s passed, %s failed\n' "$passed" "$failed"
    [ "$failed" -eq 0 ]
}
