#!/usr/bin/env bash
# Runs the client conformance suite against a real server: run.sh [part ...]
# Parts: illumio open pylo api schemathesis answers (all, in this order, when none is named).
# BULKHEAD_PCE names the server binary; else the newest bulkhead-pce of the target directory is taken.
# Exit status: 0 when every part passed.
set -u
cd "$(dirname "$0")" || exit 2

venvs="${BULKHEAD_VENVS:-$HOME/.cache/bulkhead-venv}"
# One directory of recordings over all parts of a run: `answers` judges what the others left there.
export BULKHEAD_RECORD_DIR="${BULKHEAD_RECORD_DIR:-$(mktemp -d)}"
export PYTHONDONTWRITEBYTECODE=1

# Prints the interpreter of the environment for a requirements file; makes it when the file has changed.
venv() {
    local name=$1 file="requirements/$1.txt" home="$venvs/$1" stamp
    stamp=$(sha256sum <"$file" | cut -d' ' -f1)
    if [ "$(cat "$home/.stamp" 2>/dev/null)" != "$stamp" ]; then
        rm -rf "$home" && python3 -m venv "$home" \
            && "$home/bin/pip" install --quiet --disable-pip-version-check -r "$file" >&2 \
            && echo "$stamp" >"$home/.stamp" || return 1
    fi
    echo "$home/bin/python"
}

client="test_quickstart.py test_developer_interface.py test_developer_objects.py test_nano_segmentation.py test_ring_fencing.py"
raw="test_session_credentials.py test_rules_page.py test_optional_features.py test_policy_names_and_references.py
     test_policy_lifecycle.py test_policy_validation.py test_policy_objects.py test_bad_bodies.py test_bad_requests.py test_two_organisations.py"
failed=""

part() {
    local name=$1 environment=$2 python start=$SECONDS
    shift 2
    echo "=== conformance: $name ($*)"
    if python=$(venv "$environment") && BULKHEAD_PART="$name" "$python" -m pytest -q --durations=5 "$@"; then
        echo "=== conformance: $name passed in $((SECONDS - start)) s"
    else
        echo "=== conformance: $name FAILED after $((SECONDS - start)) s"
        failed="$failed $name"
    fi
}

[ $# -gt 0 ] || set -- illumio open pylo api schemathesis answers
for name in "$@"; do
    # shellcheck disable=SC2086 # the file lists are meant to be split
    case $name in
        illumio) part illumio illumio $client ;;
        open) part open open $client test_open_registered_apis.py ;;
        pylo) part pylo pylo test_pylo.py ;;
        api) part api tools $raw ;;
        schemathesis) part schemathesis tools test_openapi_schemathesis.py -s ;;
        answers) part answers tools test_schema_answers.py -s ;;
        *) echo "unknown part: $name" >&2; exit 2 ;;
    esac
done
if [ -n "$failed" ]; then
    echo "=== conformance: FAILED:$failed (recordings in $BULKHEAD_RECORD_DIR)"
    exit 1
fi
echo "=== conformance: all parts passed"
