#!/bin/sh
# Builds the release binary and the benchmark, gets the peers where root on Debian may, and measures.
# Arguments: static or proxy, then what the benchmark itself takes (--help says what).
set -eu
cd "$(dirname "$0")/../.."
export DEBIAN_FRONTEND=noninteractive
log=${TMPDIR:-/tmp}/portcullis-bench-packages.log

may_install() {
    [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null 2>&1
}

# One word a package.
install_packages() {
    # The benchmark starts servers of its own: the packages shall not start others.
    policy=/usr/sbin/policy-rc.d
    if [ ! -e "$policy" ]; then
        printf '#!/bin/sh\nexit 101\n' >"$policy"
        chmod 755 "$policy"
        trap 'rm -f "$policy"' EXIT
    fi
    { apt-get update -q && apt-get install -y -q --no-install-recommends "$@"; } >"$log" 2>&1
}

missing=
for pair in nginx:nginx haproxy:haproxy wrk:wrk h2load:nghttp2-client strace:strace taskset:util-linux; do
    command -v "${pair%%:*}" >/dev/null 2>&1 || missing="$missing ${pair#*:}"
done
if [ -n "$missing" ]; then
    if ! may_install; then
        echo "Not installed, and not root on Debian:$missing" >&2
        exit 1
    fi
    echo "Installing what the benchmark compares with and measures by:$missing"
    # shellcheck disable=SC2086 # one word a package
    if ! install_packages $missing; then
        tail -n 5 "$log" >&2
        exit 1
    fi
fi

# What not every distribution has. Where it is missing the table says so.
optional=
command -v h2o >/dev/null 2>&1 || optional="$optional h2o"
modules=$(nginx -V 2>&1 | sed -n 's/.*--modules-path=\([^ ]*\).*/\1/p')
[ -e "$modules/ngx_http_brotli_static_module.so" ] || optional="$optional libnginx-mod-http-brotli-static"
for package in $optional; do
    if may_install && install_packages "$package"; then
        echo "Installed, too: $package"
    else
        echo "Measuring without $package, which can't be installed here" >&2
    fi
done

cargo build --release --locked -p portcullis -p portcullis-bench
"${CARGO_TARGET_DIR:-target}/release/portcullis-bench" "$@"
