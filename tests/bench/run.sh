#!/bin/sh
# Builds the release binary and the benchmark, gets the peers where root on Debian may, and measures.
# Arguments: static or proxy, then what the benchmark itself takes (--help says what).
set -eu
cd "$(dirname "$0")/../.."

missing=
for pair in nginx:nginx haproxy:haproxy wrk:wrk h2load:nghttp2-client strace:strace taskset:util-linux; do
    command -v "${pair%%:*}" >/dev/null 2>&1 || missing="$missing ${pair#*:}"
done
if [ -n "$missing" ]; then
    if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null 2>&1; then
        echo "Not installed, and not root on Debian:$missing" >&2
        exit 1
    fi
    echo "Installing what the benchmark compares with and measures by:$missing"
    log=${TMPDIR:-/tmp}/portcullis-bench-packages.log
    export DEBIAN_FRONTEND=noninteractive
    # The benchmark starts servers of its own: the packages shall not start others.
    policy=/usr/sbin/policy-rc.d
    if [ ! -e "$policy" ]; then
        printf '#!/bin/sh\nexit 101\n' >"$policy"
        chmod 755 "$policy"
        trap 'rm -f "$policy"' EXIT
    fi
    # shellcheck disable=SC2086 # one word a package
    if ! { apt-get update -q && apt-get install -y -q --no-install-recommends $missing; } >"$log" 2>&1; then
        tail -n 5 "$log" >&2
        exit 1
    fi
fi

cargo build --release --locked -p portcullis -p portcullis-bench
"${CARGO_TARGET_DIR:-target}/release/portcullis-bench" "$@"
