//! After every change the engine is what a fresh computation would be.

use std::collections::BTreeMap;
use std::sync::Arc;

use bulkhead_engine::Engine;
use bulkhead_ids::Id;
use bulkhead_model::{
    Actor, AddressSets, AllowRule, Change, Flow, FlowEnd, Intent, IpList, LabelGroup, Mode, SetId,
    Workload,
};
use bulkhead_netset::{IpSet, ProtoPorts};

use crate::world::{SET, World};

type Sets = BTreeMap<SetId, Arc<IpSet>>;

fn intents(engine: &Engine) -> (BTreeMap<Id, Intent>, Sets) {
    let ids = engine.snapshot().workloads.keys();
    let intents = ids.clone().filter_map(|id| Some((*id, engine.intent(*id)?))).collect();
    let sets = ids.flat_map(|id| engine.sets_of(*id));
    (intents, sets.map(|id| (id, engine.addresses(id).unwrap())).collect())
}

/// Applies a change and compares everything with a fresh computation, and the effects with the difference.
fn step(engine: &mut Engine, changes: &[Change]) {
    let (before, sets_before) = intents(engine);
    let effects = engine.apply(changes);
    let fresh = Engine::new(engine.snapshot().clone());
    let (now, sets_now) = intents(engine);
    assert_eq!((&now, &sets_now), (&intents(&fresh).0, &intents(&fresh).1), "{changes:?}");
    for id in before.keys().chain(now.keys()) {
        if before.get(id) != now.get(id) {
            assert!(effects.workloads.contains(id), "{id:?} {changes:?}");
        }
    }
    for (id, set) in &sets_before {
        let Some(now) = sets_now.get(id) else { continue };
        let delta = effects.sets.iter().find(|d| d.id == *id);
        let (added, removed) =
            delta.map_or_else(Default::default, |d| (d.added.clone(), d.removed.clone()));
        assert_eq!(set.difference(&removed).union(&added), **now, "{changes:?}");
    }
    for src in engine.snapshot().workloads.keys() {
        for dst in engine.snapshot().workloads.keys() {
            let end = |id: &Id| FlowEnd { workload: Some(*id), ip: None };
            let flow = Flow::new(end(src), end(dst), ProtoPorts::tcp(443));
            assert_eq!(engine.decide(&flow), fresh.decide(&flow), "{changes:?}");
        }
    }
}

fn world() -> World {
    let mut world = World::new();
    for (n, (role, env)) in
        [("Web", "Prod"), ("Web", "Dev"), ("DB", "Prod"), ("DB", "Dev"), ("App", "Prod")]
            .into_iter()
            .enumerate()
    {
        let labels = format!("role:{role} env:{env}");
        world.workload(&format!("w{n}"), &format!("10.0.0.{n}"), &labels);
    }
    world.group("G", "env", &["env:Prod", "env:Dev"]);
    world.list("L", &["192.0.2.0/24"], &["*.example.com"]);
    let scopes = vec![world.scope("G")];
    world.rule_set(SET, scopes);
    world.allow("role:DB ipl/L", "role:Web");
    world.allow("!role:DB wl/w0", "ams");
    world.allow_with("role:DB", "ams", |rule| rule.all_ips_except_consumers = true);
    world.allow_with("role:Web", "role:App", |rule| rule.consumer_subnets = true);
    world.deny("role:DB", "wl/w1", true);
    world
}

fn relabel(world: &mut World, name: &str, labels: &str) -> Change {
    let id = world.id(name);
    let mut workload: Workload = (*world.snapshot.workloads[&id]).clone();
    workload.labels = labels.split_whitespace().map(|l| world.label(l)).collect();
    workload.labels.sort();
    Change::Workload(id, Some(Arc::new(workload)))
}

#[test]
fn relabels_and_edits_one_by_one_and_together() {
    let mut world = world();
    let mut changes = vec![
        relabel(&mut world, "w0", "role:DB env:Dev"),
        relabel(&mut world, "w2", ""),
        relabel(&mut world, "w4", "role:Web"),
    ];
    let (group, list, web) = (world.id("G"), world.id("L"), world.label("role:Web"));
    let small = LabelGroup { key: "env".into(), labels: vec![], sub_groups: vec![group] };
    changes.push(Change::LabelGroup(group, Some(Arc::new(small))));
    let ranges = ["198.51.100.0/24".parse().unwrap(), "192.0.2.0/25".parse().unwrap()];
    let edited = IpList {
        addresses: Arc::new(IpSet::from_iter::<[bulkhead_netset::IpRange; 2]>(ranges)),
        fqdns: vec![],
    };
    changes.push(Change::IpList(list, Some(Arc::new(edited))));
    let any = IpList { addresses: Arc::new(IpSet::all()), fqdns: vec![] };
    changes.push(Change::IpList(list, Some(Arc::new(any))));
    changes.push(Change::IpList(list, None));
    changes.push(Change::Label(web, None));
    let rule = AllowRule {
        enabled: true,
        providers: vec![Actor::Workload(world.id("w3"))],
        consumers: vec![Actor::AllWorkloads],
        services: vec![bulkhead_model::ServiceRef::Inline(ProtoPorts::tcp(443).into())],
        ..AllowRule::default()
    };
    changes.push(Change::AllowRule((SET, Id::int(7)), Some(Arc::new(rule))));
    changes.push(Change::Workload(world.id("w3"), None));
    let engine = world.engine();
    let mut one_by_one = engine.clone();
    for change in &changes {
        step(&mut one_by_one, std::slice::from_ref(change));
    }
    step(&mut engine.clone(), &changes);
    let mut reversed = engine.clone();
    changes.reverse();
    for change in &changes {
        step(&mut reversed, std::slice::from_ref(change));
    }
}

#[test]
fn a_relabel_is_a_delta_of_sets() {
    let mut world = World::new();
    let db = world.workload("db", "10.0.0.1", "role:DB");
    world.workload("web", "10.0.0.2", "role:Web");
    world.workload("app", "10.0.0.3", "role:App");
    world.allow("role:DB", "role:Web");
    let change = relabel(&mut world, "app", "role:Web");
    let mut engine = world.engine();
    let set = engine.sets_of(db);
    let effects = engine.apply(&[change]);
    assert_eq!(effects.workloads, vec![world.id("app")]);
    assert_eq!(effects.sets.iter().map(|d| d.id).collect::<Vec<_>>(), set);
    assert_eq!(effects.sets[0].added.to_string(), "10.0.0.3");
    assert!(effects.sets[0].removed.is_empty());
}

#[test]
fn a_mode_changes_one_intent() {
    let mut world = world();
    let id = world.id("w0");
    let mut engine = world.engine();
    let mut workload = (*world.snapshot.workloads[&id]).clone();
    workload.mode = Mode::Idle;
    let effects = engine.apply(&[Change::Workload(id, Some(Arc::new(workload)))]);
    assert_eq!(effects.workloads, vec![id]);
    assert_eq!(effects.sets, vec![]);
}
