#!/bin/sh
# The Debian packages that tests drive: a browser with its driver, a database server, and the servers that this one is
# compared with. Installed only by root on Debian, and only what is missing; elsewhere the tests that need them say SKIPPED.
set -eu

missing=
command -v chromium >/dev/null 2>&1 || command -v google-chrome >/dev/null 2>&1 || missing="$missing chromium"
command -v chromedriver >/dev/null 2>&1 || missing="$missing chromium-driver"
if ! command -v postgres >/dev/null 2>&1 && ! ls /usr/lib/postgresql/*/bin/postgres >/dev/null 2>&1; then
    missing="$missing postgresql"
fi
for peer in nginx haproxy; do
    command -v "$peer" >/dev/null 2>&1 || missing="$missing $peer"
done
if [ -z "$missing" ]; then
    echo 'chromium, chromium-driver, postgresql, nginx and haproxy are there'
    exit 0
fi
if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null 2>&1; then
    echo "SKIPPED: not installed, and not root on Debian:$missing. The tests that need them will say so."
    exit 0
fi
echo "Installing the Debian packages that the tests need:$missing"
# The tests start servers of their own in temporary directories: the packages shall not create and start others. What
# says so holds for this installation only: who later wants them as services gets them as always.
made=
trap 'rm -f $made' EXIT
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    made="$made $policy"
    printf '#!/bin/sh\nexit 101\n' > "$policy"
    chmod 755 "$policy"
fi
case $missing in
    *postgresql*)
        conf=/etc/postgresql-common/createcluster.conf
        if [ ! -e "$conf" ]; then
            mkdir -p /etc/postgresql-common
            made="$made $conf"
            echo 'create_main_cluster = false' > "$conf"
        fi ;;
esac
export DEBIAN_FRONTEND=noninteractive
# shellcheck disable=SC2086 # one word a package
install() { apt-get install -y -q --no-install-recommends -o Dpkg::Options::=--force-confold $missing; }
if ! { apt-get update -q && install; } >"${TMPDIR:-/tmp}/portcullis-packages.log" 2>&1; then
    tail -n 5 "${TMPDIR:-/tmp}/portcullis-packages.log"
    echo "SKIPPED: could not be installed:$missing. The tests that need them will say so."
fi
