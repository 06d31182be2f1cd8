//! Random worlds of a few dozen objects, and flows and changes that hit them.
//!
//! The worlds lean towards what is easy to get wrong: groups within groups and in scopes, exclusions, several
//! scopes, lists and services that overlap workload addresses, overlapping networks, virtual services with
//! overrides, rules that are off, references to nothing. They are not believable and not always valid: what
//! the API refuses must not make an engine panic either.

mod change;
mod flow;
mod objects;
mod rules;

use std::sync::Arc;

use bulkhead_ids::Id;
use bulkhead_model::{FirewallSettings, IkeAuthentication, Label, Snapshot};

pub use change::change;
pub use fastrand::Rng;
pub use flow::flow;

/// Label keys of a small world; the last one has few labels.
const KEYS: [&str; 4] = ["role", "app", "env", "loc"];
/// Labels of a key.
const VALUES: u64 = 4;
/// An id that no object of a small world has.
const NOBODY: u64 = 999;

/// Ids of the kinds: first id and number of objects.
const GROUPS: (u64, u64) = (101, 6);
const IP_LISTS: (u64, u64) = (201, 5);
const SERVICES: (u64, u64) = (301, 7);
const VIRTUAL_SERVICES: (u64, u64) = (401, 4);
const VIRTUAL_SERVERS: (u64, u64) = (501, 2);
const BINDINGS: (u64, u64) = (601, 6);
const RULE_SETS: (u64, u64) = (701, 4);
const BOUNDARIES: (u64, u64) = (751, 2);
/// User groups, which are no objects of a snapshot.
const PRINCIPALS: (u64, u64) = (801, 2);
/// Networks, likewise.
const NETWORKS: (u64, u64) = (901, 2);

/// Makes objects.
struct Maker<'a> {
    rng: &'a mut Rng,
    /// Workloads of the world have the ids 1 to this.
    workloads: u64,
}

impl Maker<'_> {
    /// True with a chance of so many percent.
    fn chance(&mut self, percent: u32) -> bool {
        self.rng.u32(0..100) < percent
    }

    /// One of the values; the first when there is none but it.
    fn one<T: Clone>(&mut self, first: T, more: &[T]) -> T {
        let n = self.rng.usize(0..=more.len());
        n.checked_sub(1).and_then(|n| more.get(n)).cloned().unwrap_or(first)
    }

    /// Up to so many values.
    fn some<T>(
        &mut self,
        least: usize,
        most: usize,
        mut make: impl FnMut(&mut Self) -> T,
    ) -> Vec<T> {
        let n = self.rng.usize(least..=most);
        (0..n).map(|_| make(self)).collect()
    }

    /// An id of a kind, now and then one that is not there.
    fn id(&mut self, (first, count): (u64, u64)) -> Id {
        let id = self.rng.u64(first..first + count);
        Id::int(if self.chance(2) { NOBODY } else { id })
    }

    fn workload_id(&mut self) -> Id {
        self.id((1, self.workloads.max(1)))
    }

    /// A label of a key, by its place.
    fn label(&mut self, key: usize) -> Id {
        let id = label_id(key, self.rng.u64(0..VALUES));
        if self.chance(2) { Id::int(NOBODY) } else { id }
    }

    fn any_label(&mut self) -> Id {
        let key = self.key();
        self.label(key)
    }

    fn key(&mut self) -> usize {
        self.rng.usize(0..KEYS.len())
    }
}

/// The id of a label by the places of its key and its value.
fn label_id(key: usize, value: u64) -> Id {
    let keys = u64::try_from(key).unwrap_or_default();
    Id::int(keys * 10 + value + 1)
}

/// The label that the places of key and value stand for.
fn label_of(key: usize, value: u64) -> Label {
    let name = KEYS.get(key).copied().unwrap_or("other");
    Label { key: name.into(), value: format!("{name}{value}").into() }
}

/// A random world with so many workloads; the same for the same seed and size.
pub fn world(seed: u64, size: usize) -> Snapshot {
    let mut rng = Rng::with_seed(seed);
    let mut s = Snapshot::default();
    let mut maker = Maker { rng: &mut rng, workloads: u64::try_from(size).unwrap_or(u64::MAX) };
    for key in 0..KEYS.len() {
        for value in 0..VALUES {
            s.labels.insert(label_id(key, value), Arc::new(label_of(key, value)));
        }
    }
    maker.objects(&mut s);
    maker.rules(&mut s);
    s.settings = Arc::new(maker.settings());
    // Some worlds lose objects that others still name.
    while maker.chance(30) {
        let gone = change::removal(maker.rng, &s);
        if let Some(gone) = gone {
            s.apply(&gone);
        }
    }
    s
}

impl Maker<'_> {
    fn settings(&mut self) -> FirewallSettings {
        let certificate = self.chance(20);
        let mut scopes = || if self.chance(25) { self.some(1, 2, Self::scope) } else { Vec::new() };
        FirewallSettings {
            static_policy: scopes(),
            containers_inherit: scopes(),
            reject_blocked: scopes(),
            loopback_in_policy: scopes(),
            ike: if certificate { IkeAuthentication::Certificate } else { IkeAuthentication::Psk },
        }
    }
}

#[cfg(test)]
mod tests;
