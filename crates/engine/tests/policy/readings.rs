//! Decisions.

use std::sync::Arc;

use bulkhead_ids::Id;
use bulkhead_model::{
    DraftDecision, Interface, Mode, NearMiss, NearMissReason, Os, Resolve, Service, ServiceBinding,
    ServiceEntry, ServiceRef, Verdict, VirtualServer, VirtualService,
};
use bulkhead_netset::{ProtoPorts, ServiceSet};

use crate::world::{SET, World};

/// Two companies' worth of workloads: `web1`, `db1` of HRM in Prod, `db2` of HRM in Dev, `x` without labels.
fn hrm() -> World {
    let mut world = World::new();
    world.workload("web1", "10.0.0.1", "role:Web app:HRM env:Prod");
    world.workload("db1", "10.0.0.2", "role:DB app:HRM env:Prod");
    world.workload("db2", "10.0.0.3", "role:DB app:HRM env:Dev");
    world.workload("x", "10.0.0.4", "");
    world
}

#[test]
fn r_side_labels_are_any_within_a_key_and_all_between_keys() {
    let mut world = hrm();
    let rule = world.allow("role:DB role:Cache env:Prod", "role:Web");
    assert_eq!(world.rules("web1", "db1"), (vec![rule], vec![rule]));
    assert_eq!(world.rules("web1", "db2"), (vec![], vec![]));
}

#[test]
fn r_side_workloads_and_lists_stand_beside_labels() {
    let mut world = hrm();
    world.list("net", &["192.0.2.0/24"], &[]);
    let rule = world.allow("role:DB env:Prod wl/x", "role:Web ipl/net");
    assert_eq!(world.rules("web1", "x"), (vec![rule], vec![rule]));
    assert_eq!(world.rules("192.0.2.7", "db1"), (vec![], vec![rule]));
    assert_eq!(world.rules("192.0.2.7", "db2"), (vec![], vec![]));
}

#[test]
fn r_exclusion_needs_some_label_of_the_key() {
    let mut world = hrm();
    let rule = world.allow("!env:Dev", "ams");
    assert_eq!(world.rules("x", "db1").1, vec![rule]);
    assert_eq!(world.rules("x", "db2").1, vec![]);
    assert_eq!(world.rules("web1", "x").1, vec![]);
}

#[test]
fn r_ams_excl_takes_the_exclusions_alone() {
    let mut world = hrm();
    let rule = world.allow("ams !env:Dev", "ams");
    assert_eq!(world.rules("web1", "x").1, vec![]);
    assert_eq!(world.rules("x", "web1").1, vec![rule]);
}

#[test]
fn r_scopes_do_not_see_each_other() {
    let mut world = hrm();
    let scopes = vec![world.scope("env:Prod"), world.scope("env:Dev")];
    world.rule_set(SET, scopes);
    let rule = world.allow("role:DB", "ams");
    assert_eq!(world.rules("web1", "db1").1, vec![rule]);
    assert_eq!(world.rules("web1", "db2").1, vec![]);
}

#[test]
fn r_scope_group_expands_to_scopes_of_their_own() {
    let mut world = hrm();
    world.group("Both", "env", &["env:Prod", "env:Dev"]);
    let scopes = vec![world.scope("Both")];
    world.rule_set(SET, scopes);
    world.allow("role:DB", "ams");
    assert_eq!(world.rules("web1", "db2").1, vec![]);
    let extra = world.allow_with("role:DB", "ams", |rule| rule.unscoped_consumers = true);
    assert_eq!(world.rules("web1", "db2"), (vec![extra], vec![extra]));
}

#[test]
fn r_scope_wl_needs_the_scope_on_a_scoped_side() {
    let mut world = hrm();
    let scopes = vec![world.scope("env:Prod")];
    world.rule_set(SET, scopes);
    world.allow("wl/db2", "ams");
    assert_eq!(world.rules("web1", "db2").1, vec![]);
}

#[test]
fn r_dangling_narrows() {
    let mut world = hrm();
    world.allow("role:DB env:Gone", "ams");
    world.allow("role:DB !env:Gone", "ams");
    let gone = world.id("env:Gone");
    world.snapshot.labels.remove(&gone);
    assert_eq!(world.rules("web1", "db1"), (vec![], vec![]));
}

#[test]
fn r_dangling_empty_group() {
    let mut world = hrm();
    world.group("Empty", "env", &[]);
    world.allow("role:DB lg/Empty", "ams");
    let rule = world.allow("!lg/Empty", "ams");
    assert_eq!(world.rules("web1", "db1").1, vec![rule]);
    assert_eq!(world.rules("web1", "x").1, vec![]);
}

#[test]
fn r_one_end_lists_open_one_end() {
    let mut world = hrm();
    world.list("net", &["10.0.0.0/24"], &[]);
    let rule = world.allow("role:DB", "ipl/net");
    assert_eq!(world.rules("web1", "db1"), (vec![], vec![rule]));
    world.allow("ipl/net", "ipl/net");
    assert_eq!(world.rules("web1", "x"), (vec![], vec![]));
}

#[test]
fn r_deny_dir() {
    let mut world = hrm();
    world.list("net", &["192.0.2.0/24"], &[]);
    let deny = world.deny("role:DB ipl/net", "role:Web", true);
    assert_eq!(world.rules("web1", "db1"), (vec![], vec![deny]));
    assert_eq!(world.rules("web1", "192.0.2.1"), (vec![deny], vec![]));
}

#[test]
fn r_draft_order() {
    let mut world = hrm();
    world.allow("role:DB", "ams");
    world.deny("role:DB", "ams", false);
    assert_eq!(world.decide("web1", "db1").decision, DraftDecision::AllowedAcrossBoundary);
    world.deny("env:Prod", "ams", true);
    assert_eq!(world.decide("web1", "db1").decision, DraftDecision::BlockedByOverrideDeny);
    world.edit("db1", |w| w.mode = Mode::VisibilityOnly);
    let decision = world.decide("web1", "db1");
    assert_eq!(decision.decision, DraftDecision::PotentiallyBlockedByOverrideDeny);
    assert_eq!(decision.destination.verdict, Some(Verdict::PotentiallyBlocked));
    assert_eq!(decision.destination.by_mode.unwrap().selective, Verdict::Blocked);
}

#[test]
fn r_all_ips_except() {
    let mut world = hrm();
    let rule = world.allow_with("role:DB", "ams", |rule| rule.all_ips_except_providers = true);
    assert_eq!(world.rules("web1", "192.0.2.1"), (vec![rule], vec![]));
    assert_eq!(world.rules("web1", "x"), (vec![rule], vec![]));
    assert_eq!(world.rules("web1", "db1"), (vec![], vec![]));
}

#[test]
fn r_network_keeps_address_spaces_apart() {
    let mut world = hrm();
    let rule = world.allow("ams", "role:Web");
    world.edit("db1", |w| {
        w.interfaces[0].network = Some(Id::int(7));
        w.public_ip = Some("198.51.100.2".parse().unwrap());
    });
    assert_eq!(world.rules("10.0.0.1", "db1").1, vec![]);
    assert_eq!(world.rules("web1", "198.51.100.2").0, vec![rule]);
    world.edit("web1", |w| w.public_ip = Some("198.51.100.1".parse().unwrap()));
    assert_eq!(world.rules("198.51.100.1", "db1").1, vec![rule]);
}

#[test]
fn r_subnets() {
    let mut world = hrm();
    let rule = world.allow_with("role:DB", "role:Web", |rule| rule.consumer_subnets = true);
    assert_eq!(world.rules("10.0.0.99", "db1").1, vec![rule]);
    assert_eq!(world.rules("10.0.1.99", "db1").1, vec![]);
}

#[test]
fn r_own_address() {
    let mut world = hrm();
    let decision = world.decide("web1", "web1");
    assert_eq!(decision.decision, DraftDecision::Allowed);
    assert_eq!(decision.source.verdict, Some(Verdict::Allowed));
}

#[test]
fn r_proc_in_and_out() {
    let mut world = hrm();
    let service = Service {
        entries: vec![ServiceEntry {
            ports: ProtoPorts::tcp(443).into(),
            windows: true,
            process: Some("sqlservr.exe".into()),
            windows_service: None,
        }],
        egress: Vec::new(),
    };
    let id = world.id("sql");
    world.snapshot.services.insert(id, Arc::new(service));
    let rule =
        world.allow_with("role:DB", "role:Web", |r| r.services = vec![ServiceRef::Service(id)]);
    world.edit("db2", |w| w.os = Os::Windows);
    let mut flow = world.flow("web1", "db2");
    let ends = |world: &World, flow: &_| {
        let decision = world.engine().decide(flow);
        (decision.source.rules.len(), decision.destination.rules.len())
    };
    assert_eq!(ends(&world, &flow), (1, 0));
    flow.process = Some(r"C:\Program Files\SQL\SqlServr.exe".into());
    assert_eq!(ends(&world, &flow), (1, 1));
    assert_eq!(world.rules("web1", "db1"), (vec![rule], vec![]));
}

#[test]
fn r_service_needs_every_part_of_a_wide_flow() {
    let mut world = hrm();
    world.allow_with("role:DB", "role:Web", |rule| {
        let text = |t: &str| ServiceRef::Inline(t.parse::<ProtoPorts>().unwrap().into());
        rule.services = vec![text("tcp/0-999"), text("tcp/1000-65535")];
    });
    let mut flow = world.flow("web1", "db1");
    flow.service = ProtoPorts::protocol(6);
    assert_eq!(world.engine().decide(&flow).decision, DraftDecision::Allowed);
    flow.service = ProtoPorts::ALL;
    assert_eq!(world.engine().decide(&flow).decision, DraftDecision::Blocked);
}

fn virtual_service(world: &mut World, service: VirtualService, on: &[&str]) -> Id {
    let id = world.id("vs");
    world.snapshot.virtual_services.insert(id, Arc::new(service));
    for name in on {
        let (binding, workload) = (world.id(&format!("bind {name}")), world.id(name));
        let row = ServiceBinding { virtual_service: id, workload, port_overrides: Vec::new() };
        world.snapshot.bindings.insert(binding, Arc::new(row));
    }
    id
}

#[test]
fn r_vs_provider_by_its_own_labels_with_its_own_ports() {
    let mut world = hrm();
    let labels = vec![world.label("role:Mail")];
    let ports = ProtoPorts::tcp(25).into();
    virtual_service(&mut world, VirtualService { labels, ports, ..<_>::default() }, &["x"]);
    let rule = world.allow_with("role:Mail", "role:Web", |rule| {
        rule.resolve_providers = Resolve { workloads: false, virtual_services: true };
        rule.services = Vec::new();
    });
    let mut flow = world.flow("web1", "x");
    assert_eq!(world.engine().decide(&flow).decision, DraftDecision::Blocked);
    flow.service = ProtoPorts::tcp(25);
    let decision = world.engine().decide(&flow);
    assert_eq!(decision.destination.rules.first().map(|r| r.0), Some(rule));
    assert_eq!(decision.source.rules.first().map(|r| r.0), Some(rule));
}

#[test]
fn r_vs_ports_replaces_overridden_ports() {
    let mut world = hrm();
    let ports = ProtoPorts::tcp(25).into();
    let vs = virtual_service(&mut world, VirtualService { ports, ..<_>::default() }, &["x"]);
    let binding = world.id("bind x");
    let row = ServiceBinding {
        virtual_service: vs,
        workload: world.id("x"),
        port_overrides: vec![(ProtoPorts::tcp(25).into(), ProtoPorts::tcp(443).into())],
    };
    world.snapshot.bindings.insert(binding, Arc::new(row));
    let rule = world.allow("vs/vs", "role:Web");
    assert_eq!(world.rules("web1", "x"), (vec![rule], vec![rule]));
    let mut flow = world.flow("web1", "x");
    flow.service = ProtoPorts::tcp(25);
    assert_eq!(world.engine().decide(&flow).decision, DraftDecision::Blocked);
}

#[test]
fn r_vserver_is_reached_at_its_address() {
    let mut world = hrm();
    let id = world.id("vip");
    let server = VirtualServer {
        labels: Vec::new(),
        address: Some("203.0.113.9".parse().unwrap()),
        ports: ServiceSet::from(ProtoPorts::tcp(443)),
    };
    world.snapshot.virtual_servers.insert(id, Arc::new(server));
    let rule = world.allow_with("server/vip", "role:Web", |rule| rule.services = Vec::new());
    assert_eq!(world.rules("web1", "203.0.113.9"), (vec![rule], vec![]));
    assert_eq!(world.rules("db1", "203.0.113.9"), (vec![], vec![]));
}

#[test]
fn r_fqdn_is_outbound_and_by_label() {
    let mut world = hrm();
    world.list("names", &[], &["*.example.com"]);
    let rule = world.allow("ipl/names", "ams");
    let mut flow = world.flow("web1", "192.0.2.1");
    for (name, hits) in [("a.example.com", 1), ("A.Example.Com", 1), ("a.b.example.com", 0)] {
        flow.dst_fqdn = Some(name.into());
        let decision = world.engine().decide(&flow);
        assert_eq!(decision.source.rules.len(), hits, "{name}");
    }
    flow.dst_fqdn = Some("www.example.com".into());
    assert_eq!(world.engine().decide(&flow).source.rules[0].0, rule);
}

#[test]
fn r_disabled() {
    let mut world = hrm();
    world.allow_with("role:DB", "ams", |rule| rule.enabled = false);
    assert_eq!(world.rules("web1", "db1"), (vec![], vec![]));
    world.allow("role:DB", "ams");
    world.snapshot.rule_sets.clear();
    assert_eq!(world.rules("web1", "db1"), (vec![], vec![]));
}

#[test]
fn r_unmanaged_is_answered_and_enforces_nothing() {
    let mut world = hrm();
    world.edit("db1", |w| w.managed = false);
    let rule = world.allow("role:DB", "ams");
    let decision = world.decide("web1", "db1");
    assert_eq!(decision.destination.verdict, None);
    assert_eq!(decision.destination.rules[0].0, rule);
    assert_eq!(decision.decision, DraftDecision::Allowed);
}

#[test]
fn r_flow_address_takes_a_family_that_both_have() {
    let mut world = hrm();
    let v6 = |address: &str| Interface {
        name: "eth1".into(),
        address: address.parse().unwrap(),
        prefix: None,
        network: None,
        ignored: false,
    };
    world.edit("web1", |w| w.interfaces.push(v6("fd00::1")));
    world.edit("db1", |w| w.interfaces = vec![v6("fd00::2")]);
    let rule = world.allow("role:DB", "role:Web");
    assert_eq!(world.rules("web1", "db1"), (vec![rule], vec![rule]));
    assert_eq!(world.rules("fd00::1", "db1").1, vec![rule]);
}

#[test]
fn r_near_miss_names_the_one_condition_that_is_missing() {
    let mut world = hrm();
    let port = world.allow_with("role:DB", "role:Web", |rule| {
        rule.services = vec![ServiceRef::Inline(ProtoPorts::tcp(22).into())];
    });
    let consumer = world.allow("role:DB", "role:App");
    let provider = world.allow("role:Cache", "role:Web");
    world.allow("role:Cache", "role:App");
    let flow = world.flow("web1", "db1");
    let decision = world.engine().explain(&flow);
    let miss = |rule, reason| NearMiss { rule, reason };
    let expected = vec![
        miss(port, NearMissReason::Service),
        miss(consumer, NearMissReason::Consumer),
        miss(provider, NearMissReason::Provider),
    ];
    assert_eq!(decision.near_misses, expected);
}

#[test]
fn many_decisions_are_those_of_single_flows() {
    let mut world = hrm();
    world.allow("role:DB", "role:Web");
    let flows =
        [world.flow("web1", "db1"), world.flow("db1", "web1"), world.flow("x", "192.0.2.1")];
    let engine = world.engine();
    let single: Vec<_> = flows.iter().map(|flow| engine.decide(flow).decision).collect();
    assert_eq!(engine.decide_many(&flows), single);
}
