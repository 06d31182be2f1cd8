"""illumio-pylo 0.4.0 loads an organisation of 2,000 workloads and 500 rule sets over verified https; its counts match."""

import os
import urllib.parse

os.environ["PYLO_DISABLE_SYSTEM_CA"] = "1"

import illumio_pylo as pylo
import pytest

from harness.api import ok, ref, rule_body

WORKLOADS = 2000
RULE_SETS = 500
IP_LISTS = 60
SERVICES = 80
GROUPS = 20
VIRTUAL_SERVICES = 10
PRINCIPALS = 15
KEYS = {"role": 40, "app": 120, "env": 5, "loc": 8}
RULES_EACH = 3


def make_labels(api):
    return {key: [api.label(key, f"{key}-{i}") for i in range(count)] for key, count in KEYS.items()}


def make_workloads(api, labels):
    def body(i):
        chosen = [labels[key][i % len(labels[key])] for key in KEYS if (i + len(key)) % 7]
        return {
            "name": f"host-{i}", "hostname": f"host-{i}.example.com", "labels": [ref(label) for label in chosen],
            "interfaces": [{"name": "eth0", "address": f"10.{i >> 8}.{i & 255}.1", "cidr_block": 24, "link_state": "up"}],
        }

    for start in range(0, WORKLOADS, 1000):
        answer = ok(api.put(f"{api.org}/workloads/bulk_create", [body(i) for i in range(start, start + 1000)]), 200).json()
        assert [item["status"] for item in answer] == ["created"] * 1000


def make_rule_sets(api, labels, services, ip_lists, groups):
    for i in range(RULE_SETS):
        app = {"label": ref(labels["app"][i % KEYS["app"]])}
        env = {"label_group": ref(groups[i % GROUPS])} if i % 3 else {"label": ref(labels["env"][i % KEYS["env"]])}
        role = [{"label": ref(labels["role"][(i + k) % KEYS["role"]])} for k in range(2)]
        rules = [
            rule_body(providers=[role[0]], consumers=[role[1]], ingress_services=[ref(services[i % SERVICES])]),
            rule_body(providers=[{"actors": "ams"}], consumers=[{"ip_list": ref(ip_lists[i % IP_LISTS])}], unscoped_consumers=True),
            rule_body(ingress_services=[{"proto": 17, "port": 1000 + i, "to_port": 2000 + i}, ref(services[0])]),
        ]
        api.rule_set(f"rule-set-{i}", scopes=[[app, env]], rules=rules)


@pytest.fixture(scope="module")
def world(api):
    """The organisation, made through the raw API."""
    labels = make_labels(api)
    make_workloads(api, labels)
    services = [api.service(f"service-{i}", port=1 + i) for i in range(SERVICES)]
    ip_lists = [api.ip_list(f"ip-list-{i}", ip_ranges=[{"from_ip": f"172.16.{i}.0/24"}]) for i in range(IP_LISTS)]
    groups = [
        api.create(f"{api.draft}/label_groups", {"name": f"group-{i}", "key": "env", "labels": [ref(labels["env"][i % 5]), ref(labels["env"][(i + 1) % 5])]})
        for i in range(GROUPS)
    ]
    for i in range(VIRTUAL_SERVICES):
        api.create(f"{api.draft}/virtual_services", {"name": f"vs-{i}", "apply_to": "host_only", "service": ref(services[i])})
    for i in range(PRINCIPALS):
        api.create(f"{api.org}/security_principals", {"name": f"people-{i}", "sid": f"S-1-5-21-7-7-7-{i}"})
    make_rule_sets(api, labels, services, ip_lists, groups)
    doomed = api.rule_set("rule-set-pending-deletion")
    api.provision(doomed["href"])
    api.remove(doomed["href"])
    return labels


@pytest.fixture(scope="module")
def organisation(world, boot):
    """What pylo makes of it; the CA comes by the environment, pylo has no setting for it."""
    address = urllib.parse.urlsplit(boot["https_url"])
    os.environ["REQUESTS_CA_BUNDLE"] = boot["ca_file"]
    try:
        return pylo.get_organization(
            fqdn=address.hostname, port=address.port, api_user=boot["api_key"], api_key=boot["api_secret"],
            organization_id=boot["org_id"], verify_ssl=True,
        )
    finally:
        del os.environ["REQUESTS_CA_BUNDLE"]


def total(api, path):
    """Size of a collection; counts only those that the load must show."""
    return int(api.get(path, max_results=0).headers["X-Total-Count"])


def test_workloads(organisation):
    store = organisation.WorkloadStore
    assert store.count_workloads() == WORKLOADS
    assert store.count_unmanaged_workloads(True) == WORKLOADS
    assert (store.count_managed_workloads(), store.count_deleted_workloads()) == (0, 0)


def test_labels_and_groups(organisation):
    store = organisation.LabelStore
    assert {key: store.count_labels(key) for key in KEYS} == KEYS
    assert store.count_label_groups() == GROUPS


def test_rule_sets_and_rules(organisation, api):
    store = organisation.RulesetStore
    assert store.count_rulesets() == total(api, f"{api.draft}/rule_sets") == RULE_SETS + 2, "ours, the built-in one, one pending deletion"
    listed = api.read(f"{api.draft}/rule_sets", max_results=100000)
    assert store.count_rules() == sum(len(rule_set["rules"]) for rule_set in listed)
    assert store.count_rules() >= RULE_SETS * RULES_EACH


def test_ip_lists_and_services(organisation, api):
    assert organisation.IPListStore.count() == total(api, f"{api.draft}/ip_lists") == IP_LISTS + 1
    assert len(organisation.ServiceStore.services) == total(api, f"{api.draft}/services")
    assert len(organisation.ServiceStore.services) >= SERVICES + 1


def test_virtual_services_and_user_groups(organisation):
    assert len(organisation.VirtualServiceStore.items_by_href) == VIRTUAL_SERVICES
    assert len(organisation.SecurityPrincipalStore.itemsByHRef) == PRINCIPALS


def test_a_workload_resolves_its_labels(organisation, api):
    seen = organisation.WorkloadStore.find_by_href_or_die(api.read(f"{api.org}/workloads", name="host-1234")[0]["href"])
    raw = api.read(seen.href)
    assert sorted(label.href for label in seen.get_labels()) == sorted(label["href"] for label in raw["labels"])
    assert raw["labels"], "this one has labels"


def test_statistics_text(organisation):
    text = organisation.stats_to_str()
    assert f"Unmanaged: {WORKLOADS}" in text
    assert f"{IP_LISTS + 1} IPlists" in text


def test_wrong_ca_is_refused(boot, monkeypatch):
    monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)
    address = urllib.parse.urlsplit(boot["https_url"])
    connector = pylo.APIConnector(fqdn=address.hostname, port=address.port, api_user=boot["api_key"], api_key=boot["api_secret"])
    with pytest.raises(pylo.PyloApiEx, match="CERTIFICATE_VERIFY_FAILED"):
        connector.collect_pce_infos()
