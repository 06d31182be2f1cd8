"""Policy objects beyond the numbered cases: rules inside rule sets, bulk deletion, usage, groups in groups, filters."""

import pytest

from harness.api import ok, ref, refused, rule_body, unique

ABSENT = "00000000-0000-4000-8000-000000000000"


def hrefs(things):
    return [t["href"] for t in things]


def group(api, **fields):
    return api.create(f"{api.draft}/label_groups", {"name": unique("LG"), "key": "env", **fields})


def virtual_service(api, **fields):
    body = {"name": unique("VS"), "apply_to": "host_only", **fields}
    if "service" not in fields:
        body.setdefault("service_ports", [{"proto": 6, "port": 80}])
    return api.create(f"{api.draft}/virtual_services", body)


def iptables_rule():
    statement = {"table_name": "filter", "chain_name": "INPUT", "parameters": "-p tcp -j ACCEPT"}
    return {"enabled": True, "statements": [statement], "actors": [{"actors": "ams"}], "ip_version": "4"}


def test_rule_set_is_created_with_its_rules(api):
    made = api.rule_set(rules=[rule_body(), rule_body(enabled=False)], ip_tables_rules=[iptables_rule()])
    assert [r["enabled"] for r in made["rules"]] == [True, False]
    assert made["deny_rules"] == [] and len(made["ip_tables_rules"]) == 1
    assert hrefs(api.read(f"{made['href']}/sec_rules")) == hrefs(made["rules"])
    assert made["rules"][0]["href"].startswith(made["href"] + "/sec_rules/")


def test_put_of_rules_keeps_changes_creates_and_deletes(api):
    made = api.rule_set(rules=[rule_body(), rule_body(), rule_body()])
    kept, changed, dropped = hrefs(made["rules"])
    body = {"rules": [{"href": kept}, {"href": changed, "description": "new"}, rule_body(description="added")]}
    api.update(made["href"], body)
    rules = api.read(made["href"])["rules"]
    assert hrefs(rules)[:2] == [kept, changed] and dropped not in hrefs(rules) and len(rules) == 3
    assert [r["description"] for r in rules] == [None, "new", "added"]
    api.update(made["href"], {"description": "rules stay when they are not named"})
    assert len(api.read(made["href"])["rules"]) == 3
    api.update(made["href"], {"rules": []})
    assert api.read(made["href"])["rules"] == []


def test_rules_of_a_rule_set_are_all_or_nothing(api):
    made = api.rule_set(rules=[rule_body()])
    bad = rule_body(network_type="all")
    refused(api.put(made["href"], {"description": "x", "rules": [rule_body(), bad]}), token="non_brn_must_use_ip_list")
    assert api.read(made["href"]) == made
    name = unique("RS")
    refused(api.post(f"{api.draft}/rule_sets", {"name": name, "scopes": [[]], "rules": [rule_body(), bad]}))
    assert api.read(f"{api.draft}/rule_sets", name=name) == []
    other = api.rule_set(rules=[rule_body()])
    refused(api.put(made["href"], {"rules": [{"href": other["rules"][0]["href"]}]}), token="invalid_uri")
    refused(api.post(f"{api.draft}/rule_sets", {"name": unique("RS"), "scopes": [[]], "deny_rules": []}), token="input_validation_error")


def test_active_rule_set_shows_its_active_rules(api):
    made = api.rule_set(rules=[rule_body()])
    api.provision(made["href"])
    api.rule(made, description="draft only")
    api.update(made["rules"][0]["href"], {"description": "edited"})
    active = api.read(made["href"].replace("/draft/", "/active/"))
    assert [(r["description"], r["update_type"]) for r in active["rules"]] == [(None, None)]
    assert "/active/" in active["rules"][0]["href"]
    draft = api.read(made["href"])
    assert [(r["description"], r["update_type"]) for r in draft["rules"]] == [("edited", "update"), ("draft only", "create")]
    api.remove(made["rules"][0]["href"])
    assert api.read(made["href"])["rules"][0]["update_type"] == "delete"


@pytest.mark.parametrize("changes,token", [
    ({"sec_connect": True, "stateless": True}, "conflicting_rule_options"),
    ({"ingress_services": []}, "ingress_services_required"),
    ({"ingress_services": [{"proto": 6, "port": 5, "to_port": 4}]}, "invalid_service_port"),
    ({"ingress_services": [{"proto": 6, "to_port": 4}]}, "invalid_service_port"),
    ({"consumers": [{"actors": "ams", "exclusion": True}]}, "input_validation_error"),
    ({"stateless": True, "consumers": [{"actors": "ams"}, {"workload": None}]}, "stateless_consumers_not_allowed"),
])
def test_rule_checks(api, changes, token):
    workload = ref(api.create(f"{api.org}/workloads", {"name": unique("w")}))
    if "consumers" in changes:
        changes = {**changes, "consumers": [{"workload": workload} if "workload" in c else c for c in changes["consumers"]]}
    refused(api.post(f"{api.rule_set()['href']}/sec_rules", rule_body(**changes)), token=token)


def test_user_groups_need_hosts_and_are_used(api):
    sid = f"S-1-5-21-{abs(hash(unique('sid'))) % 10**9}"
    person = api.create(f"{api.org}/security_principals", {"sid": sid, "name": unique("SP")})
    path = f"{api.rule_set()['href']}/sec_rules"
    any_list = {"ip_list": ref(f"{api.draft}/ip_lists/1")}
    bad = rule_body(consuming_security_principals=[ref(person)], consumers=[any_list])
    refused(api.post(path, bad), token="security_principals_need_workloads")
    assert api.read(person["href"])["used_by_ruleset"] is False
    rule = api.create(path, rule_body(consuming_security_principals=[ref(person)]))
    assert api.read(person["href"])["used_by_ruleset"] is True
    refused(api.delete(person["href"]), token="security_principal_referenced")
    api.remove(rule["href"])
    api.remove(person["href"])


def test_service_of_a_rule_by_external_reference(api):
    pair = {"external_data_set": unique("set"), "external_data_reference": "1"}
    entry = {"name": unique("ext"), "service_ports": [{"proto": 6, "port": 99}], **pair}
    rule_set = api.rule_set()
    first, second = (api.rule(rule_set, ingress_services=[entry]) for _ in range(2))
    assert hrefs(first["ingress_services"]) == hrefs(second["ingress_services"])
    made = api.read(f"{api.draft}/services", external_data_set=pair["external_data_set"])
    assert hrefs(made) == hrefs(first["ingress_services"]) and made[0]["service_ports"] == [{"proto": 6, "port": 99}]


def test_bulk_delete_tells_failures_only(api):
    used, free = api.ip_list(), api.ip_list()
    api.rule(api.rule_set(), consumers=[{"ip_list": ref(used)}])
    answer = ok(api.put(f"{api.draft}/ip_lists/delete", [ref(used), ref(free), ref(f"{api.draft}/ip_lists/999999")]), 200).json()
    assert [(f["href"], f["errors"][0]["token"]) for f in answer] == [
        (used["href"], "ip_list_referenced"), (f"{api.draft}/ip_lists/999999", "invalid_uri")]
    refused(api.get(free["href"]), 404)
    api.read(used["href"])


@pytest.mark.parametrize("kind", ["labels", "services", "rule_sets", "sec_rules", "service_bindings"])
def test_bulk_delete_of_every_kind(api, kind):
    rule_set = api.rule_set()
    base = {"labels": api.org, "service_bindings": api.org, "sec_rules": rule_set["href"]}.get(kind, api.draft)
    make = {
        "labels": lambda: api.label(), "services": lambda: api.service(), "rule_sets": lambda: api.rule_set(),
        "sec_rules": lambda: api.rule(rule_set), "service_bindings": lambda: binding(api),
    }[kind]
    things = [make() for _ in range(2)]
    assert ok(api.put(f"{base}/{kind}/delete", [ref(t) for t in things]), 200).json() == []
    for thing in things:
        if kind == "labels":
            assert api.read(thing["href"])["deleted"] is True
        else:
            refused(api.get(thing["href"]), 404)
    refused(api.put(f"{base}/{kind}/delete", []))
    refused(api.put(f"{base}/{kind}/delete", [ref(things[0])] * 1001))


def binding(api, **fields):
    virtual = virtual_service(api)
    api.provision(virtual["href"])
    workload = api.create(f"{api.org}/workloads", {"name": unique("w")})
    body = {"virtual_service": ref(virtual["href"].replace("/draft/", "/active/")), "workload": ref(workload), **fields}
    return ok(api.post(f"{api.org}/service_bindings", [body]), 201).json()[0]


def test_service_binding_answers_and_refusals(api):
    made = binding(api, port_overrides=[{"proto": 6, "port": 80, "new_port": 8080}])
    assert made["status"] == "created"
    read = api.read(made["href"])
    assert read["bound_service"]["href"] == read["virtual_service"]["href"] and "/active/" in read["bound_service"]["href"]
    assert read["port_overrides"] == [{"proto": 6, "port": 80, "new_port": 8080}]
    again = {"virtual_service": ref(read["virtual_service"]), "workload": ref(read["workload"])}
    refused(api.post(f"{api.org}/service_bindings", [again]), token="service_binding_already_exists")
    virtual = read["virtual_service"]["href"].replace("/active/", "/draft/")
    refused(api.delete(virtual), token="virtual_service_referenced")
    assert api.read(virtual, usage="true")["usage"]["service_binding"] is True
    listed = api.read(f"{api.org}/service_bindings", virtual_service=virtual)
    assert hrefs(listed) == [made["href"]]


def test_service_bindings_are_all_or_nothing(api):
    virtual = virtual_service(api)
    api.provision(virtual["href"])
    workload = api.create(f"{api.org}/workloads", {"name": unique("w")})
    good = {"virtual_service": ref(virtual), "workload": ref(workload)}
    refused(api.post(f"{api.org}/service_bindings", [good, good]), token="service_binding_already_exists")
    assert api.read(f"{api.org}/service_bindings", workload=workload["href"]) == []


def test_label_values_differ_in_more_than_case(api):
    value = unique("Case")
    label = api.label("app", value)
    refused(api.post(f"{api.org}/labels", {"key": "app", "value": value.upper()}), token="label_key_and_value_must_be_unique")
    api.update(label["href"], {"value": value.lower()})
    refused(api.post(f"{api.org}/labels", {"key": "app", "value": value}), token="label_key_and_value_must_be_unique")
    api.remove(label["href"])
    api.label("app", value)
    refused(api.post(f"{api.org}/labels", {"key": unique("nokey"), "value": "x"}), token="label_dimension_not_found")


def test_label_usage(api):
    label = api.label("env")
    assert "usage" not in api.read(label["href"])
    assert not any(api.read(label["href"], usage="true")["usage"].values())
    group(api, labels=[ref(label)])
    api.rule_set(scopes=[[{"label": ref(label)}]])
    usage = api.read(label["href"], usage="true")["usage"]
    assert [k for k, v in usage.items() if v] == [k for k in usage if k in ("label_group", "ruleset")]


def test_label_groups_in_groups(api):
    low, high = api.label("env"), api.label("env")
    inner = group(api, labels=[ref(low)])
    outer = group(api, labels=[ref(high)], sub_groups=[ref(inner)])
    assert api.read(f"{inner['href']}/member_of") == [{"href": outer["href"], "name": outer["name"]}]
    assert api.read(f"{outer['href']}/member_of") == []
    assert sorted(hrefs(api.read(f"{outer['href']}/all_labels"))) == sorted(hrefs([low, high]))
    assert api.read(inner["href"], usage="true")["usage"]["label_group"] is True
    refused(api.delete(inner["href"]), token="label_group_referenced")
    refused(api.get(f"{api.draft}/label_groups/{ABSENT}/all_labels"), 404)


def test_ip_list_filters_and_checks(api):
    made = api.ip_list(ip_ranges=[{"from_ip": "172.31.0.0/16"}, {"from_ip": "172.31.9.0/24", "exclusion": True}])
    for address, there in (("172.31.1.1", True), ("172.31.9.1", False), ("172.31.0.0/21", True), ("172.31.0.0/16", False)):
        found = hrefs(api.read(f"{api.draft}/ip_lists", ip_address=address, max_results=10000))
        assert (made["href"] in found) is there, address
    refused(api.get(f"{api.draft}/ip_lists", ip_address="nonsense"))
    for bad in ({"from_ip": "10.0.0.9", "to_ip": "10.0.0.1"}, {"from_ip": "10.0.0.0/8", "to_ip": "10.0.0.1"}, {"from_ip": "10.0.0.1", "to_ip": "::1"}):
        refused(api.post(f"{api.draft}/ip_lists", {"name": unique("IPL"), "ip_ranges": [bad]}), token="invalid_ip_range")


def test_service_filters_and_entries(api):
    ports = [{"proto": 6, "port": 9000, "to_port": 9010}, {"proto": 1, "icmp_type": 8}, {"proto": 47}]
    made = api.create(f"{api.draft}/services", {"name": unique("S"), "service_ports": ports})
    assert made["service_ports"][1] == {"proto": 1, "icmp_type": 8, "icmp_code": None}
    for query, there in (({"port": 9005}, True), ({"port": 9011}, False), ({"port": -1}, True), ({"proto": 47}, True), ({"proto": 17}, False)):
        assert (made["href"] in hrefs(api.read(f"{api.draft}/services", max_results=10000, **query))) is there, query
    refused(api.post(f"{api.draft}/services", {"name": unique("S"), "service_ports": [{"proto": 47, "port": 1}]}), token="invalid_service_port")
    risk = {"ransomware": {"category": "admin"}}
    assert api.create(f"{api.draft}/services", {"name": unique("S"), "risk_details": risk})["risk_details"] == {"ransomware": None}


def test_virtual_service_has_a_service_or_ports(api):
    service = api.service()
    made = virtual_service(api)
    api.update(made["href"], {"service": ref(service)})
    read = api.read(made["href"])
    assert read["service"]["href"] == service["href"] and "service_ports" not in read
    api.update(made["href"], {"service_ports": [{"proto": 17, "port": -1}]})
    read = api.read(made["href"])
    assert read["service_ports"] == [{"proto": 17, "port": -1}] and "service" not in read
    two = [ref(api.label("env")) for _ in range(2)]
    refused(api.put(made["href"], {"labels": two}), token="duplicate_label_key")


def test_virtual_services_in_bulk_fail_one_by_one(api):
    path = f"{api.draft}/virtual_services"
    good = {"name": unique("VS"), "service_ports": [{"proto": 6, "port": 1}]}
    bad = {**good, "service_ports": [{"proto": 6, "port": 2, "to_port": 1}]}
    answer = ok(api.put(f"{path}/bulk_create", [good, bad]), 200).json()
    assert [a["status"] for a in answer] == ["created", "failed"] and answer[1]["token"] == "invalid_service_port"
    absent = f"{path}/{ABSENT}"
    answer = ok(api.put(f"{path}/bulk_update", [{"href": absent, "name": "x"}, {"href": answer[0]["href"], "name": "y"}]), 200).json()
    assert [(a["href"], a["status"]) for a in answer][0] == (absent, "failed") and answer[1]["status"] == "updated"
    assert api.read(answer[1]["href"])["name"] == "y"


def test_virtual_server_waits_for_its_load_balancer(api):
    found = f"{api.org}/discovered_virtual_servers/{ABSENT}"
    body = {"name": unique("VIP"), "labels": [], "service": ref(api.service()), "providers": [], "mode": "unmanaged",
            "discovered_virtual_server": ref(found)}
    made = api.create(f"{api.draft}/virtual_servers", body)
    assert made["discovered_virtual_server"] is None
    foreign = {**body, "discovered_virtual_server": ref(found.replace("/orgs/1/", "/orgs/2/"))}
    refused(api.post(f"{api.draft}/virtual_servers", foreign), token="invalid_uri")


def test_boundary_checks_and_filters(api):
    body = {"name": unique("EB"), "providers": [{"actors": "ams"}], "consumers": [{"actors": "ams"}], "ingress_services": [{"proto": 6, "port": 7000, "to_port": 7005}]}
    path = f"{api.draft}/enforcement_boundaries"
    made = api.create(path, body)
    refused(api.post(path, {**body, "ingress_services": []}), token="ingress_services_required")
    assert made["href"] in hrefs(api.read(path, **{"service_ports.port": 7003}))
    assert made["href"] not in hrefs(api.read(path, **{"service_ports.port": 7006}))


def test_rule_sets_by_exact_scope(api):
    app, env = api.label("app"), api.label("env")
    both = api.rule_set(scopes=[[{"label": ref(app)}, {"label": ref(env)}]])
    one = api.rule_set(scopes=[[{"label": ref(app)}]])
    wanted = f'[["{app["href"]}"]]'
    assert hrefs(api.read(f"{api.draft}/rule_sets", labels_scope=wanted)) == [one["href"]]
    assert hrefs(api.read(f"{api.draft}/rule_sets", labels=wanted)) == hrefs([both, one])


def test_firewall_settings_are_pending_like_policy(api):
    path = f"{api.draft}/firewall_settings"
    label = api.label("env")
    api.update(path, {"static_policy_scopes": [[{"label": ref(label)}]], "firewall_coexistence": None})
    read = api.read(path)
    assert read["update_type"] == "update" and read["firewall_coexistence"] == []
    assert api.read(label["href"], usage="true")["usage"]["static_policy_scopes"] is True
    refused(api.delete(label["href"]), token="label_referenced")
    api.update(path, {"static_policy_scopes": []})
    api.remove(label["href"])


def test_built_in_networks_stay(api):
    names = {n["name"]: n for n in api.read(f"{api.org}/networks")}
    for name in ("Corporate", "External"):
        refused(api.delete(names[name]["href"]), token="network_referenced")
        refused(api.put(names[name]["href"], {"name": "x"}), token="network_referenced")
    mine = api.create(f"{api.org}/networks", {"name": unique("N")})
    api.update(mine["href"], {"description": "d"})
    api.remove(mine["href"])
