//! Intents and address sets.

use bulkhead_engine::Engine;
use bulkhead_ids::Id;
use bulkhead_model::{AddressSets, Mode, NetworkType, Peers};

use crate::world::World;

fn texts(engine: &Engine, workload: Id) -> (Vec<String>, Vec<String>) {
    let intent = engine.intent(workload).unwrap();
    let text = |entry: &std::sync::Arc<bulkhead_model::Entry>| {
        let peers = match &entry.peers {
            Peers::Any => "any".to_owned(),
            Peers::Set(id) => engine.addresses(*id).unwrap().to_string(),
            Peers::Names(names) => names.join(" "),
        };
        let services: Vec<String> = entry.services.iter().map(|s| s.ports.to_string()).collect();
        format!("{} {peers} {} {}", entry.effect.as_str(), services.join(" "), entry.rules.len())
    };
    (
        intent.table.inbound.iter().map(text).collect(),
        intent.table.outbound.iter().map(text).collect(),
    )
}

#[test]
fn entries_name_sets_that_all_hosts_share() {
    let mut world = World::new();
    let web = world.workload("web", "10.0.0.1", "role:Web");
    let db = world.workload("db", "10.0.0.2", "role:DB");
    world.workload("web2", "10.0.0.9", "role:Web");
    world.list("any", &["0.0.0.0/0", "::/0"], &[]);
    world.allow("role:DB", "role:Web");
    world.allow("ipl/any", "role:DB");
    let engine = world.engine();
    let inbound = vec!["allow 10.0.0.1,10.0.0.9 tcp/443 1".to_owned()];
    let to_any = vec!["allow any tcp/443 1".to_owned()];
    assert_eq!(texts(&engine, db), (inbound, to_any));
    assert_eq!(texts(&engine, web), (vec![], vec!["allow 10.0.0.2 tcp/443 1".to_owned()]));
    assert_eq!(engine.sets_of(web).len(), 1);
    assert_eq!(engine.intent(web).unwrap().mode, Mode::Full);
}

#[test]
fn equal_entries_are_one_and_not_logged_when_one_rule_says_so() {
    let mut world = World::new();
    let db = world.workload("db", "10.0.0.2", "role:DB");
    world.allow("role:DB", "role:Web");
    world.allow_with("role:DB", "role:Web", |rule| rule.no_log = true);
    let engine = world.engine();
    let table = engine.intent(db).unwrap().table;
    let [entry] = &table.inbound[..] else { panic!("{table:?}") };
    assert!(entry.flags.no_log);
    assert_eq!(entry.rules.len(), 2);
}

#[test]
fn a_relabel_keeps_set_ids() {
    let mut world = World::new();
    let db = world.workload("db", "10.0.0.2", "role:DB");
    world.workload("web", "10.0.0.1", "role:Web");
    world.allow("role:DB", "role:Web");
    let before = world.engine().sets_of(db);
    let other = world.label("role:Other");
    world.edit("web", |w| w.labels = vec![other]);
    let engine = world.engine();
    assert_eq!(engine.sets_of(db), before);
    assert!(engine.addresses(before[0]).unwrap().is_empty());
}

#[test]
fn r_brn_tells_endpoints_alone_of_other_networks() {
    let mut world = World::new();
    world.list("net", &["192.0.2.0/24"], &[]);
    let server = world.workload("server", "10.0.0.1", "");
    let laptop = world.workload("laptop", "10.0.0.2", "");
    world.edit("laptop", |w| w.endpoint = true);
    world.allow_with("ipl/net", "ams", |rule| rule.network_type = NetworkType::NonBrn);
    let engine = world.engine();
    assert_eq!(engine.intent(server).unwrap().table.outbound.len(), 0);
    assert_eq!(engine.intent(laptop).unwrap().table.outbound.len(), 1);
    assert_eq!(world.rules("laptop", "192.0.2.1").0, vec![]);
}

#[test]
fn unmanaged_and_unknown_workloads_have_no_intent() {
    let mut world = World::new();
    let id = world.workload("db", "10.0.0.2", "");
    world.edit("db", |w| w.managed = false);
    let engine = world.engine();
    assert_eq!(engine.intent(id), None);
    assert_eq!(engine.intent(Id::int(9_999)), None);
}
