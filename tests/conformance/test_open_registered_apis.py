"""illumio-py-open 1.3.4: its further registered APIs and helper methods.

An API whose collection the running server lists in its OpenAPI document must decode; one that is not built yet must
fail as an API error with 404 or 405, like any unknown path.
"""

import re

import illumio
import pytest
from illumio import IllumioApiException
from illumio.util.constants import PCE_APIS

from harness.api import ok, operations, ref, unique

# Their model classes contradict the product's schema (an array against a number or a boolean), so no server that
# follows the schema can be decoded by them: read with the low-level call instead.
UNDECODABLE = {"workload_settings", "syslog_destinations"}
NEEDS_PARENT = {"container_workload_profiles", "rules", "deny_rules", "network_endpoints"}
MUST_BE_BUILT = {
    "access_restrictions", "auth_security_principals", "event_settings", "firewall_settings", "jobs", "label_dimensions", "optional_features",
    "org_settings", "password_policy", "permissions", "roles", "service_accounts", "syslog_destinations", "traffic_collector_settings",
    "trusted_proxy_ips", "virtual_servers", "workload_settings", "container_clusters", "enforcement_boundaries", "events", "ip_lists", "label_groups", "labels",
    "pairing_profiles", "rule_sets", "security_principals", "service_bindings", "services", "users", "vens", "virtual_services", "workloads",
}


@pytest.fixture(scope="module")
def built(api):
    """GET paths of the running server with every parameter written as {}."""
    return {re.sub(r"\{[^}]*\}", "{}", path) for method, path in operations(api) if method == "GET"}


def template(api_data):
    if api_data.is_global:
        return api_data.endpoint
    return "/orgs/{}" + ("/sec_policy/{}" if api_data.is_sec_policy else "") + api_data.endpoint


def test_the_fork_registers_56_apis():
    assert len(PCE_APIS) == 56
    assert MUST_BE_BUILT <= set(PCE_APIS)


@pytest.mark.parametrize("name", sorted(set(PCE_APIS) - NEEDS_PARENT))
def test_registered_api_answers_or_is_unknown(pce, built, name):
    path = template(PCE_APIS[name])
    objects = getattr(pce, name)
    if path not in built:
        assert name not in MUST_BE_BUILT, f"{path} is not built"
        with pytest.raises(IllumioApiException, match="error code (404|405)"):
            objects.get()
    elif name in UNDECODABLE:
        ok(pce.get(path.replace("/orgs/{}", ""), include_org=not PCE_APIS[name].is_global), 200)
    else:
        answer = objects.get()
        assert isinstance(answer, (list, PCE_APIS[name].object_class))


def test_roles(pce):
    names = {role.href.rsplit("/", 1)[1] for role in pce.roles.get()}
    assert names == {
        "owner", "admin", "read_only", "global_object_provisioner", "ruleset_manager", "limited_ruleset_manager",
        "ruleset_provisioner", "ruleset_viewer", "workload_manager",
    }


def test_label_dimensions(pce):
    dimensions = pce.label_dimensions.get()
    assert {"role", "app", "env", "loc"} <= {d.key for d in dimensions}
    key = unique("dim").replace("-", "")
    made = pce.label_dimensions.create(illumio.LabelDimension(key=key, display_name=key))
    label = pce.labels.create({"key": key, "value": unique("v")})
    assert label.key == key
    pce.label_dimensions.update(made, {"display_name": key + "2"})
    assert pce.label_dimensions.get_by_reference(made).display_name == key + "2"
    pce.labels.delete(label)


def test_deny_rules(pce):
    rule_set = pce.rule_sets.create(illumio.RuleSet(name=unique("RS"), scopes=[]))
    body = {"enabled": True, "providers": [{"actors": "ams"}], "consumers": [{"actors": "ams"}], "ingress_services": [{"proto": 6, "port": 445}]}
    made = pce.deny_rules.create(body, parent=rule_set)
    assert made.href.startswith(rule_set.href + "/deny_rules/") and made.override is False
    pce.deny_rules.update(made, {"override": True})
    assert pce.deny_rules.get_by_reference(made).override is True
    assert [d.href for d in pce.deny_rules.get(parent=rule_set)] == [made.href]
    assert [d.href for d in pce.rule_sets.get_by_reference(rule_set).deny_rules] == [made.href]
    pce.deny_rules.delete(made)


def test_service_accounts(pce, new_pce):
    body = {
        "name": unique("SA"), "permissions": [{"role": {"href": "/orgs/1/roles/read_only"}, "scope": []}], "api_key": {"expires_in_seconds": "default"},
    }
    made = pce.post("/service_accounts", json=body).json()
    key = made["api_key"]
    reader = new_pce(user=key["auth_username"], secret=key["secret"])
    assert reader.check_connection() is True
    with pytest.raises(IllumioApiException, match="403"):
        reader.labels.create({"key": "role", "value": unique("no")})
    assert made["href"] in [account.href for account in pce.service_accounts.get()]
    pce.service_accounts.delete(made["href"])
    assert reader.check_connection() is False


@pytest.mark.parametrize("name,change", [
    ("event_settings", {"audit_event_retention_seconds": 86400}), ("org_settings", {"ven_maintenance_token_required": False}),
    ("password_policy", {"session_timeout_minutes": 30}),
])
def test_singleton_settings(pce, name, change):
    api = getattr(pce, name)
    before = api.get()
    member, value = next(iter(change.items()))
    path = PCE_APIS[name].endpoint
    with_org = not PCE_APIS[name].is_global
    try:
        assert pce.put(path, json=change, include_org=with_org).status_code == 204
        assert getattr(api.get(), member) == value
    finally:
        pce.put(path, json={member: getattr(before, member)}, include_org=with_org)


def test_syslog_destination_and_traffic_collector(pce):
    this_pce = pce.get("/health", include_org=False).json()[0]["fqdn"]
    destination = {
        "pce_scope": [this_pce], "type": "remote_syslog", "description": "d",
        "audit_event_logger": {"configuration_event_included": True, "system_event_included": False, "min_severity": "informational"},
        "traffic_event_logger": {
            "traffic_flow_allowed_event_included": False, "traffic_flow_potentially_blocked_event_included": False, "traffic_flow_blocked_event_included": True,
        },
        "node_status_logger": {"node_status_included": True},
        "remote_syslog": {"address": "127.0.0.1", "port": 514, "protocol": 17, "tls_enabled": False, "tls_verify_cert": False},
    }
    made = pce.post("/settings/syslog/destinations", json=destination).json()
    assert pce.get(made["href"]).json()["remote_syslog"]["port"] == 514
    assert pce.delete(made["href"]).status_code == 204
    rule = pce.traffic_collector_settings.create({"transmission": "broadcast", "action": "drop", "target": {"proto": 17, "dst_port": 137}})
    assert pce.traffic_collector_settings.get_by_reference(rule).target["dst_port"] == 137
    pce.traffic_collector_settings.delete(rule)


def test_policy_helpers(pce):
    group = pce.label_groups.create(illumio.LabelGroup(name=unique("LG"), key="env", labels=[]))
    assert group.href in [entry["href"] for entry in pce.get_pending_policy_changes()["label_groups"]]
    version = pce.provision_policy_changes("one group", [group.href])
    changed = pce.get_modified_policy_objects(policy_version=str(version.version))
    assert group.name in [o.name for o in changed]
    restored = pce.restore_policy(policy_version=str(version.version))
    assert isinstance(restored, dict)
    assert pce.get_label_group_member_of(group.href) == []
    discarded = pce.rule_sets.create(illumio.RuleSet(name=unique("RS"), scopes=[]))
    pce.discard_pending_policy_changes()
    assert pce.get_pending_policy_changes() == {}
    with pytest.raises(IllumioApiException, match="404"):
        pce.rule_sets.get_by_reference(discarded)


def test_workload_interfaces(pce):
    workload = pce.workloads.create(illumio.Workload(name=unique("w")))
    pce.create_workload_interface(workload.href, {"name": "eth1", "address": "10.3.3.3", "cidr_block": 24, "link_state": "up"})
    assert [i["name"] for i in pce.get_workload_interfaces(workload.href)] == ["eth1"]
    pce.delete_workload_interface(workload.href, "eth1")
    assert pce.get_workload_interfaces(workload.href) == []


def test_product_version_and_keys(pce, boot):
    version = pce.get_product_version()
    assert re.fullmatch(r"\d+\.\d+\.\d+.*", version["version"])
    assert re.match(r"\d+\.\d+\.\d+(-\d+)?", version["long_display"])
    keys = pce.get_org_api_keys(params={"type": "user"})
    assert boot["api_key"] in [key["auth_username"] for key in keys]
    me = next(user for user in pce.users.get() if user.username == boot["email"])
    assert boot["api_key"] in [key["auth_username"] for key in pce.get_user_api_keys(me.href.rsplit("/", 1)[1])]


def test_sub_groups_decode(pce):
    inner = pce.label_groups.create(illumio.LabelGroup(name=unique("LG"), key="env", labels=[]))
    outer = pce.label_groups.create({"name": unique("LG"), "key": "env", "sub_groups": [ref(inner.href)]})
    # The library names the type of the elements in quotes, and so leaves them as dictionaries.
    assert [g["href"] for g in pce.label_groups.get_by_reference(outer).sub_groups] == [inner.href]
