"""Schemathesis against the OpenAPI document of the running server: no 5xx, and every answer fits its own schema."""

import os
import pathlib
import random
import subprocess
import sys

from harness.api import Api, ok

MAX_TIME_S = int(os.environ.get("BULKHEAD_SCHEMATHESIS_S", "180"))
MAX_EXAMPLES = os.environ.get("BULKHEAD_SCHEMATHESIS_EXAMPLES", "15")
# Calls that would take away the credentials the run itself uses, or slow it down by hashing passwords.
EXCLUDED = r"/(logout|local_profile.*|login|authenticate|password|api_keys/\{[^}]*\}|users/\{[^}]*\})$"


def test_openapi_document(api):
    document = ok(api.get("/openapi.json"), 200).json()
    assert document["openapi"].startswith("3.1")
    assert document["paths"]


def test_schemathesis(server, boot, tmp_path):
    seed = os.environ.get("BULKHEAD_SEED") or str(random.randrange(2**31))
    print(f"schemathesis seed {seed} (repeat with BULKHEAD_SEED={seed})")
    base = boot["https_url"].rstrip("/")
    command = [
        str(pathlib.Path(sys.executable).parent / "schemathesis"), "run", f"{base}/api/v2/openapi.json",
        "--auth", f"{boot['api_key']}:{boot['api_secret']}", "--tls-verify", boot["ca_file"],
        "--checks", "not_a_server_error,response_schema_conformance,content_type_conformance",
        "--phases", "examples,coverage,fuzzing", "--max-examples", MAX_EXAMPLES, "--max-time", str(MAX_TIME_S),
        "--exclude-path-regex", EXCLUDED, "--seed", seed, "--continue-on-failure", "--no-color", "--request-timeout", "30",
        "--suppress-health-check", "all", "--warnings", "off", "--workers", "1",
    ]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=MAX_TIME_S + 300, check=False)
    tail = "\n".join(run.stdout.splitlines()[-120:])
    print("\n".join(run.stdout.splitlines()[-25:]))
    assert run.returncode == 0, f"seed {seed}\n{tail}\n{run.stderr[-2000:]}"
    assert server.alive(), server.log_tail()
    ok(Api(boot).get("/health"), 200)
