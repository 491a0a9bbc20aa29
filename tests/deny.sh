#!/bin/sh
# deny.toml against Cargo.lock, by cargo-deny where it is installed. Without it, bans and sources are looked at by the
# simpler means below, and licences by the tidy tests. Advisories need their database: only on demand, ADVISORIES=1.
set -eu
cd "$(dirname "$0")/.."
if cargo deny --version >/dev/null 2>&1; then
    # Not --offline: it reads the manifests of all platforms' packages, and a build has fetched only this one's.
    cargo deny --workspace --locked check bans licenses sources
    if [ "${ADVISORIES:-0}" != 0 ]; then
        cargo deny --workspace --locked check advisories
    elif timeout 60 cargo deny --workspace --locked fetch db >/dev/null 2>&1; then
        cargo deny --workspace --locked --offline check --disable-fetch advisories
    else
        echo 'SKIPPED: advisories (their database does not answer)'
    fi
    exit 0
fi
[ "${ADVISORIES:-0}" = 0 ] || { echo 'advisories need cargo-deny: cargo install cargo-deny --locked'; exit 1; }

sources=$(sed -n 's/^source = //p' Cargo.lock | sort -u)
if [ "$(printf '%s\n' "$sources" | wc -l)" -ne 1 ] || [ "${sources#\"registry+}" = "$sources" ]; then
    printf 'Cargo.lock has other sources than the one registry:\n%s\n' "$sources"
    exit 1
fi
built=$(cargo tree --workspace --locked --prefix none --format '{p}' | cut -d ' ' -f 1 | sort -u)
for crate in $(sed -n 's/^ *{ crate = "\([^"]*\)", reason.*/\1/p' deny.toml); do
    if printf '%s\n' "$built" | grep -qxF "$crate"; then
        echo "$crate is banned by deny.toml:"
        cargo tree --workspace --locked --invert "$crate"
        exit 1
    fi
done
echo "bans and sources of $(printf '%s\n' "$built" | wc -l) packages ok (cargo-deny is not installed; licences: tidy tests)"
