//! Measures the engine on organisations of the size of the speed goals.
//!
//! `cargo run --release -p bulkhead-engine --example figures -- P1` (or P3, D). CPU seconds of this process
//! where that is said, wall time elsewhere; every figure is of this run on this machine.

use std::collections::HashMap;
use std::io::Write;
use std::sync::Arc;
use std::time::Instant;

use bulkhead_engine::Engine;
use bulkhead_ids::Id;
use bulkhead_model::{AllowRule, Change, Flow, FlowEnd, ServiceRef};
use bulkhead_netset::ProtoPorts;
use bulkhead_worldgen::large::{Decisions, Shape, decisions, workload_id, world};

fn main() {
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    let runs = |name: &str| wanted.is_empty() || wanted.iter().any(|w| w == name);
    for (name, shape) in [("P1", Shape::P1), ("P3", Shape::P3)] {
        if runs(name) {
            compute(name, &shape);
        }
    }
    if runs("D") {
        decide(&decisions(5, 2_000, 50_000, 200_000));
    }
}

fn say(text: &str) {
    // A closed pipe is no reason to stop measuring.
    let _ = writeln!(std::io::stdout(), "{text}");
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

/// Resident memory in MB, pages of 4 KiB.
fn resident() -> f64 {
    number("/proc/self/statm", 1) * 4.0 / 1_024.0
}

fn compute(name: &str, shape: &Shape) {
    let snapshot = world(shape);
    for _ in 0..3 {
        let (copy, memory, start, used) = (snapshot.clone(), resident(), Instant::now(), cpu());
        let engine = Engine::new(copy);
        let computed = ms(start);
        engine.make_tables();
        let (all, cpu, more) = (ms(start), cpu() - used, resident() - memory);
        say(&format!(
            "{name} compute {computed:.0} ms, with all tables {all:.0} ms, {cpu:.2} CPU-s, +{more:.0} MB"
        ));
    }
    let mut engine = Engine::new(snapshot);
    engine.make_tables();
    latencies(&mut engine, &format!("{name} relabel"), |engine, n| {
        let id = workload_id(n.wrapping_mul(331) % shape.workloads);
        let other = workload_id(n.wrapping_mul(977) % shape.workloads);
        let of = |id| engine.snapshot().workloads.get(id);
        let mut workload = of(&id).map(|w| (**w).clone()).unwrap_or_default();
        workload.labels = of(&other).map(|w| w.labels.clone()).unwrap_or_default();
        Change::Workload(id, Some(Arc::new(workload)))
    });
    let keys: Vec<(Id, Id)> = engine.snapshot().allow_rules.keys().copied().collect();
    latencies(&mut engine, &format!("{name} rule edit"), |engine, n| {
        let key = keys.get(n as usize * 7_919 % keys.len().max(1)).copied();
        let key = key.unwrap_or((Id::int(1), Id::int(1)));
        let rule = engine.snapshot().allow_rules.get(&key).map(|r| AllowRule::clone(r));
        let port = u16::try_from(n).unwrap_or(1);
        let services = vec![ServiceRef::Inline(ProtoPorts::tcp(port).into())];
        let rule = AllowRule { services, ..rule.unwrap_or_default() };
        Change::AllowRule(key, Some(Arc::new(rule)))
    });
}

/// Applies 300 changes one by one and tells the median, the 99th percentile and the worst.
fn latencies(engine: &mut Engine, what: &str, make: impl Fn(&Engine, u32) -> Change) {
    let mut times: Vec<(f64, usize)> = Vec::new();
    for n in 0..300 {
        let change = [make(engine, n)];
        let start = Instant::now();
        let effects = engine.apply(&change);
        times.push((ms(start), effects.workloads.len()));
    }
    times.sort_by(|a, b| a.0.total_cmp(&b.0));
    let at = |n: usize| times.get(n).copied().unwrap_or_default();
    let ((median, _), (high, _), (worst, workloads)) = (at(150), at(297), at(299));
    say(&format!(
        "{what}: median {median:.3} ms, p99 {high:.3} ms, worst {worst:.1} ms ({workloads} workloads)"
    ));
}

fn decide(d: &Decisions) {
    let engine = Engine::new(d.snapshot.clone());
    let end = |n: u32| FlowEnd { workload: Some(workload_id(n)), ip: None };
    let flow = |q: &(u32, u32, u16)| Flow {
        src: end(q.0),
        dst: end(q.1),
        service: ProtoPorts::tcp(q.2),
        process: None,
        windows_service: None,
        dst_fqdn: None,
        principals: Vec::new(),
    };
    let flows: Vec<Flow> = d.questions.iter().map(flow).collect();
    let rules: HashMap<_, usize> = d.rules.iter().enumerate().map(|(n, r)| (*r, n)).collect();
    let each = |ms: f64| ms * 1e6 / flows.len().max(1) as f64;
    for _ in 0..4 {
        let (start, mut hits) = (Instant::now(), 0);
        for flow in &flows {
            hits += engine.decide(flow).destination.rules.len();
        }
        let ours = each(ms(start));
        let (start, mut found) = (Instant::now(), 0);
        for (src, dst, port) in &d.questions {
            let of = |n: u32| d.tuples.get(n as usize).copied().unwrap_or_default();
            let (from, to) = (of(*src), of(*dst));
            found += usize::from(rules.contains_key(&(from.0, from.1, to.0, to.1, to.2, *port)));
        }
        let map = each(ms(start));
        say(&format!(
            "D1 with reasons {ours:.0} ns, map of tuples without {map:.0} ns ({hits} rules, {found} hits)"
        ));
    }
    for _ in 0..4 {
        let start = Instant::now();
        let count = engine.decide_many(&flows).len();
        let ours = ms(start);
        let start = Instant::now();
        let read: u64 = flows.iter().filter_map(|f| f.src.workload?.as_int()).sum();
        let reading = ms(start);
        say(&format!("D2 {count} rows {ours:.1} ms, reading them once {reading:.2} ms ({read})"));
    }
}
