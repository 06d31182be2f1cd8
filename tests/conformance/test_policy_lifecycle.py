"""Policy behaviour cases P14 to P24, P39, P42, P43 and P50: draft, active, pending, provisioning, restore."""

from harness.api import ok, ref, refused, subset, unique


def active(thing):
    return thing["href"].replace("/draft/", "/active/")


def pending(api):
    return api.read(f"{api.org}/sec_policy/pending")


def provisioned_then_deleted(api):
    """An IP list in both sides whose draft is marked for deletion."""
    made = api.ip_list()
    api.provision(made["href"])
    api.remove(made["href"])
    return made


def rule_set_with_new_ip_list(api):
    new_list = api.ip_list()
    rule_set = api.rule_set()
    api.rule(rule_set, consumers=[{"ip_list": ref(new_list)}])
    return rule_set, new_list


def test_p14_unprovisioned_object_vanishes_on_delete(api):
    made = api.ip_list()
    assert made["update_type"] == "create"
    api.remove(made["href"])
    refused(api.get(made["href"]), 404)
    assert made["href"] not in str(pending(api))


def test_p15_deleting_a_provisioned_object_only_marks_the_draft(api):
    made = provisioned_then_deleted(api)
    draft = api.read(made["href"])
    assert draft["update_type"] == "delete"
    assert api.read(active(made))["update_type"] is None
    assert made["href"] in [item["href"] for item in api.read(f"{api.draft}/ip_lists", name=made["name"])]
    entries = pending(api)["ip_lists"]
    assert [e["update_type"] for e in entries if e["href"] == made["href"]] == ["delete"]


def test_p16_put_does_not_cancel_a_pending_deletion(api):
    made = provisioned_then_deleted(api)
    api.update(made["href"], {"name": made["name"], "ip_ranges": [{"from_ip": "10.0.0.0/8"}]})
    assert api.read(made["href"])["update_type"] == "delete"


def test_p17_provisioning_a_deletion_removes_both_sides(api):
    made = provisioned_then_deleted(api)
    api.provision(made["href"])
    refused(api.get(made["href"]), 404)
    refused(api.get(active(made)), 404)


def test_p18_nothing_pending(api):
    ok(api.delete(f"{api.org}/sec_policy/pending"), 204)
    assert pending(api) == {}
    refused(api.post(f"{api.org}/sec_policy", {"update_description": "nothing"}))


def test_p19_pending_names_the_edited_rule_set(api):
    rule_set = api.rule_set()
    api.provision(rule_set["href"])
    api.update(rule_set["href"], {"description": "edited"})
    entry = next(e for e in pending(api)["rule_sets"] if e["href"] == rule_set["href"])
    assert (entry["name"], entry["update_type"]) == (rule_set["name"], "update")
    assert entry["updated_at"] and entry["updated_by"]["href"].startswith("/users/")


def test_p20_editing_a_rule_marks_the_rule_and_its_rule_set(api):
    rule_set = api.rule_set()
    rule = api.rule(rule_set)
    api.provision(rule_set["href"])
    assert api.read(rule["href"])["update_type"] is None
    api.update(rule["href"], {"description": "edited"})
    assert api.read(rule["href"])["update_type"] == "update"
    assert api.read(rule_set["href"])["update_type"] == "update"
    assert not api.read(active(rule)).get("description")


def test_p21_a_subset_leaves_the_rest_pending(api):
    ip_list, rule_set = api.ip_list(), api.rule_set()
    version = api.provision(ip_list["href"], note="only the list")
    for member in ("href", "version", "commit_message", "created_at", "created_by", "object_counts", "workloads_affected"):
        assert member in version
    assert version["commit_message"] == "only the list"
    assert version["href"] == f"{api.org}/sec_policy/{version['version']}"
    assert api.read(version["href"])["version"] == version["version"]
    assert api.read(f"{api.org}/sec_policy", max_results=1)[0]["version"] == version["version"], "newest first"
    assert rule_set["href"] in [e["href"] for e in pending(api)["rule_sets"]]
    refused(api.get(active(rule_set)), 404)
    following = api.provision(rule_set["href"])
    assert following["version"] == version["version"] + 1
    refused(api.get(f"{api.org}/sec_policy/{version['version']}/rule_sets/{rule_set['href'].rsplit('/', 1)[1]}"), 404)


def test_p22_a_subset_must_be_closed(api):
    rule_set, new_list = rule_set_with_new_ip_list(api)
    refused(api.post(f"{api.org}/sec_policy", {"change_subset": subset(rule_set["href"])}), saying=new_list["href"])
    refused(api.get(active(rule_set)), 404)
    api.provision(rule_set["href"], new_list["href"])
    assert api.read(active(rule_set))["rules"]


def test_p23_dependencies_of_a_subset(api):
    rule_set, new_list = rule_set_with_new_ip_list(api)
    body = {"operation": "commit", "change_subset": subset(rule_set["href"])}
    answer = api.post(f"{api.draft}/dependencies", body)
    assert answer.status_code in (200, 201), answer.text
    entries = answer.json()
    assert [e["dependency"]["ip_lists"]["href"] for e in entries] == [new_list["href"]]
    assert entries[0]["required_by"]["rule_sets"][0]["href"] == rule_set["href"]
    closed = {"operation": "commit", "change_subset": subset(rule_set["href"], new_list["href"])}
    assert api.post(f"{api.draft}/dependencies", closed).json() == []


def test_p24_restore_makes_the_difference_pending(api):
    made = api.ip_list(description="first")
    first = api.provision(made["href"])
    api.update(made["href"], {"description": "second"})
    later = api.ip_list()
    api.provision(made["href"], later["href"])
    ok(api.delete(f"{api.org}/sec_policy/pending"), 204)
    ok(api.post(f"{first['href']}/restore", {}), 201)
    assert api.read(made["href"])["description"] == "first"
    assert api.read(made["href"])["update_type"] == "update"
    assert api.read(active(made))["description"] == "second", "active changes only by provisioning"
    assert api.read(later["href"])["update_type"] == "delete"
    api.provision(made["href"], later["href"])
    assert api.read(active(made))["description"] == "first"
    refused(api.get(later["href"]), 404)


def test_old_version_still_answers(api):
    made = api.ip_list(description="old")
    version = api.provision(made["href"])
    api.update(made["href"], {"description": "new"})
    api.provision(made["href"])
    numbered = made["href"].replace("/draft/", f"/{version['version']}/")
    assert api.read(numbered)["description"] == "old"
    assert api.read(active(made))["description"] == "new"
    changes = api.read(f"{version['href']}/modified_objects")
    assert [(c["name"], c["update_type"]) for c in changes] == [(made["name"], "create")]


def test_revert_of_named_changes(api):
    kept, reverted = api.ip_list(), api.ip_list()
    ok(api.put(f"{api.org}/sec_policy/delete", {"change_subset": subset(reverted["href"])}), 204)
    refused(api.get(reverted["href"]), 404)
    assert api.read(kept["href"])["update_type"] == "create"
    deleted = provisioned_then_deleted(api)
    ok(api.put(f"{api.org}/sec_policy/delete", {"change_subset": subset(deleted["href"])}), 204)
    assert api.read(deleted["href"])["update_type"] is None


def test_p39_writes_go_to_draft(api):
    body = {"name": unique("RS"), "scopes": [[]]}
    for side in ("active", "1"):
        answer = api.post(f"{api.org}/sec_policy/{side}/rule_sets", body)
        assert answer.status_code in (403, 404, 405, 406), answer.text
        refused(answer, answer.status_code)
    made = api.rule_set()
    api.provision(made["href"])
    for answer in (api.put(active(made), {"description": "d"}), api.delete(active(made))):
        assert answer.status_code in (403, 404, 405, 406), answer.text
    assert not api.read(active(made)).get("description")


def virtual_service(api):
    body = {"name": unique("VS"), "apply_to": "host_only", "service_ports": [{"proto": 6, "port": 443}]}
    return api.create(f"{api.draft}/virtual_services", body)


def test_p42_binding_needs_a_provisioned_virtual_service(api):
    service = virtual_service(api)
    workload = api.create(f"{api.org}/workloads", {"name": unique("w")})
    for href in (service["href"], active(service)):
        answer = api.post(f"{api.org}/service_bindings", [{"virtual_service": {"href": href}, "workload": ref(workload)}])
        assert answer.status_code in (200, 201, 406), answer.text
        assert all("href" not in item and item["token"] for item in answer.json()), answer.text
    assert api.read(f"{api.org}/service_bindings", workload=workload["href"]) == []


def test_p43_bindings_are_not_provisionable(api):
    service = virtual_service(api)
    workload = api.create(f"{api.org}/workloads", {"name": unique("w")})
    api.provision(service["href"])
    before = pending(api)
    body = [{"virtual_service": {"href": active(service)}, "workload": ref(workload)}]
    answer = ok(api.post(f"{api.org}/service_bindings", body), 201)
    assert answer.json()[0]["href"].startswith(f"{api.org}/service_bindings/")
    assert pending(api) == before


def test_p50_no_active_side_before_provisioning(api):
    made = api.rule_set()
    refused(api.get(active(made)), 404)
    refused(api.get(f"{api.active}/rule_sets/99999999"), 404)
