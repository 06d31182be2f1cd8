"""Policy behaviour cases P25 to P38, P40, P41 and P44 to P49: what bodies may say, and how collections count."""

import pytest

from harness.api import ok, ref, refused, rule_body, unique

ANY = "/orgs/1/sec_policy/draft/ip_lists/1"


def deny_body(**changes):
    body = {
        "enabled": True, "providers": [{"actors": "ams"}], "consumers": [{"actors": "ams"}],
        "ingress_services": [{"proto": 6, "port": 445}],
    }
    return {**body, **changes}


@pytest.fixture
def rules(api):
    """Path of the rules of a fresh rule set."""
    return f"{api.rule_set()['href']}/sec_rules"


@pytest.fixture
def deny_rules(api):
    """Path of the deny rules of a fresh rule set."""
    return f"{api.rule_set()['href']}/deny_rules"


def test_p25_deny_rule_has_no_label_resolution(api, deny_rules):
    body = deny_body(resolve_labels_as={"providers": ["workloads"], "consumers": ["workloads"]})
    refused(api.post(deny_rules, body), token="input_validation_error", saying="resolve_labels_as")


def test_p26_all_ips_except_is_kept_or_refused_but_never_ignored(api, deny_rules):
    rule = api.create(deny_rules, deny_body())
    answer = api.put(rule["href"], {"all_ips_except_for_in_consumers": True})
    if answer.status_code == 406:
        refused(answer, token="input_validation_error", saying="all_ips_except_for_in_consumers")
    else:
        ok(answer, 204)
        assert api.read(rule["href"])["all_ips_except_for_in_consumers"] is True


def test_p27_deny_rule_actor_cannot_be_a_virtual_service(api, deny_rules):
    vs = api.create(f"{api.draft}/virtual_services", {"name": unique("VS"), "service_ports": [{"proto": 6, "port": 1}], "apply_to": "host_only"})
    refused(api.post(deny_rules, deny_body(providers=[{"virtual_service": ref(vs)}])))


def test_p28_no_override_deny_endpoint(api, deny_rules):
    refused(api.get(deny_rules.replace("/deny_rules", "/override_deny_rules")), 404)


def test_p29_no_top_level_deny_rules(api):
    refused(api.get(f"{api.draft}/deny_rules"), 404)


def test_p30_override_is_toggled_in_place(api, deny_rules):
    rule = api.create(deny_rules, deny_body(override=False))
    api.update(rule["href"], {"override": True})
    assert api.read(rule["href"])["override"] is True
    assert [r["href"] for r in api.read(deny_rules)] == [rule["href"]]


def test_p31_inline_services_are_tcp_or_udp(api, rules):
    refused(api.post(rules, rule_body(ingress_services=[{"proto": 1}])))
    icmp = api.create(f"{api.draft}/services", {"name": unique("ICMP"), "service_ports": [{"proto": 1, "icmp_type": 8, "icmp_code": 0}]})
    api.create(rules, rule_body(ingress_services=[ref(icmp)]))


def test_p32_virtual_services_only_takes_no_services(api, rules):
    resolve = {"providers": ["virtual_services"], "consumers": ["workloads"]}
    refused(api.post(rules, rule_body(resolve_labels_as=resolve, ingress_services=[ref(api.service())])))


def test_p33_consumers_are_required(api, rules):
    refused(api.post(rules, rule_body(consumers=None)), token="input_validation_error", saying="consumers")


def test_p34_non_corporate_networks_need_an_ip_list(api, rules):
    label = {"label": ref(api.label("role"))}
    refused(api.post(rules, rule_body(network_type="all", providers=[label], consumers=[label])), token="non_brn_must_use_ip_list")
    api.create(rules, rule_body(network_type="all", providers=[label], consumers=[{"ip_list": ref(ANY)}]))


def test_p35_unknown_property(api, rules):
    refused(api.post(rules, rule_body(colour="red")), token="input_validation_error", saying="colour")


def stateless_count(api):
    sets = api.read(f"{api.draft}/rule_sets", max_results=100000)
    return sum(rule.get("stateless") is True for rule_set in sets for rule in rule_set["rules"])


def test_p36_at_most_100_stateless_rules(api, rules):
    for _ in range(100 - stateless_count(api)):
        api.create(rules, rule_body(stateless=True))
    refused(api.post(rules, rule_body(stateless=True)))
    one = next(r for r in api.read(rules) if r["stateless"])
    api.remove(one["href"])
    api.create(rules, rule_body(stateless=True))
    api.remove(rules.removesuffix("/sec_rules"))


def test_p37_stateless_rule_takes_one_label_of_a_key(api, rules):
    labels = [{"label": ref(api.label("role"))} for _ in range(2)]
    refused(api.post(rules, rule_body(stateless=True, consumers=labels)))


def test_p38_stateless_rule_of_any_list_and_all_workloads(api, rules):
    rule = api.create(rules, rule_body(stateless=True, consumers=[{"ip_list": ref(ANY)}, {"actors": "ams"}]))
    assert api.read(rule["href"])["stateless"] is True


def test_p40_collections_are_cut_at_500_and_say_their_size(api):
    prefix = unique("many")
    for i in range(600):
        api.label("loc", f"{prefix}-{i}")
    answer = ok(api.get(f"{api.org}/labels"), 200)
    total = int(answer.headers["X-Total-Count"])
    assert len(answer.json()) == 500 and total >= 600
    assert len(api.read(f"{api.org}/labels", max_results=total)) == total
    assert len(api.read(f"{api.org}/labels", max_results=501)) == 501
    assert api.read(f"{api.org}/labels", max_results=0) == []


def test_p41_total_count_ignores_the_filter(api):
    chosen = unique("set")
    for i in range(30):
        pair = {"external_data_set": chosen, "external_data_reference": f"r{i}"} if i < 20 else {}
        api.create(f"{api.org}/workloads", {"name": unique("w"), **pair})
    everything = int(api.get(f"{api.org}/workloads", max_results=0).headers["X-Total-Count"])
    answer = ok(api.get(f"{api.org}/workloads", external_data_set=chosen), 200)
    assert len(answer.json()) == 20
    assert int(answer.headers["X-Total-Count"]) == everything >= 30
    assert int(answer.headers["X-Matched-Count"]) == 20
    managed = api.get(f"{api.org}/workloads", managed="true")
    assert managed.json() == [] and int(managed.headers["X-Total-Count"]) == everything


def test_p44_service_bindings_take_an_array(api):
    refused(api.post(f"{api.org}/service_bindings", {"virtual_service": {"href": "x"}, "workload": {"href": "y"}}))
    refused(api.post(f"{api.org}/service_bindings", []))


@pytest.mark.parametrize("ranges", [
    [{"from_ip": "10.0.0.0/8"}, {"from_ip": "192.168.0.1", "exclusion": True}],
    [{"from_ip": "10.0.0.0", "to_ip": "10.0.0.9"}, {"from_ip": "10.0.0.5", "to_ip": "10.0.0.10", "exclusion": True}],
    [{"from_ip": "10.0.0.1", "exclusion": True}],
    [{"from_ip": "10.0.0.0/8"}, {"from_ip": "fd00::1", "exclusion": True}],
])
def test_p45_exclusions_lie_inside_included_ranges(api, ranges):
    refused(api.post(f"{api.draft}/ip_lists", {"name": unique("IPL"), "ip_ranges": ranges}))


@pytest.mark.parametrize("key,value", [("env", "All Environments"), ("app", "All Applications"), ("loc", "All Locations")])
def test_p46_reserved_label_values(api, key, value):
    refused(api.post(f"{api.org}/labels", {"key": key, "value": value}))


def test_p47_label_dimension_in_use(api):
    key = unique("dim").replace("-", "")
    dimension = api.create(f"{api.org}/label_dimensions", {"key": key, "display_name": key})
    label = api.label(key)
    refused(api.delete(dimension["href"]))
    api.remove(label["href"])
    for built_in in api.read(f"{api.org}/label_dimensions", key="role"):
        refused(api.delete(built_in["href"]))


def test_p48_label_group_of_another_key(api):
    body = {"name": unique("LG"), "key": "role", "labels": [ref(api.label("env"))]}
    refused(api.post(f"{api.draft}/label_groups", body))


def test_p49_label_groups_form_no_cycle(api):
    a, b = (api.create(f"{api.draft}/label_groups", {"name": unique("LG"), "key": "env"}) for _ in range(2))
    api.update(a["href"], {"sub_groups": [ref(b)]})
    refused(api.put(b["href"], {"sub_groups": [ref(a)]}))
    refused(api.put(a["href"], {"sub_groups": [ref(a)]}))
    assert api.read(b["href"])["sub_groups"] == []
