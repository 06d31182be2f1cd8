#!/usr/bin/env bash
# Installs what lint and the tests need and this machine lacks.
#
# System packages are installed only by root on a machine with apt-get; otherwise the script
# says what to install and stops. Tools for cargo go to cargo's own bin folder.
set -euo pipefail

cache="${BULKHEAD_CACHE:-$HOME/.cache/bulkhead}"
packages=()

# need COMMAND PACKAGE: remember the package when the command is missing.
need() {
    if ! command -v "$1" >/dev/null 2>&1; then
        packages+=("$2")
    fi
}

need cc build-essential
need make make
need git git
need curl curl
need strace strace
need python3 python3
# Only root may make network namespaces; the tests that need them are skipped for others.
if [ "$(id -u)" -eq 0 ]; then
    need nft nftables
    need ip iproute2
fi
# Debian ships `venv` apart from Python itself.
if ! python3 -c 'import ensurepip, venv' >/dev/null 2>&1; then
    packages+=(python3 python3-venv)
fi

if [ "${#packages[@]}" -gt 0 ]; then
    if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null 2>&1; then
        echo "error: the tests need these packages: ${packages[*]}" >&2
        echo "install them, for example: sudo apt-get install ${packages[*]}" >&2
        exit 1
    fi
    echo "installing packages: ${packages[*]}"
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq
    apt-get install -y -qq --no-install-recommends "${packages[@]}"
fi

if ! command -v cargo >/dev/null 2>&1; then
    echo "error: cargo is missing; install Rust 1.95 or later (https://rustup.rs)" >&2
    exit 1
fi

for component in rustfmt clippy; do
    tool="${component/rustfmt/fmt}"
    if ! cargo "$tool" --version >/dev/null 2>&1; then
        if ! command -v rustup >/dev/null 2>&1; then
            echo "error: 'cargo $tool' is missing; install the Rust component $component" >&2
            exit 1
        fi
        rustup component add "$component"
    fi
done

if ! command -v cargo-deny >/dev/null 2>&1 && [ ! -x "${CARGO_HOME:-$HOME/.cargo}/bin/cargo-deny" ]
then
    echo "installing cargo-deny, which takes a few minutes once"
    CARGO_TARGET_DIR="$cache/tools" cargo install --quiet --locked cargo-deny
    rm -rf "$cache/tools"
fi
