#!/usr/bin/env bash
# Runs the Rust tests, with cargo-nextest where it is installed. Arguments go to cargo.
set -euo pipefail

if cargo nextest --version >/dev/null 2>&1; then
    exec cargo nextest run --workspace --no-fail-fast "$@"
fi
echo "cargo-nextest is not installed; using cargo test"
exec cargo test --workspace --lib --bins --tests --no-fail-fast "$@"
