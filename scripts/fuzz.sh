#!/usr/bin/env bash
# Feeds random input to every parser for FUZZ_SECONDS each, with a new seed in every round.
#
# A target is an integration test called `*never_panics.rs` of any crate. It is built with debug
# assertions and overflow checks. A failure is shrunk and kept by proptest beside the test, to be
# committed with the fix.
#
# After these, random policies and packets go to those who must agree (scripts/test-netns.sh), with a new
# seed in every round; a failure prints its seed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

seconds="${FUZZ_SECONDS:-60}"
export PROPTEST_CASES="${PROPTEST_CASES:-20000}"
shopt -s nullglob
targets=(crates/*/tests/*never_panics.rs)
if [ "${#targets[@]}" -eq 0 ]; then
    echo "error: no fuzz target (crates/*/tests/*never_panics.rs) found" >&2
    exit 1
fi

log="$(mktemp)"
trap 'rm -f "$log"' EXIT
for target in "${targets[@]}"; do
    manifest="${target%/tests/*}/Cargo.toml"
    test="$(basename "$target" .rs)"
    cargo test --quiet --manifest-path "$manifest" --test "$test" --no-run
    rounds=0
    start=$SECONDS
    while [ "$rounds" -eq 0 ] || [ $((SECONDS - start)) -lt "$seconds" ]; do
        cargo test --quiet --manifest-path "$manifest" --test "$test" >"$log" 2>&1 || {
            cat "$log" >&2
            echo "error: $target failed; proptest keeps a failing input beside it" >&2
            echo "again: cargo test --manifest-path $manifest --test $test" >&2
            exit 1
        }
        rounds=$((rounds + 1))
    done
    echo "$target: $rounds rounds of $PROPTEST_CASES cases a test, $((SECONDS - start)) s"
done

rounds=0
start=$SECONDS
while [ "$rounds" -eq 0 ] || [ $((SECONDS - start)) -lt "$seconds" ]; do
    seed="$((RANDOM * 32768 * 32768 + RANDOM * 32768 + RANDOM))"
    BULKHEAD_SEED="$seed" BULKHEAD_POLICIES=1000 cargo test --quiet \
        --package bulkhead-fwrender --test agreement -- --nocapture
    BULKHEAD_SEED="$seed" scripts/test-netns.sh
    rounds=$((rounds + 1))
done
echo "agreement of text, kernel and policy: $rounds rounds, $((SECONDS - start)) s"
