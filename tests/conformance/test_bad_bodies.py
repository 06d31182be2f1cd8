"""Bodies that must be refused with the product's status and token, and change nothing."""

import pytest

from harness.api import ok, ref, refused, rule_body, unique

ABSENT = "00000000-0000-4000-8000-000000000000"
LONG = "x" * 300
RULE_SERVICES = [{"proto": 6, "port": 1}]
PORTS = [{"port": 1, "proto": 6}]


@pytest.fixture(scope="module")
def world(api):
    """One object of each kind to refer to."""
    rule_set = api.rule_set()
    return {
        "label": api.label("role")["href"], "env": api.label("env")["href"], "ip_list": api.ip_list()["href"],
        "service": api.service()["href"], "rule_set": rule_set["href"], "rule": api.rule(rule_set)["href"],
        "label_group": api.create(f"{api.draft}/label_groups", {"name": unique("LG"), "key": "env"})["href"],
        "workload": api.create(f"{api.org}/workloads", {"name": unique("w")})["href"],
    }


def count(api, path):
    return int(api.get(path, max_results=0).headers["X-Total-Count"])


def post_is_refused(api, collection, body, token=None):
    before = count(api, collection)
    tokens = refused(api.post(collection, body), token=token)
    assert count(api, collection) == before, "a refused body must not create anything"
    return tokens


CLOSED = {
    "labels": {"key": "role", "value": "v"},
    "workloads": {"name": "w"},
    "label_dimensions": {"key": "k", "display_name": "K"},
    "pairing_profiles": {"enabled": True, "name": "p"},
    "container_clusters": {"name": "c"},
    "security_principals": {"sid": "S-1-1", "name": "s"},
    "sec_policy/draft/ip_lists": {"name": "i"},
    "sec_policy/draft/services": {"name": "s", "service_ports": PORTS},
    "sec_policy/draft/rule_sets": {"name": "r", "scopes": [[]]},
    "sec_policy/draft/label_groups": {"name": "g", "key": "env"},
    "sec_policy/draft/virtual_services": {"name": "v", "service_ports": PORTS, "apply_to": "host_only"},
    "sec_policy/draft/enforcement_boundaries": {
        "name": "b", "providers": [{"actors": "ams"}], "consumers": [{"actors": "ams"}], "ingress_services": RULE_SERVICES,
    },
}


@pytest.mark.parametrize("extra", ["colour", "href", "created_at", "caps", "id"])
@pytest.mark.parametrize("collection", CLOSED)
def test_closed_bodies(api, collection, extra):
    post_is_refused(api, f"{api.org}/{collection}", {**CLOSED[collection], extra: "x"}, "input_validation_error")


@pytest.mark.parametrize("body", [None, [], "text", 7, True, [[]]], ids=repr)
@pytest.mark.parametrize("collection", CLOSED)
def test_body_is_not_an_object(api, collection, body):
    post_is_refused(api, f"{api.org}/{collection}", body)


@pytest.mark.parametrize("value", [7, True, [], {}, None, 1.5], ids=repr)
@pytest.mark.parametrize("collection", CLOSED)
def test_wrong_type_of_the_first_member(api, collection, value):
    good = CLOSED[collection]
    first = next(iter(good))
    if isinstance(good[first], type(value)):
        pytest.skip("this value has the right type")
    if collection == "workloads" and value is None:
        pytest.skip("a workload's name may be null beside a host name")
    post_is_refused(api, f"{api.org}/{collection}", {**good, first: value})


@pytest.mark.parametrize("collection", [c for c in CLOSED if "name" in CLOSED[c]])
@pytest.mark.parametrize("name", [LONG, "a\u0000b"], ids=["300 characters", "NUL"])
def test_bad_names(api, collection, name):
    post_is_refused(api, f"{api.org}/{collection}", {**CLOSED[collection], "name": name})


@pytest.mark.parametrize("value", [LONG, "a\u0000b"], ids=["300 characters", "NUL"])
def test_bad_label_values(api, value):
    post_is_refused(api, f"{api.org}/labels", {"key": "role", "value": value})


def test_255_characters_are_fine(api):
    name = unique("n").ljust(255, "é")
    assert api.rule_set(name)["name"] == name


HREFS = [
    "", "x", "/", "labels/1", "/orgs/1/labels", "/orgs/1/labels/", "/orgs/1/labels/0", "/orgs/1/labels/-1", "/orgs/1/labels/1x",
    "/orgs/1/labels/99999999", "/orgs/1/labels/99999999999999999999999999", "/orgs/1/labels/../labels/1", "/orgs/2/labels/1",
    "/orgs/999999999999999999999/labels/1", "/api/v2/orgs/1/labels/1", "https://pce/api/v2/orgs/1/labels/1", "/orgs/1/labels/1?x=1",
    "/orgs/1/labels/1\u0000", f"/orgs/1/workloads/{ABSENT}", "/orgs/1/sec_policy/draft/ip_lists/1", "/users/1", "/orgs/1/labels/" + "9" * 5000,
]


@pytest.mark.parametrize("href", HREFS, ids=lambda h: h[:40] or "empty")
def test_bad_label_hrefs(api, world, href):
    bad = {"href": href}
    post_is_refused(api, f"{api.org}/workloads", {"name": unique("w"), "labels": [bad]})
    post_is_refused(api, f"{api.draft}/rule_sets", {"name": unique("r"), "scopes": [[{"label": bad}]]})
    post_is_refused(api, f"{api.draft}/label_groups", {"name": unique("g"), "key": "role", "labels": [bad]})
    post_is_refused(api, f"{world['rule_set']}/sec_rules", rule_body(providers=[{"label": bad}]))


@pytest.mark.parametrize("member,right", [
    ("label", "label"), ("label_group", "label_group"), ("workload", "workload"), ("ip_list", "ip_list"), ("virtual_service", None), ("virtual_server", None),
])
def test_actor_of_another_kind(api, world, member, right):
    for kind, href in world.items():
        answer = api.post(f"{world['rule_set']}/sec_rules", rule_body(providers=[{member: {"href": href}}]))
        accepted = kind == right or (member, kind) == ("label", "env")
        if accepted:
            ok(answer, 201)
        else:
            refused(answer)


@pytest.mark.parametrize("actor", [
    {}, {"actors": "everyone"}, {"actors": "ams", "label": {"href": "/orgs/1/labels/1"}}, {"label": "/orgs/1/labels/1"}, {"label": {}},
    {"label": {"href": None}}, {"colour": {"href": "/orgs/1/labels/1"}}, {"actors": None}, {"actors": ["ams"]}, "ams", None, [],
], ids=repr)
def test_bad_actors(api, world, actor):
    for side in ("providers", "consumers"):
        post_is_refused(api, f"{world['rule_set']}/sec_rules", rule_body(**{side: [actor]}))


def test_container_host_is_a_consumer_only(api, world):
    refused(api.post(f"{world['rule_set']}/sec_rules", rule_body(providers=[{"actors": "container_host"}])))


@pytest.mark.parametrize("services", [
    [{"proto": 6, "port": -1}], [{"proto": 6, "port": 65536}], [{"proto": 6, "port": 9, "to_port": 8}], [{"proto": 6, "to_port": 8}], [{"proto": 1}],
    [{"proto": "tcp", "port": 1}], [{"port": 1}], [{"proto": 6, "port": 1.5}], [{"proto": 6, "port": "1"}], [{}], [None], ["all"], [{"href": ""}],
    [{"href": "/orgs/1/labels/1"}], [{"href": "/orgs/2/sec_policy/draft/services/1"}], [{"href": "/orgs/1/sec_policy/draft/services/1", "proto": 6}], {}, None,
], ids=repr)
def test_bad_ingress_services(api, world, services):
    body = {**rule_body(), "ingress_services": services}
    post_is_refused(api, f"{world['rule_set']}/sec_rules", body)


@pytest.mark.parametrize("resolve", [
    {}, {"providers": ["workloads"]}, {"providers": [], "consumers": ["workloads"]}, {"providers": ["hosts"], "consumers": ["workloads"]},
    {"providers": "workloads", "consumers": ["workloads"]}, {"providers": ["workloads"], "consumers": ["workloads"], "x": []}, [], None,
], ids=repr)
def test_bad_label_resolution(api, world, resolve):
    post_is_refused(api, f"{world['rule_set']}/sec_rules", {**rule_body(), "resolve_labels_as": resolve})


@pytest.mark.parametrize("ranges", [
    [{"from_ip": ""}], [{"from_ip": "10.0.0.256"}], [{"from_ip": "10.0.0.0/33"}], [{"from_ip": "fe80::/129"}], [{"from_ip": "10.0.0.9", "to_ip": "10.0.0.1"}],
    [{"from_ip": "10.0.0.0/8", "to_ip": "10.0.0.9"}], [{"from_ip": "10.0.0.1", "to_ip": "fe80::1"}], [{"to_ip": "10.0.0.1"}], [{"from_ip": 10}], [{}], [None],
    [{"from_ip": "10.0.0.1", "exclusion": "no"}], [{"from_ip": "010.0.0.1"}], [{"from_ip": "10.0.0.1 "}], [{"from_ip": "0x0a000001"}], {}, "10.0.0.0/8",
], ids=repr)
def test_bad_ip_ranges(api, ranges):
    post_is_refused(api, f"{api.draft}/ip_lists", {"name": unique("i"), "ip_ranges": ranges})


@pytest.mark.parametrize("collection,member,value", [
    ("workloads", "enforcement_mode", "blocking"), ("workloads", "public_ip", "not-an-address"), ("workloads", "interfaces", [{"name": "e", "link_state": "sideways"}]),
    ("workloads", "interfaces", [{"name": "e", "address": "300.1.1.1"}]), ("workloads", "online", "yes"), ("pairing_profiles", "enforcement_mode", "x"),
    ("pairing_profiles", "visibility_level", "flows_summary"), ("pairing_profiles", "allowed_uses_per_key", 0), ("pairing_profiles", "key_lifespan", "forever"),
    ("labels", "key", "no-such-dimension"), ("sec_policy/draft/label_groups", "key", "no-such-dimension"), ("sec_policy/draft/virtual_services", "apply_to", "everywhere"),
    ("sec_policy/draft/virtual_services", "ip_overrides", ["x"]), ("sec_policy/draft/services", "service_ports", []), ("sec_policy/draft/services", "service_ports", [{"proto": 300}]),
    ("sec_policy/draft/services", "service_ports", [{"proto": 1, "icmp_type": 256}]), ("sec_policy/draft/enforcement_boundaries", "providers", []),
    ("sec_policy/draft/rule_sets", "scopes", [{}]), ("sec_policy/draft/rule_sets", "scopes", None), ("sec_policy/draft/ip_lists", "fqdns", [{"fqdn": ""}]),
])
def test_bad_member_values(api, collection, member, value):
    post_is_refused(api, f"{api.org}/{collection}", {**CLOSED[collection], member: value})


@pytest.mark.parametrize("collection", [
    "labels", "workloads", "sec_policy/draft/ip_lists", "sec_policy/draft/services", "sec_policy/draft/rule_sets",
    "sec_policy/draft/virtual_services", "sec_policy/draft/label_groups",
])
def test_half_and_repeated_external_pairs(api, collection):
    path = f"{api.org}/{collection}"

    def body(**more):
        name = "value" if collection == "labels" else "name"
        return {**CLOSED[collection], name: unique("ex"), **more}

    post_is_refused(api, path, body(external_data_set="only"))
    post_is_refused(api, path, body(external_data_reference="only"))
    pair = {"external_data_set": unique("set"), "external_data_reference": "r"}
    made = api.create(path, body(**pair))
    post_is_refused(api, path, body(**pair))
    other = api.create(path, body())
    refused(api.put(other["href"], pair))
    refused(api.put(other["href"], {"external_data_set": "only"}))
    api.update(made["href"], pair)


def test_two_labels_of_one_key_on_a_workload(api):
    pair = [ref(api.label("role")) for _ in range(2)]
    post_is_refused(api, f"{api.org}/workloads", {"name": unique("w"), "labels": pair})
    workload = api.create(f"{api.org}/workloads", {"name": unique("w"), "labels": pair[:1]})
    refused(api.put(workload["href"], {"labels": pair}))
    assert [label["href"] for label in api.read(workload["href"])["labels"]] == [pair[0]["href"]]


def test_workload_needs_a_name_or_host_name(api):
    post_is_refused(api, f"{api.org}/workloads", {})
    post_is_refused(api, f"{api.org}/workloads", {"description": "nameless"})


@pytest.mark.parametrize("subset", [
    {}, {"rule_sets": []}, {"colours": []}, {"labels": [{"href": "/orgs/1/labels/1"}]}, {"rule_sets": [{"href": "/orgs/1/sec_policy/active/rule_sets/1"}]},
    {"rule_sets": [{"href": "/orgs/2/sec_policy/draft/rule_sets/1"}]}, {"rule_sets": [{"href": "/orgs/1/sec_policy/draft/ip_lists/1"}]},
    {"rule_sets": [{"href": "/orgs/1/sec_policy/draft/rule_sets/99999999"}]}, {"rule_sets": {"href": "x"}}, {"rule_sets": [{}]}, {"rule_sets": ["x"]}, [], "all",
], ids=repr)
def test_bad_change_subset(api, subset):
    api.rule_set()
    versions = count(api, f"{api.org}/sec_policy")
    refused(api.post(f"{api.org}/sec_policy", {"change_subset": subset}))
    refused(api.put(f"{api.org}/sec_policy/delete", {"change_subset": subset}))
    assert count(api, f"{api.org}/sec_policy") == versions


def test_provisioning_the_same_change_twice(api):
    rule_set = api.rule_set()
    api.provision(rule_set["href"])
    refused(api.post(f"{api.org}/sec_policy", {"change_subset": {"rule_sets": [ref(rule_set)]}}))


@pytest.mark.parametrize("method", ["bulk_create", "bulk_update", "bulk_delete"])
def test_bulk_limits(api, method):
    path = f"{api.org}/workloads/{method}"
    item = {"bulk_create": {"name": "w"}}.get(method, {"href": f"{api.org}/workloads/{ABSENT}"})
    refused(api.put(path, [item] * 1001))
    refused(api.put(path, {"workloads": [item]}))
    refused(api.put(path, ["x"]))


def test_bulk_create_with_one_bad_item(api):
    names = [unique("w") for _ in range(5)]
    body = [{"name": n} for n in names]
    body[2]["labels"] = [{"href": "/orgs/1/labels/99999999"}]
    answer = ok(api.put(f"{api.org}/workloads/bulk_create", body), 200).json()
    assert [item["status"] == "created" for item in answer] == [True, True, False, True, True]
    assert answer[2]["token"] and answer[2]["message"]
    assert api.read(f"{api.org}/workloads", name=names[2]) == []


def test_update_of_read_only_and_unknown_members(api, world):
    for href in world.values():
        for body in ({"colour": "red"}, {"created_at": "2020-01-01T00:00:00Z"}, {"href": href, "caps": []}):
            refused(api.put(href, body))


def test_key_of_a_label_is_fixed(api):
    label = api.label("role")
    refused(api.put(label["href"], {"key": "app"}))


def test_built_in_objects_are_protected(api):
    for href in (f"{api.draft}/ip_lists/1", f"{api.draft}/services/1"):
        refused(api.delete(href))
        refused(api.put(href, {"name": "mine"}))
