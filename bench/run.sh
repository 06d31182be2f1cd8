#!/usr/bin/env bash
# Measures every row that can be measured and writes bench/results.json. Takes some minutes.
# Arguments go to the program: bench/run.sh --only A2
set -euo pipefail
cd "$(dirname "$0")/.."
cargo build --release --locked -p bulkhead-server -p bulkhead-bench
target=${CARGO_TARGET_DIR:-target}
exec "$target/release/bulkhead-bench" run --out bench/results.json "$@"
