//! Claims about reachability against the oracle, pair by pair.

#![allow(clippy::indexing_slicing, reason = "a test may fail loudly")]

use bulkhead_engine::Engine;
use bulkhead_engine::reach::{Assertion, Claim, Outcome};
use bulkhead_ids::Id;
use bulkhead_model::{Actor, Flow, FlowEnd, ServiceRef, Snapshot, Verdict};
use bulkhead_netset::{ProtoPorts, ServiceSet};
use bulkhead_oracle::decide;
use bulkhead_worldgen::small::{self, Rng};

fn worlds() -> u64 {
    std::env::var("BULKHEAD_WORLDS").ok().and_then(|n| n.parse().ok()).unwrap_or(60)
}

/// A world without anything for some process or user only: that counts against a claim, and the flows that the
/// oracle is asked about here have neither.
fn plain_world(seed: u64) -> Snapshot {
    let mut s = small::world(seed, 12);
    s.services.retain(|_, service| service.entries.iter().all(|e| !e.windows));
    s.allow_rules.retain(|_, r| r.principals.is_empty() && r.egress_services.is_empty());
    s.deny_rules.retain(|_, r| r.egress_services.is_empty());
    s.boundaries.retain(|_, r| r.egress_services.is_empty());
    s
}

fn some_actor(rng: &mut Rng, s: &Snapshot) -> Actor {
    let labels: Vec<Id> = s.labels.keys().copied().collect();
    let groups: Vec<Id> = s.label_groups.keys().copied().collect();
    let workloads: Vec<Id> = s.workloads.keys().copied().collect();
    match rng.u8(0..8) {
        0 => Actor::AllWorkloads,
        1 if !workloads.is_empty() => Actor::Workload(workloads[rng.usize(..workloads.len())]),
        2 if !groups.is_empty() => {
            Actor::LabelGroup { id: groups[rng.usize(..groups.len())], exclusion: false }
        }
        n => Actor::Label { id: labels[rng.usize(..labels.len())], exclusion: n == 3 },
    }
}

fn named(s: &Snapshot, actor: &Actor) -> Vec<Id> {
    bulkhead_oracle::members(s, std::slice::from_ref(actor), &[]).into_iter().collect()
}

/// Whether both ends let a flow through in full enforcement.
fn allowed(s: &Snapshot, flow: &Flow) -> bool {
    let decision = decide(s, flow);
    let end =
        |e: &bulkhead_model::EndDecision| e.by_mode.is_none_or(|m| m.full == Verdict::Allowed);
    end(&decision.source) && end(&decision.destination)
}

/// Pairs of addresses of different workloads in the default network, with whether they may talk.
fn pairs(s: &Snapshot, assertion: &(Actor, Actor), port: ProtoPorts) -> Vec<bool> {
    let address = |id: &Id| {
        let interfaces = &s.workloads[id].interfaces;
        interfaces.iter().find(|i| !i.ignored && i.network.is_none()).map(|i| i.address)
    };
    let mut out = Vec::new();
    for consumer in named(s, &assertion.0) {
        for provider in named(s, &assertion.1) {
            let (Some(src), Some(dst)) = (address(&consumer), address(&provider)) else { continue };
            if consumer != provider && src != dst && src.is_ipv4() == dst.is_ipv4() {
                let end = |workload, ip| FlowEnd { workload: Some(workload), ip: Some(ip) };
                out.push(allowed(s, &Flow::new(end(consumer, src), end(provider, dst), port)));
            }
        }
    }
    out
}

#[test]
fn a_claim_that_holds_is_true_of_every_pair() {
    let (mut held, mut broken) = (0, 0);
    for seed in 0..worlds() {
        let s = plain_world(seed);
        let engine = Engine::new(s.clone());
        let mut rng = Rng::with_seed(seed);
        for _ in 0..8 {
            let ends = (some_actor(&mut rng, &s), some_actor(&mut rng, &s));
            let port = ProtoPorts::tcp([22, 80, 443, 3306, 5432][rng.usize(..5)]);
            let judge = |claim| {
                engine.judge(&Assertion {
                    claim,
                    consumers: vec![ends.0.clone()],
                    providers: vec![ends.1.clone()],
                    services: vec![ServiceRef::Inline(ServiceSet::from_iter([port]))],
                })
            };
            let pairs = pairs(&s, &ends, port);
            let place = || format!("seed {seed}: {ends:?} on {port}");
            match judge(Claim::Never) {
                Outcome::Holds => {
                    held += 1;
                    assert!(pairs.iter().all(|open| !open), "never, {}", place());
                }
                Outcome::Broken(_) => broken += 1,
            }
            match judge(Claim::Always) {
                Outcome::Holds => {
                    held += 1;
                    assert!(pairs.iter().all(|open| *open), "always, {}", place());
                }
                Outcome::Broken(shown) => {
                    broken += 1;
                    let shown = shown.unwrap_or_else(|| unreachable!("always shows a flow"));
                    assert!(!allowed(&s, &shown), "always, {shown:?}, {}", place());
                }
            }
            if judge(Claim::Allowed) == Outcome::Broken(None) {
                assert!(pairs.iter().all(|open| !open), "allowed, {}", place());
            }
        }
    }
    assert!(held > 20 && broken > 20, "{held} held, {broken} broken");
}

#[test]
fn a_broken_never_shows_a_flow_that_passes() {
    let mut shown = 0;
    for seed in 0..worlds() {
        let s = plain_world(seed);
        let engine = Engine::new(s.clone());
        for port in [22, 80, 443, 3306] {
            let outcome = engine.judge(&Assertion {
                claim: Claim::Never,
                consumers: vec![Actor::AllWorkloads],
                providers: vec![Actor::AllWorkloads],
                services: vec![ServiceRef::Inline(ServiceSet::from_iter([ProtoPorts::tcp(port)]))],
            });
            if let Outcome::Broken(Some(flow)) = outcome {
                shown += 1;
                assert!(allowed(&s, &flow), "seed {seed}, port {port}: {flow:?}");
            }
        }
    }
    assert!(shown > 10, "{shown} shown");
}
