# The words that smoke.sh is written in, beside those of tests/compose/steps.sh. Sourced, not run: $work, $stack and
# $access are set there.
# shellcheck shell=bash disable=SC2154,SC2034

# A manager of a swarm as it is, or a new swarm of this node alone, which nobody else can reach.
begin_swarm() {
    case $(docker info -f '{{.Swarm.LocalNodeState}} {{.Swarm.ControlAvailable}}') in
        'active true') return 0 ;;
        inactive*)
            docker swarm init --advertise-addr 127.0.0.1 --listen-addr 127.0.0.1:0 --data-path-addr 127.0.0.1 >"$work/swarm.log" 2>&1 \
                || docker swarm init --advertise-addr 127.0.0.1 --listen-addr 127.0.0.1:2377 >"$work/swarm.log" 2>&1 || return 1
            made_swarm=1 ;;
        *) echo 'this node is a worker of a swarm' > "$work/swarm.log"; return 1 ;;
    esac
}

# The running containers of a service, one a line, in the order of their slots.
tasks() { # SERVICE
    docker ps --filter "label=com.docker.swarm.service.name=${stack}_$1" --filter status=running --format '{{.Label "com.docker.swarm.task.name"}} {{.ID}}' \
        | sort | cut -d' ' -f2
}
nth() { tasks "$1" | sed -n "$2p"; }
healthy() { # SERVICE COUNT
    [ "$(docker ps -q --filter "label=com.docker.swarm.service.name=${stack}_$1" --filter health=healthy | grep -c .)" = "$2" ]
}
converged() { healthy postgres 1 && healthy app 2 && healthy edge 2 && [ "$(tasks app | grep -c .)" = 2 ] && [ "$(tasks edge | grep -c .)" = 2 ]; }

facts() { docker inspect -f '{{.Config.User}} {{.HostConfig.ReadonlyRootfs}}' "$(nth "$1" 1)"; }
published() { docker service inspect -f '{{range .Endpoint.Ports}}{{.PublishedPort}} {{end}}' "${stack}_$1"; }
edge_port() { docker port "$(nth edge "$1")" 8443 | sed -n 's/.*://p' | head -n 1; }
no_password() { ! docker service inspect "${stack}_app" "${stack}_postgres" | grep -qE 'postgres://[^/@]*:|PASSWORD='; }

in_database() { docker exec "$(nth postgres 1)" psql -U portcullis -d portcullis -tA -c "$1"; }
ears() { [ "$(in_database "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'portcullis-app notices'")" = "$1" ]; }
# What an edge's link is stands on its own admin listener, in its own network.
each_edge_is_linked() {
    local container
    for container in $(tasks edge); do
        metrics_of "$container" | grep -q '^portcullis_link_up{.* 1$' || return 1
    done
}
metrics_of() { nsenter -t "$(docker inspect -f '{{.State.Pid}}' "$1")" -n curl -s --max-time 5 http://127.0.0.1:9901/metrics; }

# One request to the edge at this port of the node; the arguments of curl, and --json-body TEXT.
at() { # PORT METHOD PATH CURL-ARGUMENTS...
    https_port=$1
    shift
    request "$@"
}
certificate_of() { curl -sk --max-time 10 -o /dev/null -w '%{certs}' --resolve "$PORTCULLIS_HOST:$1:127.0.0.1" "https://$PORTCULLIS_HOST:$1/" | grep -q "CN *= *$PORTCULLIS_HOST"; }
refused_by_edge() { # PORT TOKEN
    at "$1" GET /api/me/ -H "Authorization: Bearer $2"
    said 401 token_revoked && grep -q '"source":"edge"' "$work/body"
}

# One client that asks again and again, each time on a new connection, at most 20 times a second, for 3 minutes at most.
load_begins() { # PORT TOKEN
    : > "$work/load"
    (
        end=$((SECONDS + 180))
        while [ ! -e "$work/load.stop" ] && [ "$SECONDS" -lt "$end" ]; do
            curl -ks --max-time 30 -o "$work/load.body" -w '%{http_code}\n' -H "Authorization: Bearer $2" "https://127.0.0.1:$1/api/me/" >> "$work/load"
            sleep 0.05
        done
    ) &
    load=$!
}
load_ends() {
    touch "$work/load.stop"
    wait "$load"
}
no_failures() {
    echo "       $(grep -c . "$work/load") requests"
    [ "$(grep -c . "$work/load")" -ge 50 ] && ! grep -qv '^200$' "$work/load"
}
update_is() { [ "$(docker service inspect -f '{{.UpdateStatus.State}}' "${stack}_app")" = "$1" ]; }
others_than() { # CONTAINERS
    local container
    [ "$(tasks app | grep -c .)" = 2 ] || return 1
    for container in $(tasks app); do
        case $1 in *"$container"*) return 1 ;; esac
    done
}

compose() { # only `logs`, which steps.sh prints when something fails
    [ "$1" = logs ] || return 0
    docker service ls --filter "label=com.docker.stack.namespace=$stack"
    docker stack ps --no-trunc --format '{{.Name}} {{.CurrentState}} {{.Error}}' "$stack" | head -n 20
    for service in app edge postgres; do docker service logs --tail 15 "${stack}_$service" 2>&1; done
}

nothing_runs() { [ -z "$(docker ps -aq --filter "label=com.docker.stack.namespace=$stack")" ]; }

clean_up() {
    if [ "${KEEP:-0}" = 1 ]; then
        echo "left up: docker stack $stack"
    else
        docker stack rm "$stack" >/dev/null 2>&1
        # Volumes and secrets can only go when the last container has.
        if docker network ls -q --filter "label=com.docker.stack.namespace=$stack" >/dev/null 2>&1; then
            wait_for 90 'the stack to end' nothing_runs
        fi
        docker secret ls -q --filter "name=${stack}_" 2>/dev/null | xargs -r docker secret rm >/dev/null 2>&1
        docker volume ls -q --filter "label=com.docker.stack.namespace=$stack" | xargs -r docker volume rm >/dev/null 2>&1
        docker image rm -f "${POSTGRES_IMAGE:-none}" >/dev/null 2>&1
        if [ -n "$made_swarm" ]; then
            docker swarm leave --force >/dev/null 2>&1
            [ -n "$had_bridge" ] || docker network rm docker_gwbridge >/dev/null 2>&1
        fi
    fi
    rm -rf "$work"
}
