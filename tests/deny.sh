#!/bin/sh
# deny.toml against Cargo.lock. Advisories need their database, so they are checked only on demand: ADVISORIES=1.
set -eu
cd "$(dirname "$0")/.."
if ! cargo deny --version >/dev/null 2>&1; then
    echo 'SKIPPED: cargo-deny is not installed (cargo install cargo-deny --locked)'
    exit 0
fi
cargo deny --workspace --locked --offline check bans licenses sources
[ "${ADVISORIES:-0}" = 0 ] || cargo deny --workspace --locked check advisories
