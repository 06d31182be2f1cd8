//! Any snapshot, any change, any question: the engine answers and never panics.

use bulkhead_engine::Engine;
use bulkhead_engine::effect::Comparison;
use bulkhead_engine::reach::{Assertion, Claim};
use bulkhead_engine::search::{Query, RuleIndex};
use bulkhead_model::{Actor, AddressSets, ServiceRef, Snapshot};
use bulkhead_netset::ServiceSet;
use bulkhead_worldgen::small::{self, Rng};
use proptest::prelude::*;

/// Takes objects away at random: what is left refers to what is gone.
fn torn(mut s: Snapshot, rng: &mut Rng) -> Snapshot {
    fn tear<K: Ord, V>(map: &mut std::collections::BTreeMap<K, V>, rng: &mut Rng) {
        map.retain(|_, _| rng.u8(..) > 40);
    }
    tear(&mut s.labels, rng);
    tear(&mut s.label_groups, rng);
    tear(&mut s.workloads, rng);
    tear(&mut s.ip_lists, rng);
    tear(&mut s.services, rng);
    tear(&mut s.virtual_services, rng);
    tear(&mut s.virtual_servers, rng);
    tear(&mut s.rule_sets, rng);
    s
}

fn ask(engine: &Engine, rng: &mut Rng) {
    let s = engine.snapshot();
    for _ in 0..20 {
        let flow = small::flow(rng, s);
        let _ = engine.explain(&flow);
        let _ = engine.matching(&flow);
    }
    for id in s.workloads.keys() {
        for set in engine.sets_of(*id) {
            let _ = engine.addresses(set);
        }
    }
    let everything = |claim| Assertion {
        claim,
        consumers: vec![Actor::AllWorkloads],
        providers: s
            .ip_lists
            .keys()
            .map(|id| Actor::IpList(*id))
            .chain([Actor::AllWorkloads])
            .collect(),
        services: vec![ServiceRef::Inline(ServiceSet::all())],
    };
    for claim in [Claim::Never, Claim::Always, Claim::Allowed] {
        let _ = engine.judge(&everything(claim));
    }
    let index = RuleIndex::new(s);
    for (_, rule) in s.allow_rules.iter().take(5) {
        let providers = rule.providers.clone();
        let query = Query { providers, resolve: true, ..Query::default() };
        let _ = index.search(s, &query);
    }
}

proptest! {
    #[test]
    fn on_any_snapshot_and_change(seed in any::<u64>(), size in 1_usize..20) {
        let mut rng = Rng::with_seed(seed);
        let snapshot = torn(small::world(seed, size), &mut rng);
        let mut engine = Engine::new(snapshot);
        ask(&engine, &mut rng);
        let before = engine.clone();
        for _ in 0..5 {
            let change = small::change(&mut rng, engine.snapshot());
            engine.apply(&[change]);
        }
        ask(&engine, &mut rng);
        let _ = Comparison::new(&before, &engine).affected();
    }
}
