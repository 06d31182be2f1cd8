//! The policy engine on organisations of the size of the speed goals: rows P1, P2, P3, D1 and D2.
//!
//! No server takes part. CPU seconds are those of this process. The peers are limits: the engine's own full
//! compute for a step, a look at every rule for a search, a map without reasons for a decision, reading the
//! questions once for the draft view. A generic label-selector controller and Cedar are not measured.

use crate::process::Plan;
use crate::report::{Report, Row, median, say};
use bulkhead_engine::Engine;
use bulkhead_engine::search::{Found, Query, RuleIndex, RuleKind, WantedService};
use bulkhead_ids::Id;
use bulkhead_model::{Actor, AllowRule, Change, Flow, FlowEnd, RuleRef, ServiceRef, Snapshot};
use bulkhead_netset::{ProtoPorts, ServiceSet};
use bulkhead_worldgen::large::{Decisions, Shape, decisions, workload_id, world};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

/// How often each figure is taken.
const TIMES: usize = 3;
/// Steps of each kind.
const STEPS: u32 = 300;
/// Searches of each kind.
const SEARCHES: u32 = 50;

/// Measures the rows that are wanted.
pub(crate) fn measure(plan: &Plan, report: &mut Report) {
    if plan.wants("P1") || plan.wants("P2") {
        let snapshot = world(&Shape::P1);
        let full = compute("P1", &snapshot, report);
        if plan.wants("P2") {
            steps(snapshot, full, Shape::P1.workloads, report);
        }
    }
    if plan.wants("P3") {
        let snapshot = world(&Shape::P3);
        compute("P3", &snapshot, report);
        searches(&snapshot, report);
    }
    if plan.wants("D") {
        decide(&decisions(5, 2_000, 50_000, 200_000), report);
    }
}

fn ms(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1_000.0
}

/// A field of a file of numbers, from 0.
fn number(path: &str, field: usize) -> f64 {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.split(' ').nth(field).and_then(|n| n.parse().ok()).unwrap_or(f64::NAN)
}

/// CPU seconds of this process; a tick of the kernel is 10 ms.
fn cpu() -> f64 {
    (number("/proc/self/stat", 13) + number("/proc/self/stat", 14)) / 100.0
}

/// Resident memory in MiB, pages of 4 KiB.
fn resident() -> f64 {
    number("/proc/self/statm", 1) * 4.0 / 1_024.0
}

/// Computes everything some times; wall milliseconds of the median.
fn compute(id: &'static str, snapshot: &Snapshot, report: &mut Report) -> f64 {
    let (mut wall, mut used, mut memory) = (Vec::new(), Vec::new(), f64::NAN);
    for n in 0..TIMES {
        let (copy, before, start, spent) = (snapshot.clone(), resident(), Instant::now(), cpu());
        let engine = Engine::new(copy);
        engine.make_tables();
        wall.push(ms(start));
        used.push(cpu() - spent);
        if n == 0 {
            memory = resident() - before;
        }
    }
    let size =
        format!("{} workloads, {} rules", snapshot.workloads.len(), snapshot.allow_rules.len());
    let (wall, used) = (median(wall), median(used));
    let row = |what: String, ours, goal| Row { id, what, ours, peer: None, ratio: None, goal };
    let goal = Some(("<= 0.5 s", wall <= 500.0));
    report.add(row(format!("full compute, {size}"), (wall / 1_000.0, "s"), goal));
    report.add(row("the same, CPU".into(), (used, "CPU-s"), None));
    let goal = (id == "P1").then_some(("<= 500 MB", memory <= 500.0));
    report.add(row("memory of it beside the snapshot".into(), (memory, "MiB"), goal));
    wall
}

/// One change at a time, against the full compute of the same run.
fn steps(snapshot: Snapshot, full: f64, workloads: u32, report: &mut Report) {
    let mut engine = Engine::new(snapshot);
    engine.make_tables();
    let relabel = |engine: &Engine, n: u32| {
        let of = |id| engine.snapshot().workloads.get(&id);
        let id = workload_id(n.wrapping_mul(331) % workloads);
        let mut workload = of(id).map(|w| (**w).clone()).unwrap_or_default();
        let other = of(workload_id(n.wrapping_mul(977) % workloads));
        workload.labels = other.map(|w| w.labels.clone()).unwrap_or_default();
        Change::Workload(id, Some(Arc::new(workload)))
    };
    step("one relabel", &mut engine, full, report, relabel);
    let keys: Vec<(Id, Id)> = engine.snapshot().allow_rules.keys().copied().collect();
    let edit = |engine: &Engine, n: u32| {
        let key = keys.get(n as usize * 7_919 % keys.len().max(1)).copied();
        let key = key.unwrap_or((Id::int(1), Id::int(1)));
        let rule = engine.snapshot().allow_rules.get(&key).map(|r| AllowRule::clone(r));
        let port = u16::try_from(n).unwrap_or(1);
        let services = vec![ServiceRef::Inline(ProtoPorts::tcp(port).into())];
        Change::AllowRule(key, Some(Arc::new(AllowRule { services, ..rule.unwrap_or_default() })))
    };
    step("one rule edited", &mut engine, full, report, edit);
}

fn step(
    what: &str,
    engine: &mut Engine,
    full: f64,
    report: &mut Report,
    make: impl Fn(&Engine, u32) -> Change,
) {
    let mut times: Vec<f64> = Vec::new();
    for n in 0..STEPS {
        let change = [make(engine, n)];
        let start = Instant::now();
        engine.apply(&change);
        times.push(ms(start));
    }
    times.sort_by(f64::total_cmp);
    let high = times.get(times.len() * 99 / 100).copied().unwrap_or(f64::NAN);
    let worst = times.last().copied().unwrap_or(f64::NAN);
    let ratio = full / high;
    report.add(Row {
        id: "P2",
        what: format!("{what}: p99 of {STEPS} (worst {worst:.1} ms)"),
        ours: (high, "ms"),
        peer: Some((full, "ms of own full compute")),
        ratio: Some(ratio),
        goal: Some((">= 250", ratio >= 250.0)),
    });
}

/// Searches by the index against a look at every rule.
fn searches(snapshot: &Snapshot, report: &mut Report) {
    let index = RuleIndex::new(snapshot);
    let rules: Vec<_> = snapshot.allow_rules.iter().collect();
    let base = || Query { kinds: vec![RuleKind::Allow], ..Query::default() };
    let nth = |n: u32| rules.get(n as usize * 7_919 % rules.len().max(1)).map(|(_, r)| &***r);
    let tcp = |port: u16| ServiceSet::from_iter([ProtoPorts::tcp(port)]);
    let port_of = |n: u32| u16::try_from(n * 131 % 9_000).unwrap_or(0) + 22;
    search("by port", report, |n| {
        let ports = tcp(port_of(n));
        let wanted =
            WantedService::Entry { ports: ports.clone(), process: None, windows_service: None };
        let query = Query { services: vec![wanted], ..base() };
        let start = Instant::now();
        let found = index.search(snapshot, &query).len();
        let ours = ms(start);
        let has = |s: &ServiceRef| match s {
            ServiceRef::Inline(set) => !set.is_disjoint(&ports),
            ServiceRef::Service(id) => snapshot
                .services
                .get(id)
                .is_some_and(|s| s.entries.iter().any(|e| !e.ports.is_disjoint(&ports))),
        };
        let start = Instant::now();
        let all: Vec<Found> = scan(&rules, |r| r.services.iter().any(has));
        (ours, ms(start), found == all.len())
    });
    search("by provider", report, |n| {
        let Some(actor) = nth(n).and_then(|r| r.providers.first()) else {
            return (0.0, 0.0, false);
        };
        let query = Query { providers: vec![actor.clone()], ..base() };
        let start = Instant::now();
        let found = index.search(snapshot, &query).len();
        let ours = ms(start);
        let start = Instant::now();
        let all = scan(&rules, |r| r.providers.iter().any(|a: &Actor| a == actor));
        (ours, ms(start), found == all.len())
    });
}

fn scan(rules: &[(&(Id, Id), &Arc<AllowRule>)], wanted: impl Fn(&AllowRule) -> bool) -> Vec<Found> {
    let found = rules.iter().filter(|(_, rule)| wanted(rule));
    found.map(|(key, _)| Found::Rule(RuleRef::Allow(**key))).collect()
}

/// Runs searches that tell (ours, the scan's milliseconds, whether both found alike).
fn search(what: &str, report: &mut Report, run: impl Fn(u32) -> (f64, f64, bool)) {
    let runs: Vec<(f64, f64, bool)> = (0..SEARCHES).map(run).collect();
    if runs.iter().any(|r| !r.2) {
        say(&format!("rule search {what}: the scan found other rules; the row is left out"));
        return;
    }
    let ours = median(runs.iter().map(|r| r.0).collect());
    let scan = median(runs.iter().map(|r| r.1).collect());
    let ratio = scan / ours;
    report.add(Row {
        id: "P3",
        what: format!("rule search {what}, median of {SEARCHES}"),
        ours: (ours, "ms"),
        peer: Some((scan, "ms for a scan of the rules")),
        ratio: Some(ratio),
        goal: Some((">= 50", ratio >= 50.0)),
    });
}

fn decide(d: &Decisions, report: &mut Report) {
    let engine = Engine::new(d.snapshot.clone());
    let end = |n: u32| FlowEnd { workload: Some(workload_id(n)), ip: None };
    let flow = |q: &(u32, u32, u16)| Flow::new(end(q.0), end(q.1), ProtoPorts::tcp(q.2));
    // A flow from a workload to itself needs no rules: it would flatter the figure.
    let asked: Vec<&(u32, u32, u16)> = d.questions.iter().filter(|q| q.0 != q.1).collect();
    let flows: Vec<Flow> = asked.iter().map(|q| flow(q)).collect();
    let rules: HashMap<_, usize> = d.rules.iter().enumerate().map(|(n, r)| (*r, n)).collect();
    let (mut ours, mut map, mut bulk, mut read) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let mut sink = 0_u64;
    for _ in 0..TIMES {
        let start = Instant::now();
        for flow in &flows {
            sink += engine.decide(flow).destination.rules.len() as u64;
        }
        ours.push(ms(start));
        let start = Instant::now();
        for (src, dst, port) in &asked {
            let of = |n: &u32| d.tuples.get(*n as usize).copied().unwrap_or_default();
            let (from, to) = (of(src), of(dst));
            sink += u64::from(rules.contains_key(&(from.0, from.1, to.0, to.1, to.2, *port)));
        }
        map.push(ms(start));
        let start = Instant::now();
        sink += engine.decide_many(&flows).len() as u64;
        bulk.push(ms(start));
        let start = Instant::now();
        sink +=
            flows.iter().filter_map(|f| f.src.workload?.as_int()).fold(0, u64::wrapping_add) & 1;
        read.push(ms(start));
    }
    let rate = |ms: f64| flows.len() as f64 / ms / 1_000.0;
    let (ours, map) = (rate(median(ours)), rate(median(map)));
    report.add(Row {
        id: "D1",
        what: format!("decisions with reasons, {} rules", d.rules.len()),
        ours: (ours, "M/s"),
        peer: Some((map, "M/s of a map without reasons")),
        ratio: Some(ours / map),
        goal: Some((">= 1", ours >= map)),
    });
    let (bulk, read) = (median(bulk), median(read));
    report.add(Row {
        id: "D2",
        what: format!("draft view of {} rows", flows.len()),
        ours: (bulk, "ms"),
        peer: Some((read, "ms to read them once")),
        ratio: Some(bulk / read),
        goal: Some(("<= 5", bulk / read <= 5.0)),
    });
    say(&format!("(checksum {sink})"));
}
