"""Two organisations on one server see nothing of each other, by path, by href in a body, or by name."""

import json
import subprocess

import pytest

from harness.api import Api, ok, ref, refused, rule_body, unique
from harness.server import Server, binary


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """Apis of the owners of organisation 1 and of a second one that `org add` made."""
    root = tmp_path_factory.mktemp("two")
    server = Server(root).start()
    assert server.stop() == 0, server.log_tail()
    command = [str(binary()), "org", "add", "--data-dir", str(root / "data"), "--name", "Second", "--email", "second@example.com"]
    made = json.loads(subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout)
    server.start()
    second = {**server.boot, **made}
    assert second["org_id"] != server.boot["org_id"]
    yield Api(server.boot), Api(second)
    assert server.stop() == 0, server.log_tail()


@pytest.fixture(scope="module")
def theirs(pair):
    """One object of each kind in the second organisation."""
    _, api = pair
    rule_set = api.rule_set()
    return {
        "label": api.label("role"), "ip_list": api.ip_list(), "service": api.service(), "rule_set": rule_set, "rule": api.rule(rule_set),
        "label_group": api.create(f"{api.draft}/label_groups", {"name": unique("LG"), "key": "env"}),
        "workload": api.create(f"{api.org}/workloads", {"name": unique("w")}),
        "virtual_service": api.create(f"{api.draft}/virtual_services", {"name": unique("VS"), "service_ports": [{"proto": 6, "port": 1}]}),
        "pairing_profile": api.create(f"{api.org}/pairing_profiles", {"name": unique("PP"), "enabled": True}),
        "container_cluster": api.create(f"{api.org}/container_clusters", {"name": unique("CC")}),
    }


def test_the_second_organisation_has_its_built_in_objects(pair):
    _, second = pair
    assert second.read(f"{second.active}/ip_lists")[0]["name"] == "Any (0.0.0.0/0 and ::/0)"
    assert "All Services" in [s["name"] for s in second.read(f"{second.active}/services")]
    assert {"role", "app", "env", "loc"} <= {d["key"] for d in second.read(f"{second.org}/label_dimensions")}
    assert second.read("/users/login")["orgs"][0]["org_id"] == second.boot["org_id"]


def test_hrefs_of_the_other_organisation_are_closed(pair, theirs):
    first, second = pair
    for kind, thing in theirs.items():
        for method, body in (("GET", None), ("PUT", {"description": "taken"}), ("DELETE", None)):
            answer = first.request(method, thing["href"], json=body)
            assert answer.status_code in (403, 404), (kind, method, answer.status_code)
            refused(answer, answer.status_code)
        assert second.read(thing["href"]).get("description") != "taken"


def test_same_ids_under_the_own_organisation_are_not_the_others_objects(pair, theirs):
    first, second = pair
    for kind, thing in theirs.items():
        answer = first.get(thing["href"].replace(second.org + "/", first.org + "/", 1))
        if answer.status_code == 200:
            assert answer.json().get("name", answer.json().get("value")) != thing.get("name", thing.get("value")), kind


def test_collections_of_the_other_organisation_are_closed(pair):
    first, second = pair
    for collection in ("labels", "workloads", "events", "jobs", "api_keys", "optional_features", "settings", "sec_policy", "sec_policy/draft/ip_lists", "sec_policy/pending"):
        answer = first.get(f"{second.org}/{collection}")
        assert answer.status_code in (403, 404), (collection, answer.status_code)
    assert first.post(f"{second.org}/labels", {"key": "role", "value": "x"}).status_code in (403, 404)


def test_hrefs_of_the_other_organisation_in_bodies(pair, theirs):
    first, _ = pair
    rule_set = first.rule_set()
    bodies = [
        (f"{first.org}/workloads", {"name": unique("w"), "labels": [ref(theirs["label"])]}),
        (f"{first.draft}/rule_sets", {"name": unique("r"), "scopes": [[{"label": ref(theirs["label"])}]]}),
        (f"{first.draft}/rule_sets", {"name": unique("r"), "scopes": [[{"label_group": ref(theirs["label_group"])}]]}),
        (f"{first.draft}/label_groups", {"name": unique("g"), "key": "role", "labels": [ref(theirs["label"])]}),
        (f"{first.draft}/virtual_services", {"name": unique("v"), "service": ref(theirs["service"])}),
        (f"{rule_set['href']}/sec_rules", rule_body(ingress_services=[ref(theirs["service"])])),
        (f"{first.org}/sec_policy", {"change_subset": {"ip_lists": [ref(theirs["ip_list"])]}}),
    ]
    for actor in ("label", "label_group", "workload", "ip_list", "virtual_service"):
        bodies.append((f"{rule_set['href']}/sec_rules", rule_body(consumers=[{actor: ref(theirs[actor])}])))
    for path, body in bodies:
        refused(first.post(path, body))
    assert first.read(f"{rule_set['href']}/sec_rules") == []
    answer = ok(first.put(f"{first.org}/workloads/bulk_delete", [ref(theirs["workload"])]), 200).json()
    assert answer and answer[0]["errors"]


def test_names_repeat_across_organisations(pair):
    first, second = pair
    name = unique("same")
    assert first.ip_list(name)["name"] == second.ip_list(name)["name"]
    first.label("app", name)
    second.label("app", name)


def test_lists_and_events_do_not_mix(pair, theirs):
    first, second = pair
    assert theirs["label"]["href"] not in [label["href"] for label in first.read(f"{first.org}/labels", max_results=10000)]
    events = first.read(f"{first.org}/events", max_results=1000)
    for event in events:
        # The refusal of a foreign href repeats what the caller itself sent.
        (event["action"] or {}).pop("errors", None)
    assert events and second.org + "/" not in json.dumps(events)
    assert first.read(f"{first.org}/sec_policy/pending").get("pairing_profiles") is None
    assert second.org + "/" not in first.get(f"{first.org}/sec_policy/pending").text
