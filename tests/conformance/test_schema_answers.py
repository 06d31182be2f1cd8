"""Judges the recorded answers of the other parts by the vendor's published schemas of 26.3.0.

The schemas are not part of this repository: without them (see harness/schemas.py) everything here is skipped.
Accepted differences stand in deviations.json with the client that needs them.
"""

import collections
import json
import os
import pathlib
import re

import pytest

from harness import schemas
from harness.api import ok

ROOT = schemas.directory()
pytestmark = pytest.mark.skipif(ROOT is None, reason="no published schemas: set BULKHEAD_SHARED to the directory that holds schemas/26.3.0")
HERE = pathlib.Path(__file__).parent


@pytest.fixture(scope="module")
def catalogue():
    return schemas.Catalogue(ROOT)


def exchanges():
    """Successful recorded exchanges with a JSON body."""
    directory = os.environ.get("BULKHEAD_RECORD_DIR")
    files = sorted(pathlib.Path(directory).glob("*.jsonl")) if directory else []
    if not files:
        pytest.skip("no recording: run.sh makes one (BULKHEAD_RECORD_DIR)")
    for file in files:
        with file.open() as lines:
            for line in lines:
                exchange = json.loads(line)
                if exchange["status"] in (200, 201) and exchange["body"] is not None:
                    yield exchange


def deviations():
    return {(d["schema"], d["path"], d["rule"]): d for d in json.loads((HERE / "deviations.json").read_text())}


@pytest.fixture(scope="module")
def judged(catalogue):
    """{(schema, path, rule): [count, first message, first test]} over all recorded answers, and what was covered."""
    found, covered = {}, collections.Counter()
    for exchange in exchanges():
        path = re.sub(r"//+", "/", exchange["path"]).rstrip("/").removeprefix("/api/v2").removeprefix("/api/v1")
        template = catalogue.template(exchange["method"], path)
        name = template and catalogue.answer_schema(exchange["method"], template)
        if not name:
            continue
        covered[(exchange["method"], template)] += 1
        for place, rule, message in catalogue.errors(name, exchange["body"]):
            entry = found.setdefault((name, place, rule), [0, message, f"{exchange['method']} {exchange['path']} ({exchange['test']})"])
            entry[0] += 1
    return found, covered


def test_every_answer_validates(judged):
    found, covered = judged
    accepted = deviations()
    print(f"{sum(covered.values())} answers of {len(covered)} operations judged")
    for key in sorted(set(found) & set(accepted)):
        print(f"accepted: {key} x{found[key][0]}, needed by {accepted[key]['client']}: {accepted[key]['reason']}")
    wrong = [f"{schema} at {place}: {rule} x{found[schema, place, rule][0]}: {found[schema, place, rule][1]}\n    {found[schema, place, rule][2]}"
             for schema, place, rule in sorted(set(found) - set(accepted))]
    assert not wrong, "answers break the published schemas:\n" + "\n".join(wrong)


def test_the_recording_covers_the_objects(judged):
    _, covered = judged
    wanted = ["labels", "workloads", "pairing_profiles", "container_clusters", "events", "security_principals", "sec_policy/{}/ip_lists",
              "sec_policy/{}/services", "sec_policy/{}/rule_sets", "sec_policy/{}/label_groups", "sec_policy/{}/virtual_services", "sec_policy/{}/enforcement_boundaries"]
    for path in wanted:
        assert covered[("GET", f"/orgs/{{}}/{path}")], f"no recorded answer of GET {path}"
        assert path in ("events",) or covered[("POST", f"/orgs/{{}}/{path}")], f"no recorded answer of POST {path}"


def test_every_deviation_names_its_client():
    for deviation in deviations().values():
        assert deviation["client"] and deviation["reason"]


def test_request_members_of_the_schemas_are_known(api, catalogue):
    """Each member that a published request schema allows appears in ours, for every operation that is built."""
    document = ok(api.get("/openapi.json"), 200).json()
    missing = []
    for path, methods in document["paths"].items():
        template = re.sub(r"\{[^}]*\}", "{}", path.removeprefix("/api/v2"))
        for method, operation in methods.items():
            name = catalogue.operations.get((method.upper(), template))
            content = operation.get("requestBody", {}).get("content", {}).get("application/json") if isinstance(operation, dict) else None
            if method in ("post", "put") and name and content and (ROOT / "v2" / f"{name}.schema.json").exists():
                lacking = schemas.members(catalogue, name, document, content["schema"])
                if lacking:
                    missing.append(f"{method.upper()} {template} ({name}): {sorted(lacking)}")
    assert not missing, "members of the published request schemas that ours lack:\n" + "\n".join(missing)
