#!/bin/sh
# Builds every fuzz target and runs each for a few seconds; a crash is an error. Needs the nightly toolchain, but no
# cargo-fuzz: the flags are those which it would pass.
set -eu
cd "$(dirname "$0")/fuzz" 2>/dev/null || { echo 'SKIPPED: there are no fuzz targets'; exit 0; }
seconds=${FUZZ_SECONDS:-5}
if ! cargo +nightly --version >/dev/null 2>&1; then
    echo 'SKIPPED: the nightly toolchain is not installed'
    exit 0
fi
host=$(rustc +nightly -vV | sed -n 's/^host: //p')
# Coverage counters for libFuzzer and AddressSanitizer, for this host's target only: build scripts stay as they are.
export RUSTFLAGS='-Zsanitizer=address -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-sanitizer-coverage-trace-compares --cfg fuzzing -Ccodegen-units=1 -Cdebug-assertions'
cargo +nightly build --release --locked --target "$host" --bins
sed -n '/^\[\[bin\]\]/,/^$/s/^name = "\(.*\)"/\1/p' Cargo.toml | while read -r target; do
    echo "--- $target, $seconds s"
    mkdir -p "corpus/$target" "artifacts/$target"
    ASAN_OPTIONS=detect_leaks=0 "${CARGO_TARGET_DIR:-target}/$host/release/$target" "corpus/$target" \
        -max_total_time="$seconds" -max_len=8192 -timeout=5 -rss_limit_mb=2048 -print_final_stats=0 -verbosity=0 \
        -artifact_prefix="artifacts/$target/" </dev/null
done
