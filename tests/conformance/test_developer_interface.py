"""The engine class and the generic object interface of the Developer Interface page."""

import illumio
import pytest
from illumio import IllumioApiException, IllumioException, Workload

from harness.api import unique

RULE_SERVICES = [{"port": 443, "proto": 6}]


def labels(pce, key, count):
    return [{"href": pce.labels.create({"key": key, "value": unique(f"L-{key}")}).href} for _ in range(count)]


def boundary(name):
    return {"name": name, "providers": [{"actors": "ams"}], "consumers": [{"actors": "ams"}], "ingress_services": RULE_SERVICES}


# attribute -> (body made from a unique name, member that a filter finds it by, update, check of the updated object)
OBJECTS = {
    "labels": (lambda pce, n: {"key": "role", "value": n}, "value", {"value": "{}-b"}, lambda o, n: o.value == n + "-b"),
    "label_groups": (lambda pce, n: {"name": n, "key": "env", "labels": labels(pce, "env", 1)}, "name",
                     {"description": "d"}, lambda o, n: o.description == "d" and len(o.labels) == 1),
    "ip_lists": (lambda pce, n: {"name": n, "ip_ranges": [{"from_ip": "10.1.0.0/16"}]}, "name",
                 {"description": "d"}, lambda o, n: o.description == "d" and o.ip_ranges[0].from_ip == "10.1.0.0/16"),
    "services": (lambda pce, n: {"name": n, "service_ports": [{"port": 8443, "proto": 6}]}, "name",
                 {"description": "d"}, lambda o, n: o.description == "d" and o.service_ports[0].port == 8443),
    "rule_sets": (lambda pce, n: {"name": n, "scopes": [[]]}, "name", {"enabled": False}, lambda o, n: o.enabled is False),
    "enforcement_boundaries": (lambda pce, n: boundary(n), "name", {"name": "{}-b"}, lambda o, n: o.name == n + "-b"),
    "virtual_services": (lambda pce, n: {"name": n, "apply_to": "host_only", "service_ports": RULE_SERVICES}, "name",
                         {"description": "d"}, lambda o, n: o.description == "d"),
    "workloads": (lambda pce, n: {"name": n, "hostname": n}, "name", {"public_ip": "127.0.0.1"},
                  lambda o, n: o.public_ip == "127.0.0.1"),
    "pairing_profiles": (lambda pce, n: {"name": n, "enabled": True}, "name", {"enabled": False}, lambda o, n: o.enabled is False),
    "container_clusters": (lambda pce, n: {"name": n}, "name", {"description": "d"}, lambda o, n: o.description == "d"),
    "security_principals": (lambda pce, n: {"name": n, "sid": f"S-1-5-21-{abs(hash(n)) % 10**9}-{abs(hash(n)) // 7 % 10**9}-500"},
                            "name", {"description": "d"}, lambda o, n: o.description == "d"),
}


@pytest.mark.parametrize("attribute", OBJECTS)
def test_object_interface(pce, attribute):
    make, key, change, changed = OBJECTS[attribute]
    objects = getattr(pce, attribute)
    name = unique("DI")
    created = objects.create(make(pce, name))
    assert getattr(created, key) == name
    assert objects.get_by_reference(created).href == created.href
    assert [o.href for o in objects.get(params={key: name})] == [created.href]
    assert created.href in [o.href for o in objects.get_all()]
    assert [o.href for o in objects.get_all(params={key: name})] == [created.href]
    assert [o.href for o in objects.get_async(params={key: name})] == [created.href]
    if key == "name":
        assert objects.get_by_name(name).href == created.href
        assert objects.get_by_name(name + "-absent") is None
    objects.update(created, {k: v.format(name) if isinstance(v, str) else v for k, v in change.items()})
    assert changed(objects.get_by_reference(created), name)
    objects.delete(created)
    if attribute in ("labels", "workloads"):
        assert objects.get_by_reference(created).deleted is True
    elif attribute != "security_principals":
        with pytest.raises(IllumioApiException, match="404"):
            objects.get_by_reference(created)
    assert created.href not in [o.href for o in objects.get(params={key: name})]


@pytest.mark.parametrize("attribute", ["ip_lists", "services", "label_groups", "rule_sets", "virtual_services", "enforcement_boundaries"])
def test_policy_version_selects_draft_or_active(pce, attribute):
    make, _, _, _ = OBJECTS[attribute]
    objects = getattr(pce, attribute)
    name = unique("PV")
    created = objects.create(make(pce, name))
    assert objects.get(policy_version="active", params={"name": name}) == []
    assert objects.get_by_name(name, policy_version="active") is None
    pce.provision_policy_changes("both sides", [created.href])
    active = objects.get_by_name(name, policy_version="active")
    assert active.href == created.href.replace("/draft/", "/active/")
    assert [o.href for o in objects.get_all(policy_version="active", params={"name": name})] == [active.href]
    assert [o.href for o in objects.get_async(policy_version="active", params={"name": name})] == [active.href]
    assert objects.get_by_reference(active).name == name


def test_policy_version_must_be_draft_or_active(pce):
    with pytest.raises(IllumioApiException, match="policy_version"):
        pce.ip_lists.get(policy_version="7")


def test_filters_of_the_usage_example(pce):
    found = pce.workloads.get(params={"managed": True, "enforcement_mode": "visibility_only"})
    assert found == [], "no agents exist yet, so no workload is managed"
    name = unique("filtered")
    pce.workloads.create({"name": name, "enforcement_mode": "visibility_only"})
    hits = pce.workloads.get(params={"managed": False, "enforcement_mode": "visibility_only", "name": name})
    assert [w.name for w in hits] == [name]
    assert pce.workloads.get(params={"managed": False, "enforcement_mode": "full", "name": name}) == []


def test_default_objects(pce):
    any_list = pce.get_default_ip_list()
    assert any_list.name == illumio.ANY_IP_LIST_NAME == "Any (0.0.0.0/0 and ::/0)"
    assert any_list.href == "/orgs/1/sec_policy/active/ip_lists/1"
    assert [r.from_ip for r in any_list.ip_ranges] == ["0.0.0.0/0", "::/0"]
    everything = pce.get_default_service()
    assert everything.name == illumio.ALL_SERVICES_NAME == "All Services"
    assert everything.href == "/orgs/1/sec_policy/active/services/1"
    assert pce.ip_lists.get_by_reference("/orgs/1/sec_policy/active/ip_lists/1").name == any_list.name


def test_large_collection_sync_all_and_async(pce):
    prefix = unique("many")
    results = pce.workloads.bulk_create([Workload(name=f"{prefix}-{i}", hostname=f"{prefix}-{i}") for i in range(520)])
    assert len(results) == 520 and not any(r["errors"] for r in results)
    assert len(pce.workloads.get(params={"name": prefix})) == 500
    assert len(pce.workloads.get_all(params={"name": prefix})) == 520
    assert len(pce.workloads.get_async(params={"name": prefix})) == 520
    assert len(pce.workloads.get(params={"name": prefix, "max_results": 7})) == 7
    assert pce.workloads.bulk_delete([r["href"] for r in results]) == []
    assert pce.workloads.get(params={"name": prefix}) == []


def test_manual_poll_of_an_asynchronous_collection(pce):
    accepted = pce.get("/labels", headers={"Prefer": "respond-async"})
    assert accepted.status_code == 202 and accepted.content == b""
    assert accepted.headers["Location"].startswith("/orgs/1/jobs/")
    assert int(accepted.headers["Retry-After"]) >= 0
    for _ in range(100):
        job = pce.get(accepted.headers["Location"]).json()
        if job["status"] == "done":
            break
        assert job["status"] in ("pending", "running"), job
    assert job["result"]["href"].startswith("/orgs/1/datafiles/")
    assert isinstance(pce.get(job["result"]["href"]).json(), list)


def test_workloads_bulk_create_update_delete(pce):
    names = [unique("bulk") for _ in range(3)]
    created = pce.workloads.bulk_create([Workload(name=n, hostname=n) for n in names])
    assert [sorted(r) for r in created] == [["errors", "href"]] * 3
    assert not any(r["errors"] for r in created)
    for result, name in zip(created, names):
        assert pce.workloads.get_by_reference(result["href"]).name == name, "answers come in request order"
    updated = pce.workloads.bulk_update([Workload(href=r["href"], enforcement_mode="selective") for r in created])
    assert [r["href"] for r in updated] == [r["href"] for r in created]
    assert not any(r["errors"] for r in updated)
    assert pce.workloads.get_by_reference(created[0]["href"]).enforcement_mode == "selective"
    assert pce.workloads.bulk_delete([created[0]["href"], {"href": created[1]["href"]}, Workload(href=created[2]["href"])]) == []
    assert pce.workloads.get_by_reference(created[0]["href"]).deleted is True


def test_workloads_bulk_update_reports_each_failure(pce):
    good = pce.workloads.create(Workload(name=unique("good")))
    absent = "/orgs/1/workloads/00000000-0000-4000-8000-000000000000"
    results = pce.workloads.bulk_update([Workload(href=good.href, description="d"), Workload(href=absent, description="d")])
    assert [r["href"] for r in results] == [good.href, absent]
    assert results[0]["errors"] == []
    assert results[1]["errors"][0]["token"] and results[1]["errors"][0]["message"]


def test_virtual_services_bulk_create_and_update(pce):
    names = [unique("VS-bulk") for _ in range(2)]
    created = pce.virtual_services.bulk_create(
        [illumio.VirtualService(name=n, apply_to="host_only", service_ports=[{"port": 80, "proto": 6}]) for n in names]
    )
    assert len(created) == 2 and not any(r["errors"] for r in created)
    updated = pce.virtual_services.bulk_update(
        [illumio.VirtualService(href=r["href"], description="changed") for r in created]
    )
    assert not any(r["errors"] for r in updated)
    assert pce.virtual_services.get_by_reference(created[1]["href"]).description == "changed"


def test_security_principals_bulk_create(pce):
    base = abs(hash(unique("sid"))) % 10**9
    people = [illumio.SecurityPrincipal(name=unique("SP"), sid=f"S-1-5-21-1-{base}-{i}") for i in range(3)]
    created = pce.security_principals.bulk_create(people)
    assert len(created) == 3 and not any(r["errors"] for r in created)
    for person in people:
        assert pce.security_principals.get_by_name(person.name).sid == person.sid


def test_errors_carry_status_token_and_message(pce):
    value = unique("R-Twice")
    pce.labels.create({"key": "role", "value": value})
    with pytest.raises(IllumioApiException) as caught:
        pce.labels.create({"key": "role", "value": value})
    assert "406" in str(caught.value)
    assert "label_key_and_value_must_be_unique: " in str(caught.value)
    with pytest.raises(IllumioApiException, match="input_validation_error"):
        pce.labels.create({"key": "role", "value": unique("x"), "colour": "red"})
    with pytest.raises(IllumioApiException, match="404"):
        pce.get("/no_such_collection")
    with pytest.raises(IllumioApiException):
        pce.labels.get_async(params={"max_results": "many"})


def test_invalid_provision_href_is_refused_by_the_client(pce):
    with pytest.raises(IllumioException, match="Invalid HREF"):
        pce.provision_policy_changes("bad", ["not-an-href"])


def test_provision_answer_of_the_usage_example(pce):
    rule_set = pce.rule_sets.create(illumio.RuleSet(name=unique("RS-RINGFENCE"), scopes=[]))
    version = pce.provision_policy_changes(change_description="Provision ring-fence rule set", hrefs=[rule_set.href])
    assert version.href == f"/orgs/1/sec_policy/{version.version}"
    assert version.commit_message == "Provision ring-fence rule set"
    assert version.workloads_affected == 0
    assert version.object_counts.rule_sets >= 1
    assert version.object_counts.services >= 1


@pytest.mark.parametrize("attribute", ["labels", "ip_lists", "services", "rule_sets", "workloads", "virtual_services"])
def test_external_data_pair(pce, attribute):
    make, _, _, _ = OBJECTS[attribute]
    objects = getattr(pce, attribute)
    pair = {"external_data_set": unique("set"), "external_data_reference": unique("ref")}
    created = objects.create({**make(pce, unique("EX")), **pair})
    assert (created.external_data_set, created.external_data_reference) == tuple(pair.values())
    assert [o.href for o in objects.get(params=pair)] == [created.href]
    assert objects.get(params={"external_data_set": pair["external_data_set"], "external_data_reference": "other"}) == []
    assert [o.href for o in objects.get_async(params={"external_data_set": pair["external_data_set"]})] == [created.href]


def test_set_timeout_and_proxies(pce):
    pce.set_timeout(5)
    assert pce.check_connection() is True
    pce.set_proxies(https_proxy="http://127.0.0.1:1")
    pce._session.trust_env = False
    assert pce.check_connection() is False
