"""The ring-fencing flow, and the quarantine flow that resembles it."""

import illumio
import pytest
from illumio import AMS, FQDN, IllumioApiException, IPList, IPRange, LabelSet, Rule, RuleSet, Workload

from harness.api import unique
from harness.flows import active, make_labels, make_service


def ring_fence(pce):
    """Everything of the example up to provisioning: (rule set, IP list, services)."""
    by = make_labels(pce, {"role": ["R-Elasticsearch", "R-Logstash", "R-Kibana"], "app": ["A-ELK"], "env": ["E-Dev", "E-Prod"], "loc": ["L-AWS"]})
    scopes = [LabelSet(labels=[by["A-ELK"], by[env], by["L-AWS"]]) for env in ("E-Dev", "E-Prod")]
    rule_set = pce.rule_sets.create(RuleSet(name=unique("RS-ELK"), scopes=scopes))
    internal = pce.ip_lists.create(
        IPList(
            name=unique("IPL-Internal"), description="Internal network IP subnets",
            ip_ranges=[IPRange(from_ip="10.8.0.0/16"), IPRange(from_ip="10.2.12.0", to_ip="10.2.19.255"), IPRange(from_ip="66.0.0.0/8")],
            fqdns=[FQDN(fqdn="*.lab.company.com")],
        )
    )
    web = make_service(pce, "S-Web", (80, "tcp"), (443, "tcp"))
    logstash = make_service(pce, "S-Logstash", (9600, "tcp"))
    rules = [
        Rule.build(consumers=[internal], providers=[by["R-Kibana"]], ingress_services=[web], unscoped_consumers=True),
        Rule.build(consumers=[AMS], providers=[by["R-Logstash"]], ingress_services=[logstash], unscoped_consumers=True),
        Rule.build(consumers=[AMS], providers=[AMS], ingress_services=[pce.get_default_service()]),
    ]
    for rule in rules:
        pce.rules.create(rule, parent=rule_set)
    return rule_set, internal, [web, logstash]


def test_ring_fencing_flow(pce):
    rule_set, internal, services = ring_fence(pce)
    draft = pce.rule_sets.get_by_reference(rule_set)
    assert len(draft.scopes) == 2 and len(draft.rules) == 3
    everything = draft.rules[2].ingress_services[0]
    assert everything.href == "/orgs/1/sec_policy/draft/services/1", "a draft rule shows draft hrefs"
    hrefs = [s.href for s in services] + [rule_set.href, internal.href]
    version = pce.provision_policy_changes("Provision ELK ring-fencing", hrefs)
    assert version.commit_message == "Provision ELK ring-fencing"
    live = pce.rule_sets.get_by_reference(active(rule_set))
    assert len(live.rules) == 3
    assert live.rules[0].consumers[0].ip_list.href.endswith(internal.href.rsplit("/", 1)[1])


def test_ring_fencing_without_its_new_ip_list_is_refused_by_name(pce):
    """The printed example leaves the new IP list out of the subset; the subset must be closed under dependencies."""
    rule_set, internal, services = ring_fence(pce)
    with pytest.raises(IllumioApiException, match="406") as caught:
        pce.provision_policy_changes("Provision ELK ring-fencing", [s.href for s in services] + [rule_set.href])
    assert internal.href in str(caught.value), "the refusal names what is missing"
    with pytest.raises(IllumioApiException, match="404"):
        pce.rule_sets.get_by_reference(active(rule_set))


def test_quarantine_flow(pce):
    by = make_labels(pce, {"app": ["A-Quarantine"], "env": ["E-Quarantine"], "loc": ["L-Quarantine"], "role": ["R-SecOpsJumpbox"]})
    zone = [by["A-Quarantine"], by["E-Quarantine"], by["L-Quarantine"]]
    ssh = make_service(pce, "SSH", (22, "tcp"))
    rdp = make_service(pce, "RDP", (3389, "tcp"), (3389, "udp"))
    rule_set = pce.rule_sets.create(
        RuleSet(name=unique("RS-Quarantine"), description="Segmentation rules for quarantining workloads", scopes=[LabelSet(labels=zone)])
    )
    for service in (ssh, rdp):
        rule = Rule.build(providers=[AMS], consumers=[by["R-SecOpsJumpbox"]], ingress_services=[service], unscoped_consumers=True)
        pce.rules.create(rule, parent=rule_set)
    pce.provision_policy_changes("Add quarantine policy object definitions", hrefs=[ssh.href, rdp.href, rule_set.href])
    address = "10.8.14.126"
    pce.workloads.create(
        Workload(name=unique("infected"), interfaces=[illumio.Interface(name="eth0", address=address, link_state="up")])
    )
    infected = pce.workloads.get(params={"ip_address": address})[0]
    pce.workloads.update(infected, Workload(labels=zone, enforcement_mode=illumio.EnforcementMode.FULL))
    seen = pce.workloads.get_by_reference(infected)
    assert sorted(label.href for label in seen.labels) == sorted(label.href for label in zone)
    assert seen.enforcement_mode == "full"
