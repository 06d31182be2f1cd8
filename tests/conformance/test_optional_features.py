"""Optional features and what each flag does: no-log rules, rule ids in syslog, rule hit counts."""

import pytest

from harness.api import ok, refused, rule_body

NAMES = [
    "ip_forwarding_firewall_setting", "ui_analytics", "illumination_classic", "ransomware_readiness_dashboard",
    "per_rule_flow_log_setting", "lightning_default", "collector_scanner_filters", "corporate_ips_groups",
    "labels_editing_warning_for_enforcement_mode", "label_based_network_detection", "cloudsecure_enabled",
    "windows_outbound_process_enforcement", "rule_based_label_mapping", "core_insights", "rule_info_exposure_to_syslog",
]


@pytest.fixture
def features(api):
    """The path of the feature list; the flags are put back afterwards."""
    path = f"{api.org}/optional_features"
    before = [{"name": f["name"], "enabled": f["enabled"]} for f in api.read(path) if f["name"] in NAMES]
    yield path
    api.update(path, before)


def state(api, path):
    return {feature["name"]: feature["enabled"] for feature in api.read(path)}


def test_every_documented_feature_is_listed(api, features):
    flags = state(api, features)
    assert set(NAMES) <= set(flags)
    assert flags["rule_info_exposure_to_syslog"] is False, "off by default"
    assert flags["per_rule_flow_log_setting"] is False
    for feature in api.read(features):
        assert set(feature) <= {"name", "enabled", "preview"}


@pytest.mark.parametrize("name", NAMES)
def test_put_changes_only_the_named_feature(api, features, name):
    before = state(api, features)
    api.update(features, [{"name": name, "enabled": not before[name]}])
    assert state(api, features) == {**before, name: not before[name]}


def test_bad_feature_lists(api, features):
    before = state(api, features)
    refused(api.put(features, [{"name": "no_such_feature", "enabled": True}]))
    refused(api.put(features, [{"name": "ui_analytics"}]))
    refused(api.put(features, [{"name": "ui_analytics", "enabled": "yes"}]))
    refused(api.put(features, {"name": "ui_analytics", "enabled": True}))
    refused(api.put(features, [{"name": "ui_analytics", "enabled": True, "colour": "red"}]))
    refused(api.put(features, [{"name": "ui_analytics", "enabled": not before["ui_analytics"]}, {"name": "bad", "enabled": True}]))
    assert state(api, features) == before, "a refused list changes nothing"


def test_log_flow_is_absent_and_refused_while_off(api, features):
    api.update(features, [{"name": "per_rule_flow_log_setting", "enabled": False}])
    rule_set = api.rule_set()
    rule = api.rule(rule_set)
    assert "log_flow" not in api.read(rule["href"])
    refused(api.put(rule["href"], {"log_flow": False}))
    refused(api.post(f"{rule_set['href']}/sec_rules", rule_body(log_flow=False)))
    assert all("log_flow" not in r for r in api.read(rule_set["href"])["rules"])


def test_log_flow_can_be_set_while_on(api, features):
    api.update(features, [{"name": "per_rule_flow_log_setting", "enabled": True}])
    rule_set = api.rule_set()
    rule = api.rule(rule_set)
    assert api.read(rule["href"])["log_flow"] is True, "rules log their flows unless told otherwise"
    api.update(rule["href"], {"log_flow": False})
    assert api.read(rule["href"])["log_flow"] is False
    api.provision(rule_set["href"])
    active = rule["href"].replace("/draft/", "/active/")
    assert api.read(active)["log_flow"] is False
    api.update(features, [{"name": "per_rule_flow_log_setting", "enabled": False}])
    assert "log_flow" not in api.read(active)
    api.update(features, [{"name": "per_rule_flow_log_setting", "enabled": True}])
    assert api.read(active)["log_flow"] is False, "switching the feature off hides the setting, it does not lose it"


def test_rule_hit_count_scopes(api):
    path = f"{api.draft}/firewall_settings"
    ok(api.put(path, {"rule_hit_count_enabled_scopes": [[]]}), 204)
    settings = api.read(path)
    assert settings["rule_hit_count_enabled_scopes"] == [[]]
    assert settings["update_type"] == "update"
    assert api.read(f"{api.active}/firewall_settings")["rule_hit_count_enabled_scopes"] == []
    refused(api.put(path, {"enable_all_rule_hit_count_enabled": True}))
    version = ok(api.post(f"{api.org}/sec_policy", {"change_subset": {"firewall_settings": [{"href": settings["href"]}]}}), 201)
    assert version.json()["object_counts"]["firewall_settings"] >= 1
    assert api.read(f"{api.active}/firewall_settings")["rule_hit_count_enabled_scopes"] == [[]]
