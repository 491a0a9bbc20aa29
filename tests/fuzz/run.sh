#!/bin/sh
# Builds every fuzz target and runs each for a few seconds. Usage: tests/fuzz/run.sh [SECONDS]
#
# Needs the nightly toolchain and nothing else: the flags are those that cargo-fuzz would pass. FUZZ_SANITIZER=address
# adds AddressSanitizer; by default it is off, because the code under test forbids unsafe code. What is found lies in
# artifacts/ and is replayed by running the target with the file as its argument.
set -eu
seconds=${1:-5}
cd "$(dirname "$0")"
if ! cargo +nightly --version >/dev/null 2>&1; then
    echo 'SKIPPED: the nightly toolchain is not installed'
    exit 0
fi
host=$(rustc +nightly -vV | sed -n 's/^host: //p')
flags='-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 -Cllvm-args=-sanitizer-coverage-inline-8bit-counters'
flags="$flags -Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-sanitizer-coverage-trace-compares --cfg fuzzing"
if [ -n "${FUZZ_SANITIZER:-}" ]; then
    flags="$flags -Zsanitizer=$FUZZ_SANITIZER"
fi
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-../../target}/fuzz"
# With --target the flags do not reach build scripts and macros, which run on their own.
RUSTFLAGS="$flags" cargo +nightly build --release --locked --target "$host"
for target in $(sed -n '/^\[\[bin\]\]/,/^$/s/^name = "\(.*\)"/\1/p' Cargo.toml); do
    echo "fuzz $target: $seconds s"
    mkdir -p "corpus/$target" "artifacts/$target"
    ASAN_OPTIONS=detect_leaks=0 "$CARGO_TARGET_DIR/$host/release/$target" "corpus/$target" "seeds/$target" \
        -max_total_time="$seconds" -max_len=4096 -timeout=10 -rss_limit_mb=1024 -malloc_limit_mb=256 \
        -print_final_stats=0 -print_funcs=0 -verbosity=0 -artifact_prefix="artifacts/$target/"
done
echo 'fuzz: nothing found'
