"""Each object example of the Developer Interface page, in the page's order.

Where the printed example cannot work (the client's own checks refuse it) the test shows the refusal and runs the
nearest form that the client sends.
"""

import illumio
import pytest
from illumio import AMS, IllumioApiException, IllumioException, convert_draft_href_to_active, convert_protocol

from harness.api import unique


def label(pce, key, value):
    return pce.labels.create({"key": key, "value": unique(value)})


def four_labels(pce):
    return [label(pce, *kv) for kv in (("role", "R-Web"), ("app", "A-App"), ("env", "E-Dev"), ("loc", "L-NYC"))]


def hrefs(references):
    return sorted(reference.href for reference in references)


def test_events(pce):
    made = label(pce, "role", "R-Event")
    events = pce.events.get(params={"max_results": 5})
    assert 1 <= len(events) <= 5
    assert all(event.href.startswith("/orgs/1/events/") and event.event_type for event in events)
    created = pce.events.get(params={"event_type": "label.create", "max_results": 100})
    assert {event.event_type for event in created} == {"label.create"}
    match = [e for e in created for change in e.resource_changes or [] if change.resource.get("label", {}).get("href") == made.href]
    assert len(match) == 1
    event = match[0]
    assert (event.status, event.severity) == ("success", "info")
    assert event.created_by["user"]["href"].startswith("/users/")
    assert event.action.api_method == "POST" and event.action.api_endpoint.endswith("/orgs/1/labels")
    assert event.resource_changes[0].change_type == "create"
    assert event.resource_changes[0].changes["value"] == {"before": None, "after": made.value}
    assert pce.events.get_by_reference(event).href == event.href


def test_workload(pce):
    labels = four_labels(pce)
    workload = pce.workloads.create(
        illumio.Workload(
            name="Web 01", hostname="web01.lab.company.com", public_ip="10.8.17.229", labels=labels,
            interfaces=[illumio.Interface(name="lo0", address="127.0.0.1", link_state="up")],
            enforcement_mode=illumio.EnforcementMode.SELECTIVE, online=True,
        )
    )
    read = pce.workloads.get_by_reference(workload)
    for seen in (workload, read):
        assert seen.href.startswith("/orgs/1/workloads/")
        assert (seen.name, seen.hostname, seen.public_ip) == ("Web 01", "web01.lab.company.com", "10.8.17.229")
        assert hrefs(seen.labels) == hrefs(labels)
        assert [(i.name, i.address, i.link_state) for i in seen.interfaces] == [("lo0", "127.0.0.1", "up")]
        assert (seen.enforcement_mode, seen.online) == ("selective", True)


def test_vens_are_empty_until_agents_exist(pce):
    assert pce.vens.get() == []
    assert pce.vens.get_all() == []
    assert pce.vens.get_async() == []


def test_pairing_profile_and_key(pce):
    with pytest.raises(IllumioException, match="visibility_level"):
        illumio.PairingProfile(name="PP", enabled=True, visibility_level="flows_summary")
    profile = pce.pairing_profiles.create(
        illumio.PairingProfile(
            name=unique("PP-DATABASE-VENS"), enabled=True, enforcement_mode="visibility_only", visibility_level="flow_summary",
            allowed_uses_per_key=1, key_lifespan="unlimited", role_label_lock=True, app_label_lock=False,
        )
    )
    assert profile.href.startswith("/orgs/1/pairing_profiles/")
    assert (profile.enabled, profile.enforcement_mode, profile.visibility_level) == (True, "visibility_only", "flow_summary")
    assert (profile.allowed_uses_per_key, profile.key_lifespan) == (1, "unlimited")
    assert (profile.role_label_lock, profile.app_label_lock) == (True, False)
    first, second = (pce.generate_pairing_key(profile.href) for _ in range(2))
    assert isinstance(first, str) and len(first) >= 32 and first != second
    pce.pairing_profiles.update(profile, illumio.PairingProfile(enforcement_mode="selective"))
    pce.pairing_profiles.update(profile, illumio.PairingProfile(enabled=False))
    read = pce.pairing_profiles.get_by_reference(profile)
    assert (read.enabled, read.enforcement_mode) == (False, "selective")
    with pytest.raises(IllumioApiException, match="406"):
        pce.generate_pairing_key(profile.href)


def test_rule_set(pce):
    _, app, env, loc = four_labels(pce)
    scope = illumio.LabelSet(labels=[app, env, loc])
    name = unique("RS-RINGFENCE")
    ruleset = pce.rule_sets.create(illumio.RuleSet(name=name, scopes=[scope]))
    assert ruleset.href.startswith("/orgs/1/sec_policy/draft/rule_sets/")
    assert ruleset.name == name and ruleset.enabled is True
    assert pce.rule_sets.get_by_reference(ruleset).scopes == [scope]


def test_rule(pce):
    any_ip_list = pce.get_default_ip_list()
    role, app, env, loc = four_labels(pce)
    ruleset = pce.rule_sets.create(
        illumio.RuleSet(name=unique("RS-LAB-ALLOWLIST"), scopes=[illumio.LabelSet(labels=[app, env, loc])])
    )
    rule = pce.rules.create(
        illumio.Rule.build(
            providers=[role], consumers=[any_ip_list],
            ingress_services=[{"port": 80, "proto": "tcp"}, {"port": 443, "proto": "tcp"}], unscoped_consumers=True,
        ),
        parent=ruleset,
    )
    assert rule.href.startswith(ruleset.href + "/sec_rules/")
    assert rule.enabled is True and rule.unscoped_consumers is True
    assert [p.label.href for p in rule.providers] == [role.href]
    assert [c.ip_list.href for c in rule.consumers] == ["/orgs/1/sec_policy/draft/ip_lists/1"], "a draft rule shows draft hrefs"
    assert [(s.port, s.proto) for s in rule.ingress_services] == [(80, 6), (443, 6)]
    assert (rule.resolve_labels_as.providers, rule.resolve_labels_as.consumers) == (["workloads"], ["workloads"])
    assert [r.href for r in pce.rules.get(parent=ruleset)] == [rule.href]
    assert [r.href for r in pce.rules.get_all(parent=ruleset)] == [rule.href]
    assert [r.href for r in pce.rules.get_async(parent=ruleset)] == [rule.href]
    pce.rules.update(rule, {"enabled": False, "description": "off"})
    read = pce.rules.get_by_reference(rule)
    assert (read.enabled, read.description) == (False, "off")
    assert [r.href for r in pce.rule_sets.get_by_reference(ruleset).rules] == [rule.href]
    pce.rules.delete(rule)
    assert pce.rules.get(parent=ruleset) == []


def test_enforcement_boundary(pce):
    any_ip_list = pce.get_default_ip_list()
    boundary = pce.enforcement_boundaries.create(
        illumio.EnforcementBoundary.build(
            name=unique("EB-BLOCK-RDP"), providers=[AMS], consumers=[any_ip_list.href],
            ingress_services=[{"port": 3389, "proto": "tcp"}, {"port": 3389, "proto": "udp"}],
        )
    )
    assert boundary.href.startswith("/orgs/1/sec_policy/draft/enforcement_boundaries/")
    assert [p.actors for p in boundary.providers] == ["ams"]
    assert boundary.consumers[0].ip_list.href.endswith("/ip_lists/1")
    assert [(s.port, s.proto) for s in boundary.ingress_services] == [(3389, 6), (3389, 17)]


def test_enforcement_boundary_takes_a_whole_service_object(pce):
    service = pce.services.create(illumio.Service(name=unique("S-EB"), service_ports=[illumio.ServicePort(port=1, proto="tcp")]))
    boundary = pce.enforcement_boundaries.create(
        illumio.EnforcementBoundary.build(name=unique("EB"), providers=[AMS], consumers=[AMS], ingress_services=[service])
    )
    assert boundary.ingress_services[0].href == service.href
    other = pce.services.create(illumio.Service(name=unique("S-EB"), service_ports=[illumio.ServicePort(port=2, proto="tcp")]))
    pce.enforcement_boundaries.update(boundary, {"ingress_services": [service, other]})
    assert hrefs(pce.enforcement_boundaries.get_by_reference(boundary).ingress_services) == hrefs([service, other])


def test_ip_list_with_one_range(pce):
    name = unique("IPL-INTERNAL")
    with pytest.raises((AttributeError, IllumioApiException)):
        pce.ip_lists.create(illumio.IPList(name=name, ip_ranges=illumio.IPRange(from_ip="192.168.0.0/16")))
    made = pce.ip_lists.create(illumio.IPList(name=name, ip_ranges=[illumio.IPRange(from_ip="192.168.0.0/16")]))
    assert [r.from_ip for r in made.ip_ranges] == ["192.168.0.0/16"]
    assert made.fqdns == []


def test_ip_list_filters(pce):
    name = unique("IPL-filter")
    made = pce.ip_lists.create(
        illumio.IPList(name=name, ip_ranges=[illumio.IPRange(from_ip="203.0.113.0/24")], fqdns=[illumio.FQDN(fqdn="*.internal.labs.io")])
    )
    assert [o.href for o in pce.ip_lists.get(params={"name": name, "ip_address": "203.0.113.77"})] == [made.href]
    assert pce.ip_lists.get(params={"name": name, "ip_address": "203.0.114.1"}) == []
    assert [o.href for o in pce.ip_lists.get(params={"name": name, "fqdn": "internal.labs.io"})] == [made.href]
    pce.ip_lists.update(made, {"fqdns": []})
    assert pce.ip_lists.get_by_reference(made).fqdns == []


def test_label_and_usage(pce):
    value = unique("R-DB")
    made = pce.labels.create(illumio.Label(key="role", value=value))
    assert (made.key, made.value) == ("role", value) and made.href.startswith("/orgs/1/labels/")
    unused = pce.labels.get(params={"value": value, "usage": True})[0]
    assert unused.usage.label_group is False
    pce.label_groups.create(illumio.LabelGroup(key="role", name=unique("LG"), labels=[made]))
    assert pce.labels.get(params={"value": value, "usage": True})[0].usage.label_group is True
    assert pce.labels.get(params={"value": value.lower()})[0].href == made.href, "values match in any case"


def test_label_group(pce):
    dev, stage = label(pce, "env", "E-Dev"), label(pce, "env", "E-Stage")
    with pytest.raises(IllumioApiException, match="406"):
        pce.label_groups.create(illumio.LabelGroup(key="role", name=unique("LG-E-PreProd"), labels=[dev, stage]))
    group = pce.label_groups.create(illumio.LabelGroup(key="env", name=unique("LG-E-PreProd"), labels=[dev, stage]))
    assert group.href.startswith("/orgs/1/sec_policy/draft/label_groups/")
    assert group.key == "env" and hrefs(group.labels) == hrefs([dev, stage])
    test = label(pce, "env", "E-Test")
    pce.label_groups.update(group, {"labels": [dev, test]})
    assert hrefs(pce.label_groups.get_by_reference(group).labels) == hrefs([dev, test])
    pce.label_groups.update(group, {"labels": []})
    pce.labels.delete(dev)


def test_service(pce):
    ports = [illumio.ServicePort(port=80, proto="tcp"), illumio.ServicePort(port=443, proto="tcp")]
    name = unique("S-HTTP")
    service = pce.services.create(illumio.Service(name=name, service_ports=ports))
    assert service.href.startswith("/orgs/1/sec_policy/draft/services/")
    assert [(p.port, p.proto) for p in service.service_ports] == [(80, 6), (443, 6)]
    changed = [illumio.ServicePort(port=1, to_port=1023, proto="tcp"), illumio.ServicePort(port=53, proto="udp")]
    pce.services.update(service, {"service_ports": changed})
    assert pce.services.get_by_reference(service).service_ports == changed
    assert [s.href for s in pce.services.get(params={"name": name, "port": 443})] == [service.href]
    assert [s.href for s in pce.services.get(params={"name": name, "proto": 17})] == [service.href]
    assert pce.services.get(params={"name": name, "port": 2000}) == []


def test_virtual_service(pce):
    labels = four_labels(pce)
    tomcat = pce.services.create(
        illumio.Service(
            name=unique("S-Tomcat"),
            service_ports=[{"port": 80, "proto": convert_protocol("tcp")}, {"port": 443, "proto": convert_protocol("tcp")}],
        )
    )
    made = pce.virtual_services.create(
        illumio.VirtualService(name=unique("VS-Tomcat"), apply_to=illumio.ApplyTo.HOST_ONLY, service=tomcat, labels=labels)
    )
    assert made.href.startswith("/orgs/1/sec_policy/draft/virtual_services/")
    assert made.apply_to == "host_only" and made.update_type == "create"
    assert made.service.href == tomcat.href
    assert hrefs(made.labels) == hrefs(labels)
    assert sorted(made.caps) == ["provision", "write"]


def test_virtual_service_answer_of_the_example(pce):
    name = unique("VS-INTERNAL")
    made = pce.virtual_services.create(
        illumio.VirtualService(
            name=name, apply_to="host_only", ip_overrides=["1.2.3.4"],
            service_ports=[illumio.ServicePort(port=1234, proto=6), illumio.ServicePort(port=80, to_port=443, proto=17)],
            service_addresses=[
                illumio.ServiceAddress(ip="1.1.1.1", port=101),
                illumio.ServiceAddress(fqdn="*.illumio.com", description="test description"),
            ],
        )
    )
    read = pce.virtual_services.get_by_reference(made)
    assert [(p.port, p.to_port, p.proto) for p in read.service_ports] == [(1234, None, 6), (80, 443, 17)]
    assert [(a.ip, a.port, a.fqdn, a.description) for a in read.service_addresses] == [
        ("1.1.1.1", 101, None, None), (None, None, "*.illumio.com", "test description"),
    ]
    assert read.ip_overrides == ["1.2.3.4"] and read.pce_fqdn is None
    found = pce.virtual_services.get(params={"name": name, "service_address.fqdn": "*.illumio.com"})
    assert [v.href for v in found] == [made.href]
    assert [v.href for v in pce.virtual_services.get(params={"service_ports.port": 1234})] == [made.href]
    with pytest.raises(IllumioException, match="apply_to"):
        illumio.VirtualService(name="VS", apply_to="everywhere")


def test_service_binding(pce):
    workload = pce.workloads.create(
        illumio.Workload(name="haproxy0.company.com", hostname="haproxy0.company.com", public_ip="10.0.14.201")
    )
    virtual = pce.virtual_services.create(
        illumio.VirtualService(
            name=unique("VS-HAProxy"), apply_to=illumio.ApplyTo.HOST_ONLY, service_ports=[{"port": 443, "proto": convert_protocol("tcp")}]
        )
    )
    pce.provision_policy_changes(change_description="Create HAProxy virtual service", hrefs=[virtual.href])
    virtual.href = convert_draft_href_to_active(virtual.href)
    binding = illumio.ServiceBinding(
        virtual_service=virtual, workload=workload, port_overrides=[illumio.PortOverride(port=443, new_port=8443, proto="tcp")]
    )
    answer = pce.service_bindings.create([binding])
    assert answer["errors"] == []
    assert [b.href.startswith("/orgs/1/service_bindings/") for b in answer["service_bindings"]] == [True]
    bound = answer["service_bindings"][0]
    listed = pce.service_bindings.get(params={"virtual_service": virtual.href})
    assert [b.href for b in listed] == [bound.href]
    read = pce.service_bindings.get_by_reference(bound)
    assert read.workload.href == workload.href
    assert [(o.port, o.new_port, o.proto) for o in read.port_overrides] == [(443, 8443, 6)]
    pce.service_bindings.delete(bound)
    assert pce.service_bindings.get(params={"virtual_service": virtual.href}) == []


def test_container_cluster_shows_its_token_once(pce):
    cluster = pce.container_clusters.create(
        illumio.ContainerCluster(name=unique("CC-EKS-PROD"), description="Production Kubernetes cluster on AWS")
    )
    assert cluster.href.startswith("/orgs/1/container_clusters/")
    org, _, secret = cluster.container_cluster_token.partition("_")
    assert org == "1" and len(secret) == 64 and int(secret, 16) >= 0
    for seen in (pce.container_clusters.get_by_reference(cluster), pce.container_clusters.get_by_name(cluster.name)):
        assert seen.container_cluster_token is None
        assert seen.description == "Production Kubernetes cluster on AWS"
    pce.container_clusters.delete(cluster)


def test_container_workload_profile(pce):
    cluster = pce.container_clusters.create(illumio.ContainerCluster(name=unique("CC-EKS-PROD")))
    env, loc, role = label(pce, "env", "Production"), label(pce, "loc", "AWS"), label(pce, "role", "R-Restrict")
    before = pce.container_workload_profiles.get(parent=cluster)
    assert len(before) == 1, "a new cluster has its default profile"
    profile = pce.container_workload_profiles.create(
        illumio.ContainerWorkloadProfile(
            name="illumio-system", managed=True, enforcement_mode="visibility_only",
            labels=[illumio.LabelRestriction(key="env", assignment=env), illumio.LabelRestriction(key="loc", assignment=loc)],
        ),
        parent=cluster,
    )
    assert profile.href.startswith(cluster.href + "/container_workload_profiles/")
    assert (profile.name, profile.namespace, profile.managed) == ("illumio-system", None, True)
    assert profile.enforcement_mode == "visibility_only"
    assert {r.key: r.assignment.href for r in profile.labels} == {"env": env.href, "loc": loc.href}
    assert len(pce.container_workload_profiles.get(parent=cluster)) == 2
    restrictions = [
        illumio.LabelRestriction(key="env", assignment=env), illumio.LabelRestriction(key="loc", assignment=loc),
        illumio.LabelRestriction(key="role", restriction=[role]),
    ]
    pce.container_workload_profiles.update(profile, {"labels": restrictions})
    read = pce.container_workload_profiles.get_by_reference(profile)
    assert len(read.labels) == 3
    assert next(r for r in read.labels if r.key == "role").restriction[0].href == role.href
    pce.labels.delete(role)
    pce.container_workload_profiles.delete(profile)
    pce.container_clusters.delete(cluster)


def test_users(pce, boot):
    users = pce.users.get()
    owner = next(user for user in users if user.username == boot["email"])
    assert owner.href.startswith("/users/") and owner.type == "local"
    assert pce.users.get_by_reference(owner).username == boot["email"]


def test_href_helpers():
    draft, active = "/orgs/1/sec_policy/draft/ip_lists/1", "/orgs/1/sec_policy/active/ip_lists/1"
    assert illumio.convert_draft_href_to_active(draft) == active
    assert illumio.convert_active_href_to_draft(active) == draft
    assert illumio.convert_active_href_to_draft(draft) == draft
    assert (convert_protocol("tcp"), convert_protocol("UDP")) == (6, 17)
    with pytest.raises(IllumioException):
        convert_protocol("no-such-protocol")
