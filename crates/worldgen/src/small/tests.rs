//! Worlds are the same for the same seed, and survive being written down.

use super::{Rng, change, flow, world};
use crate::cases::{CaseFile, case_of};
use crate::doc::World;

#[test]
fn same_seed_same_world() {
    assert_eq!(world(7, 12), world(7, 12));
    assert_ne!(world(7, 12), world(8, 12));
}

#[test]
fn a_printed_world_reads_back() {
    for seed in 0..60 {
        let mut s = world(seed, 10);
        let mut rng = Rng::with_seed(seed);
        for _ in 0..10 {
            s.apply(&change(&mut rng, &s));
        }
        let text = serde_json::to_string(&World::of(&s).unwrap()).unwrap();
        let back: World = serde_json::from_str(&text).unwrap();
        assert_eq!(back.snapshot().unwrap(), s, "seed {seed}");
    }
}

#[test]
fn a_printed_flow_reads_back() {
    let s = world(3, 10);
    let mut rng = Rng::with_seed(3);
    for _ in 0..200 {
        let flow = flow(&mut rng, &s);
        let doc = case_of("name", "why", &s, &flow).unwrap();
        let file = CaseFile { about: "one".into(), cases: vec![doc] };
        let text = serde_json::to_string(&file).unwrap();
        let back: CaseFile = serde_json::from_str(&text).unwrap();
        let case = &back.cases[0];
        assert_eq!(case.world.flow(&case.flow).unwrap(), flow);
    }
}
