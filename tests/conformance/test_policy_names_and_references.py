"""Policy behaviour cases P01 to P13: unique names, and deletes refused while something refers to the object."""

from harness.api import ok, ref, refused, unique


def test_p01_label_key_and_value_are_unique(api):
    label = api.label("app")
    refused(api.post(f"{api.org}/labels", {"key": "app", "value": label["value"]}), token="label_key_and_value_must_be_unique")
    api.label("env", label["value"])


def test_p02_ip_list_name_is_unique(api):
    made = api.ip_list()
    body = {"name": made["name"], "ip_ranges": [{"from_ip": "1.1.1.1"}]}
    refused(api.post(f"{api.draft}/ip_lists", body), token="ip_list_name_not_unique")
    other = api.ip_list()
    refused(api.put(other["href"], {"name": made["name"]}), token="ip_list_name_not_unique")


def test_p03_name_stays_taken_while_deletion_is_pending(api):
    made = api.ip_list()
    api.provision(made["href"])
    api.remove(made["href"])
    body = {"name": made["name"], "ip_ranges": [{"from_ip": "1.1.1.1"}]}
    refused(api.post(f"{api.draft}/ip_lists", body), token="ip_list_name_not_unique")
    api.provision(made["href"])
    api.create(f"{api.draft}/ip_lists", body)


def test_p04_label_group_name_is_unique(api):
    body = {"name": unique("LG"), "key": "env"}
    api.create(f"{api.draft}/label_groups", body)
    refused(api.post(f"{api.draft}/label_groups", body), token="name_must_be_unique")


def test_p05_rule_set_name_is_unique(api):
    made = api.rule_set()
    refused(api.post(f"{api.draft}/rule_sets", {"name": made["name"], "scopes": [[]]}), token="rule_set_name_in_use")


def test_p06_service_names_may_repeat(api):
    first = api.service()
    second = api.service(first["name"])
    assert first["href"] != second["href"]
    assert len(api.read(f"{api.draft}/services", name=first["name"])) == 2


def test_p07_ip_list_used_by_a_rule(api):
    used = api.ip_list()
    rule_set = api.rule_set()
    rule = api.rule(rule_set, consumers=[{"ip_list": ref(used)}])
    refused(api.delete(used["href"]), token="ip_list_referenced")
    api.remove(rule["href"])
    api.remove(used["href"])


def test_p08_service_used_by_a_rule(api):
    used = api.service()
    rule = api.rule(api.rule_set(), ingress_services=[ref(used)])
    refused(api.delete(used["href"]), token="service_referenced")
    api.remove(rule["href"])
    api.remove(used["href"])


def test_p09_label_in_a_rule_set_scope(api):
    label = api.label("app")
    rule_set = api.rule_set(scopes=[[{"label": ref(label)}]])
    refused(api.delete(label["href"]), token="label_still_has_associated_rule_set")
    api.remove(rule_set["href"])
    api.remove(label["href"])


def test_p10_label_in_a_label_group(api):
    label = api.label("env")
    group = api.create(f"{api.draft}/label_groups", {"name": unique("LG"), "key": "env", "labels": [ref(label)]})
    refused(api.delete(label["href"]), token="label_referenced_by_label_group")
    api.update(group["href"], {"labels": []})
    api.remove(label["href"])


def test_p11_label_on_a_workload(api):
    label = api.label("role")
    workload = api.create(f"{api.org}/workloads", {"name": unique("w"), "labels": [ref(label)]})
    refused(api.delete(label["href"]), token="label_still_has_associated_agent_info")
    api.remove(workload["href"])
    api.remove(label["href"])


def test_p12_label_deleted_twice(api):
    label = api.label("role")
    api.remove(label["href"])
    refused(api.delete(label["href"]), token="label_already_deleted")
    assert api.read(label["href"])["deleted"] is True


def test_p13_references_of_the_active_version_count(api):
    label = api.label("app")
    rule_set = api.rule_set(scopes=[[{"label": ref(label)}]])
    api.provision(rule_set["href"])
    api.remove(rule_set["href"])
    refused(api.delete(label["href"]), token="label_still_has_associated_rule_set")
    api.provision(rule_set["href"])
    ok(api.delete(label["href"]), 204)
