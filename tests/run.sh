#!/bin/sh
# Runs tests with cargo-nextest where it is installed, else with cargo itself. Arguments: what cargo test takes to select.
set -eu
cd "$(dirname "$0")/.."
if cargo nextest --version >/dev/null 2>&1; then
    exec cargo nextest run --locked --no-fail-fast "$@"
fi
exec cargo test --locked --no-fail-fast "$@"
