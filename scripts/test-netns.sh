#!/usr/bin/env bash
# Sends real packets through rendered rulesets in network namespaces and compares what passes with the
# interpreter of the text and with the policy. Arguments go to cargo.
#
# Needs root, nft and ip; without them each test says in one line that it is skipped, and passes.
# BULKHEAD_REQUIRE_NETNS=1 makes that a failure. BULKHEAD_SEED repeats a run;
# BULKHEAD_KERNEL_POLICIES, BULKHEAD_KERNEL_PACKETS and BULKHEAD_KERNEL_WORLDS set its size.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# One namespace at a time: the tests are about verdicts, not about load.
exec cargo test --quiet "$@" --package bulkhead-fwrender --test agreement -- \
    --ignored --nocapture --test-threads 1
