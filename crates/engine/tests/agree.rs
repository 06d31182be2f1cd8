//! Engine and oracle agree, and incremental equals full, on random worlds.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, and says where"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use bulkhead_engine::Engine;
use bulkhead_ids::Id;
use bulkhead_model::{
    AddressSets, Change, Direction, Effect, Entry, Flow, Intent, NetworkType, Peers, RuleRef,
    SetId, Snapshot,
};
use bulkhead_netset::{IpSet, ProtoPorts};
use bulkhead_oracle::{custom_rules, decide, packet};
use bulkhead_worldgen::shrink::shrink;
use bulkhead_worldgen::small::{Rng, change, flow, world};

/// Random worlds in one run, or as many as the variable says; from the seed that another says.
fn seeds() -> std::ops::Range<u64> {
    let number = |name: &str| std::env::var(name).ok().and_then(|n| n.parse::<u64>().ok());
    let first = number("BULKHEAD_SEED").unwrap_or(0);
    first..first + number("BULKHEAD_WORLDS").unwrap_or(40)
}

#[test]
fn engine_and_oracle_agree_on_decisions_and_reasons() {
    for seed in seeds() {
        let s = world(seed, 10);
        let engine = Engine::new(s.clone());
        let mut rng = Rng::with_seed(seed);
        for n in 0..150 {
            let flow = flow(&mut rng, &s);
            if engine.decide(&flow) == decide(&s, &flow) {
                continue;
            }
            let small = shrink(&s, |s| Engine::new(s.clone()).decide(&flow) != decide(s, &flow));
            let (engine, oracle) =
                (Engine::new(small.clone()).decide(&flow), decide(&small, &flow));
            panic!(
                "seed {seed}, flow {n}: {flow:#?}\n{small:#?}\nengine {engine:#?}\noracle {oracle:#?}"
            );
        }
    }
}

/// What a table does with a packet that names no process, user or host name.
fn read(
    engine: &Engine,
    entries: &[Arc<Entry>],
    peer: IpAddr,
    service: &ProtoPorts,
) -> (Option<Effect>, Vec<RuleRef>) {
    let acts = |entry: &&Arc<Entry>| {
        let peers = match &entry.peers {
            Peers::Any => true,
            Peers::Set(id) => engine.addresses(*id).unwrap().contains(peer),
            Peers::Names(_) => false,
        };
        let plain =
            entry.services.iter().filter(|s| s.process.is_none() && s.windows_service.is_none());
        peers
            && plain.into_iter().any(|s| s.ports.contains_entry(service))
            && entry.flags.principals.is_empty()
            && entry.flags.network_type != NetworkType::NonBrn
            && !entry.flags.internal_bridge
    };
    let hits: Vec<_> = entries.iter().filter(acts).collect();
    let effect = hits.iter().map(|e| e.effect).min();
    let deciding = hits.iter().filter(|e| Some(e.effect) == effect);
    let rules: BTreeSet<RuleRef> = deciding.flat_map(|e| e.rules.iter().copied()).collect();
    (effect, rules.into_iter().collect())
}

#[test]
fn tables_say_what_the_oracle_says_of_packets() {
    for seed in seeds() {
        let s = world(seed, 10);
        let engine = Engine::new(s.clone());
        let mut rng = Rng::with_seed(seed);
        let flows: Vec<Flow> = (0..60).map(|_| flow(&mut rng, &s)).collect();
        let points: Vec<(IpAddr, ProtoPorts)> = flows
            .iter()
            .filter(|f| engine_point(&f.service))
            .flat_map(|f| [f.src.ip, f.dst.ip].into_iter().flatten().map(|ip| (ip, f.service)))
            .collect();
        for (id, w) in s.workloads.iter().filter(|(_, w)| w.managed) {
            let intent = engine.intent(*id).unwrap();
            assert_eq!(intent.table.custom, custom_rules(&s, *id), "seed {seed}, {id:?}");
            sorted(&intent.table.inbound);
            sorted(&intent.table.outbound);
            for (peer, service) in &points {
                if w.interfaces.iter().any(|i| i.address == *peer) {
                    continue;
                }
                let inbound = read(&engine, &intent.table.inbound, *peer, service);
                let oracle = packet(&s, *id, Direction::Inbound, *peer, service);
                assert_eq!(inbound, oracle, "seed {seed}, {id:?} in {peer} {service}");
                let outbound = read(&engine, &intent.table.outbound, *peer, service);
                let oracle = packet(&s, *id, Direction::Outbound, *peer, service);
                assert_eq!(outbound, oracle, "seed {seed}, {id:?} out {peer} {service}");
            }
        }
    }
}

/// Whether a service is one point, so that the entries of a rule need not be added up.
fn engine_point(service: &ProtoPorts) -> bool {
    matches!(service, ProtoPorts::Ports(_, ports) if ports.first() == ports.last())
}

fn sorted(entries: &[Arc<Entry>]) {
    assert!(entries.windows(2).all(|pair| pair[0] < pair[1]));
    assert!(entries.iter().all(|e| !e.rules.is_empty() && !e.services.is_empty()));
}

type State = (BTreeMap<Id, Intent>, BTreeMap<SetId, Arc<IpSet>>);

fn state(engine: &Engine) -> State {
    let ids = engine.snapshot().workloads.keys();
    let intents = ids.clone().filter_map(|id| Some((*id, engine.intent(*id)?))).collect();
    let sets = ids.flat_map(|id| engine.sets_of(*id));
    (intents, sets.map(|id| (id, engine.addresses(id).unwrap())).collect())
}

/// Applies changes and compares with a fresh computation, and the effects with the difference of states.
fn step(engine: &mut Engine, changes: &[Change], rng: &mut Rng, at: &str) {
    let (before, sets_before) = state(engine);
    let effects = engine.apply(changes);
    let fresh = Engine::new(engine.snapshot().clone());
    let (now, sets_now) = state(engine);
    let (fresh_now, fresh_sets) = state(&fresh);
    assert!(now == fresh_now, "{at}: intents differ after {changes:#?}");
    assert!(sets_now == fresh_sets, "{at}: sets differ after {changes:#?}");
    for id in before.keys().chain(now.keys()) {
        let told = effects.workloads.binary_search(id).is_ok();
        assert!(
            told || before.get(id) == now.get(id),
            "{at}: {id:?} was not told after {changes:#?}"
        );
    }
    for (id, set) in &sets_before {
        let Some(now) = sets_now.get(id) else { continue };
        let delta = effects.sets.iter().find(|d| d.id == *id);
        let (added, removed) =
            delta.map(|d| (d.added.clone(), d.removed.clone())).unwrap_or_default();
        let patched = set.difference(&removed).union(&added);
        assert!(patched == **now, "{at}: delta of {id:?} is wrong after {changes:#?}");
        assert!(added.is_disjoint(set) && set.contains_set(&removed), "{at}: delta is not minimal");
    }
    for id in effects.gone_sets {
        assert!(engine.addresses(id).is_none());
    }
    for _ in 0..10 {
        let flow = flow(rng, engine.snapshot());
        assert_eq!(engine.decide(&flow), fresh.decide(&flow), "{at}: {flow:#?} after {changes:#?}");
    }
}

/// A random walk: the change of every step, made for the snapshot before it.
fn walk(seed: u64, length: usize) -> (Snapshot, Vec<Change>) {
    let first = world(seed, 8);
    let mut rng = Rng::with_seed(seed.wrapping_mul(31));
    let mut s = first.clone();
    let mut changes = Vec::new();
    for _ in 0..length {
        let next = change(&mut rng, &s);
        s.apply(&next);
        changes.push(next);
    }
    (first, changes)
}

/// Runs lists of changes one after the other.
fn run(first: &Snapshot, lists: &[Vec<Change>], at: &str) {
    let mut engine = Engine::new(first.clone());
    let mut rng = Rng::with_seed(1);
    for (n, changes) in lists.iter().enumerate() {
        step(&mut engine, changes, &mut rng, &format!("{at}, step {n}"));
    }
}

/// The changes that empty a world, the referents first: everything is removed while still referred to.
fn emptied(s: &Snapshot) -> Vec<Change> {
    let mut out: Vec<Change> = s.labels.keys().map(|id| Change::Label(*id, None)).collect();
    out.extend(s.label_groups.keys().map(|id| Change::LabelGroup(*id, None)));
    out.extend(s.ip_lists.keys().map(|id| Change::IpList(*id, None)));
    out.extend(s.services.keys().map(|id| Change::Service(*id, None)));
    out.extend(s.virtual_services.keys().map(|id| Change::VirtualService(*id, None)));
    out.extend(s.virtual_servers.keys().map(|id| Change::VirtualServer(*id, None)));
    out.extend(s.workloads.keys().map(|id| Change::Workload(*id, None)));
    out.extend(s.rule_sets.keys().map(|id| Change::RuleSet(*id, None)));
    out.extend(s.bindings.keys().map(|id| Change::Binding(*id, None)));
    out.extend(s.allow_rules.keys().map(|key| Change::AllowRule(*key, None)));
    out.extend(s.deny_rules.keys().map(|key| Change::DenyRule(*key, None)));
    out.extend(s.ip_tables_rules.keys().map(|key| Change::IpTablesRule(*key, None)));
    out.extend(s.boundaries.keys().map(|id| Change::Boundary(*id, None)));
    out.extend(s.essential.keys().map(|id| Change::Essential(*id, None)));
    out.push(Change::Settings(Arc::default()));
    out
}

/// The changes that make a world out of nothing, the referents last.
fn filled(s: &Snapshot) -> Vec<Change> {
    let mut out = vec![Change::Settings(Arc::clone(&s.settings))];
    out.extend(s.essential.iter().map(|(id, v)| Change::Essential(*id, Some(v.clone()))));
    out.extend(s.boundaries.iter().map(|(id, v)| Change::Boundary(*id, Some(v.clone()))));
    out.extend(s.ip_tables_rules.iter().map(|(k, v)| Change::IpTablesRule(*k, Some(v.clone()))));
    out.extend(s.deny_rules.iter().map(|(k, v)| Change::DenyRule(*k, Some(v.clone()))));
    out.extend(s.allow_rules.iter().map(|(k, v)| Change::AllowRule(*k, Some(v.clone()))));
    out.extend(s.bindings.iter().map(|(id, v)| Change::Binding(*id, Some(v.clone()))));
    out.extend(s.rule_sets.iter().map(|(id, v)| Change::RuleSet(*id, Some(v.clone()))));
    out.extend(s.workloads.iter().map(|(id, v)| Change::Workload(*id, Some(v.clone()))));
    out.extend(s.virtual_servers.iter().map(|(id, v)| Change::VirtualServer(*id, Some(v.clone()))));
    out.extend(
        s.virtual_services.iter().map(|(id, v)| Change::VirtualService(*id, Some(v.clone()))),
    );
    out.extend(s.services.iter().map(|(id, v)| Change::Service(*id, Some(v.clone()))));
    out.extend(s.ip_lists.iter().map(|(id, v)| Change::IpList(*id, Some(v.clone()))));
    out.extend(s.label_groups.iter().map(|(id, v)| Change::LabelGroup(*id, Some(v.clone()))));
    out.extend(s.labels.iter().map(|(id, v)| Change::Label(*id, Some(v.clone()))));
    out
}

#[test]
fn incremental_equals_full_one_by_one() {
    for seed in seeds() {
        let (first, changes) = walk(seed, 25);
        let lists: Vec<Vec<Change>> = changes.into_iter().map(|c| vec![c]).collect();
        run(&first, &lists, &format!("seed {seed}"));
    }
}

#[test]
fn incremental_equals_full_in_batches_reversed_and_squashed() {
    for seed in seeds() {
        let (first, changes) = walk(seed, 24);
        let batches: Vec<Vec<Change>> = changes.chunks(6).map(<[_]>::to_vec).collect();
        run(&first, &batches, &format!("seed {seed}, batches"));
        let inside: Vec<_> = batches.iter().map(|b| b.iter().rev().cloned().collect()).collect();
        run(&first, &inside, &format!("seed {seed}, reversed inside"));
        let reversed: Vec<_> = batches.iter().rev().cloned().collect();
        run(&first, &reversed, &format!("seed {seed}, reversed"));
        run(&first, &[changes], &format!("seed {seed}, squashed"));
        for (n, batch) in batches.into_iter().enumerate() {
            run(&first, &[batch], &format!("seed {seed}, batch {n} alone"));
        }
    }
}

#[test]
fn incremental_equals_full_with_an_empty_world_between() {
    for seed in seeds() {
        let (first, next) = (world(seed, 8), world(seed + 1, 8));
        let lists = [emptied(&first), filled(&next), emptied(&next), filled(&first)];
        run(&first, &lists, &format!("seed {seed}, empty between"));
        let single: Vec<Vec<Change>> =
            emptied(&first).into_iter().chain(filled(&next)).map(|c| vec![c]).collect();
        if seed % 8 == 0 {
            run(&first, &single, &format!("seed {seed}, emptied one by one"));
        }
    }
}
