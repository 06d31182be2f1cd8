"""The nano-segmentation flow: labels, groups, services, two rule sets of seven rules each, one provisioning."""

import illumio
import pytest
from illumio import IllumioApiException, LabelGroup, LabelSet, Rule, RuleSet, Workload

from harness.api import unique
from harness.flows import active, make_labels, make_service

TABLE = {
    "role": ["R-Web", "R-HAProxy", "R-LB", "R-Redis", "R-PgSQL"],
    "app": ["A-ShoppingCart"],
    "env": ["E-Dev", "E-Staging", "E-Prod"],
    "loc": ["L-US-East-1", "L-US-East-2", "L-US-West-1"],
}


def build_rules(pce, by, web, cart, redis, postgres):
    any_list = pce.get_default_ip_list()
    return [
        Rule.build(consumers=[any_list], providers=[by["R-LB"]], ingress_services=[web], unscoped_consumers=True),
        Rule.build(consumers=[by["R-LB"]], providers=[by["R-HAProxy"]], ingress_services=[web]),
        Rule.build(consumers=[by["R-HAProxy"]], providers=[by["R-Web"]], ingress_services=[cart]),
        Rule.build(consumers=[by["R-Web"]], providers=[by["R-Redis"]], ingress_services=[redis]),
        Rule.build(consumers=[by["R-Web"]], providers=[by["R-PgSQL"]], ingress_services=[postgres]),
        Rule.build(consumers=[by["R-Redis"]], providers=[by["R-Redis"]], ingress_services=[redis]),
        Rule.build(consumers=[by["R-PgSQL"]], providers=[by["R-PgSQL"]], ingress_services=[postgres]),
    ]


def test_nano_segmentation_flow(pce):
    by = make_labels(pce, TABLE)
    preprod = pce.label_groups.create(LabelGroup(name=unique("LG-E-PreProd"), key="env", labels=[by["E-Dev"], by["E-Staging"]]))
    places = [by["L-US-East-1"], by["L-US-East-2"], by["L-US-West-1"]]
    us = pce.label_groups.create(LabelGroup(name=unique("LG-L-US"), key="loc", labels=places))
    rule_sets = [
        pce.rule_sets.create(RuleSet(name=unique(name), scopes=[LabelSet(labels=[by["A-ShoppingCart"], env, us])]))
        for name, env in (("RS-ShoppingCart-PreProd", preprod), ("RS-ShoppingCart-Prod", by["E-Prod"]))
    ]
    redis = make_service(pce, "S-Redis", (6379, "tcp"), (16379, "tcp"))
    web = make_service(pce, "S-Web", (80, "tcp"), (443, "tcp"))
    cart = make_service(pce, "S-ShoppingCartWeb", (8443, "tcp"))
    postgres = make_service(pce, "S-PostgreSQL", (5432, "tcp"))
    for rule_set in rule_sets:
        for rule in build_rules(pce, by, web, cart, redis, postgres):
            pce.rules.create(rule, parent=rule_set)
    everything = [preprod, us, redis, web, cart, postgres, *rule_sets]
    version = pce.provision_policy_changes("Provision web app nano-segmentation", [o.href for o in everything])
    assert version.version >= 1 and version.object_counts.rule_sets >= 2
    for rule_set in rule_sets:
        seen = pce.rule_sets.get_by_reference(active(rule_set))
        assert len(seen.rules) == 7
        assert all("/active/" in rule.href for rule in seen.rules)
        assert seen.update_type is None
    for thing, objects in ((preprod, pce.label_groups), (web, pce.services)):
        assert objects.get_by_reference(active(thing)).name == thing.name
        assert objects.get_by_reference(thing).update_type is None, "nothing is pending after provisioning"
    scopes = pce.rule_sets.get_by_reference(rule_sets[0]).scopes
    assert scopes == [LabelSet(labels=[by["A-ShoppingCart"], preprod, us])]


def test_every_flow_of_the_segmented_application_is_explained(pce):
    by = make_labels(pce, TABLE)
    envs = {"prod": by["E-Prod"], "staging": by["E-Staging"]}
    hosts, address = {}, {}
    for number, (env, env_label) in enumerate(envs.items()):
        for role in TABLE["role"]:
            ip = f"198.18.{number}.{TABLE['role'].index(role) + 1}"
            labels = [by[role], by["A-ShoppingCart"], env_label, by["L-US-East-1"]]
            made = pce.workloads.create(Workload(name=unique(f"{role}-{env}"), hostname=f"{role}.{env}".lower(), public_ip=ip, labels=labels))
            hosts[env, role], address[env, role] = made, ip
    scopes = [LabelSet(labels=[by["A-ShoppingCart"], label]) for label in envs.values()]
    rule_set = pce.rule_sets.create(RuleSet(name=unique("RS-Explained"), scopes=scopes))
    services = [
        make_service(pce, "S-Web", (80, "tcp"), (443, "tcp")), make_service(pce, "S-Cart", (8443, "tcp")),
        make_service(pce, "S-Redis", (6379, "tcp"), (16379, "tcp")), make_service(pce, "S-PostgreSQL", (5432, "tcp")),
    ]
    made = [pce.rules.create(rule, parent=rule_set) for rule in build_rules(pce, by, *services)]
    pce.provision_policy_changes("Explained", [rule_set.href, *(s.href for s in services)])
    internet = {"ip": "203.0.113.99"}

    def end(env, role):
        return {"workload": {"href": hosts[env, role].href}}

    asked = [
        # source, destination, port, whether the destination would let it in, which rule says so
        (internet, end("prod", "R-LB"), 443, True, 0),
        (end("prod", "R-LB"), end("prod", "R-HAProxy"), 80, True, 1),
        (end("prod", "R-HAProxy"), end("prod", "R-Web"), 8443, True, 2),
        (end("prod", "R-Web"), end("prod", "R-Redis"), 6379, True, 3),
        (end("prod", "R-Web"), end("prod", "R-PgSQL"), 5432, True, 4),
        (end("staging", "R-Web"), end("staging", "R-PgSQL"), 5432, True, 4),
        (internet, end("prod", "R-PgSQL"), 5432, False, None),
        (end("prod", "R-LB"), end("prod", "R-PgSQL"), 5432, False, None),
        (end("staging", "R-Web"), end("prod", "R-PgSQL"), 5432, False, None),
        (end("prod", "R-Web"), end("prod", "R-PgSQL"), 22, False, None),
    ]
    flows = [{"src": src, "dst": dst, "proto": 6, "port": port} for src, dst, port, _, _ in asked]
    for version in ("draft", "active"):
        answer = pce.post("/x/explain", json={"pversion": version, "flows": flows}, include_org=True).json()
        assert len(answer["results"]) == len(asked)
        for (_, _, port, allowed, rule), result in zip(asked, answer["results"]):
            destination = result["destination"]
            assert destination["by_mode"]["full"] == ("allowed" if allowed else "blocked"), (port, result)
            assert destination["verdict"] is None, "nobody enforces on an unmanaged host"
            wanted = [] if rule is None else [{"href": made[rule].href.replace("/draft/", f"/{version}/"), "effect": "allow"}]
            assert destination["rules"] == wanted
    by_address = [{"src": {"ip": address["prod", "R-Web"]}, "dst": {"ip": address["prod", "R-PgSQL"]}, "proto": 6, "port": 5432}]
    answer = pce.post("/x/explain", json={"flows": by_address}, include_org=True).json()
    assert answer["results"][0]["destination"]["workload"] == {"href": hosts["prod", "R-PgSQL"].href}
    assert answer["results"][0]["destination"]["by_mode"]["full"] == "allowed"


def test_new_environment_joins_by_its_label_group(pce):
    by = make_labels(pce, {"env": ["E-Dev", "E-Test"]})
    group = pce.label_groups.create(LabelGroup(name=unique("LG-E-PreProd"), key="env", labels=[by["E-Dev"]]))
    pce.provision_policy_changes("group", [group.href])
    pce.label_groups.update(group, {"labels": [by["E-Dev"], by["E-Test"]]})
    assert pce.label_groups.get_by_reference(group).update_type == "update"
    assert len(pce.label_groups.get_by_reference(active(group)).labels) == 1
    pce.provision_policy_changes("with test", [group.href])
    assert len(pce.label_groups.get_by_reference(active(group)).labels) == 2


def test_labelling_workloads_in_bulk(pce):
    by = make_labels(pce, {"role": ["R-MLFlowServer", "R-DB"], "app": ["A-MLFlow"], "env": ["E-Dev"], "loc": ["L-Azure"]})
    prefix = unique("MLFlow")
    hosts = [("Tracking Server", "mlflow", "10.2.14.170"), ("DB Leader", "db0", "10.2.15.13"), ("DB RO Replica 0", "db1", "10.2.15.14")]
    made = pce.workloads.bulk_create(
        [Workload(name=f"{prefix} {n}", hostname=f"{h}.lab.company.com", public_ip=ip) for n, h, ip in hosts]
    )
    assert not any(r["errors"] for r in made)
    server = pce.workloads.get(params={"name": f"{prefix} Tracking"})[0]
    common = [by["A-MLFlow"], by["E-Dev"], by["L-Azure"]]
    pce.workloads.update(server, Workload(labels=[by["R-MLFlowServer"], *common]))
    databases = [r["href"] for r in made if r["href"] != server.href]
    assert len(databases) == 2
    results = pce.workloads.bulk_update([Workload(href=href, labels=[by["R-DB"], *common]) for href in databases])
    assert not any(r["errors"] for r in results)
    query = f'[["{by["R-DB"].href}","{by["A-MLFlow"].href}"]]'
    found = pce.workloads.get(params={"labels": query})
    assert sorted(w.href for w in found) == sorted(databases)
    either = f'[["{by["R-DB"].href}"],["{by["R-MLFlowServer"].href}"]]'
    assert len(pce.workloads.get(params={"labels": either})) == 3


def test_virtual_services_of_two_applications(pce):
    by = make_labels(pce, {"role": ["R-RabbitMQ"], "app": ["A-Notifier", "A-NewsFeed"], "env": ["E-Prod"], "loc": ["L-AWS"]})
    ports = [illumio.ServicePort(port=5671, to_port=5672, proto="tcp"), illumio.ServicePort(port=15671, to_port=15672, proto="tcp")]
    rabbit = pce.services.create(illumio.Service(name=unique("S-RabbitMQ"), service_ports=ports))
    virtual = {}
    for app in ("A-Notifier", "A-NewsFeed"):
        labels = [by["R-RabbitMQ"], by[app], by["E-Prod"], by["L-AWS"]]
        body = illumio.VirtualService(name=unique(f"VS-{app}"), apply_to=illumio.ApplyTo.HOST_ONLY, service=rabbit, labels=labels)
        virtual[app] = pce.virtual_services.create(body)
    host = pce.workloads.create(Workload(name=unique("RabbitMQ Prod"), hostname="rmq0.company.com", public_ip="10.0.129.44"))
    pce.provision_policy_changes("Create RabbitMQ virtual services", [rabbit.href, *(v.href for v in virtual.values())])
    bindings = [
        illumio.ServiceBinding(
            virtual_service=illumio.Reference(href=active(service)), workload=host,
            port_overrides=[illumio.PortOverride(port=5671, new_port=start, new_to_port=start + 1, proto="tcp")],
        )
        for service, start in zip(virtual.values(), (5673, 5675))
    ]
    answer = pce.service_bindings.create(bindings)
    assert answer["errors"] == [] and len(answer["service_bindings"]) == 2
    assert len(pce.service_bindings.get(params={"workload": host.href})) == 2
    scope = LabelSet(labels=[by["A-NewsFeed"], by["E-Prod"], by["L-AWS"]])
    rule_set = pce.rule_sets.create(RuleSet(name=unique("RS-NewsFeed-Prod"), scopes=[scope]))
    rule = Rule.build(
        consumers=[illumio.AMS], providers=[by["R-RabbitMQ"]], ingress_services=[],
        resolve_providers_as=[illumio.RESOLVE_AS_VIRTUAL_SERVICES],
    )
    made = pce.rules.create(rule, parent=rule_set)
    assert made.resolve_labels_as.providers == ["virtual_services"] and made.ingress_services == []
    with pytest.raises(IllumioApiException, match="406"):
        pce.virtual_services.delete(virtual["A-Notifier"])
