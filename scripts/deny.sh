#!/usr/bin/env bash
# Licences, duplicate versions, sources and known vulnerabilities of the dependencies.
#
# The first three need nothing from outside. The advisory database has to be fetched; where that
# is not possible an earlier copy is used, and without one the script says so and passes.
set -euo pipefail

# Exceptions for crates that only some builds contain would be warned of in the others.
cargo deny --log-level error check licenses bans sources

if timeout 120 cargo deny fetch db >/dev/null 2>&1; then
    cargo deny --log-level error check advisories
elif cargo deny --offline check advisories >/dev/null 2>&1; then
    echo "advisories: the database cannot be reached; an earlier copy knows of none"
else
    output="$(cargo deny --offline check advisories 2>&1 || true)"
    if grep -q 'advisories FAILED' <<<"$output"; then
        echo "$output" >&2
        exit 1
    fi
    echo "advisories: NOT CHECKED, the database cannot be reached and there is no earlier copy"
fi
