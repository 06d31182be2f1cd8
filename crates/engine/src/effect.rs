//! What differs between two engines of one organisation: the active policy and the draft, or before and
//! after a provisioning.

use std::collections::BTreeSet;
use std::sync::Arc;

use bulkhead_ids::Id;
use bulkhead_model::{AddressSets, Entry, Intent, Peers, RuleTable, SetId};
use rustc_hash::FxHashMap;

use crate::engine::Engine;

/// What changes for one workload.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Effect {
    /// Entries that come: inbound, outbound. Sorted.
    pub added: [Vec<Arc<Entry>>; 2],
    /// Entries that go: inbound, outbound. Sorted.
    pub removed: [Vec<Arc<Entry>>; 2],
    /// Address sets used before and after whose addresses differ. Sorted.
    pub sets: Vec<SetId>,
    /// Something else than entries differs: mode, ignored interfaces, settings, custom iptables rules.
    pub other: bool,
}

impl Effect {
    /// Whether nothing changes.
    pub fn is_empty(&self) -> bool {
        let none = |lists: &[Vec<Arc<Entry>>; 2]| lists.iter().all(Vec::is_empty);
        none(&self.added) && none(&self.removed) && self.sets.is_empty() && !self.other
    }
}

/// The comparison of two engines. Remembers what it compared: classes share tables and sets.
pub struct Comparison<'a> {
    before: &'a Engine,
    after: &'a Engine,
    tables: FxHashMap<(*const RuleTable, *const RuleTable), bool>,
    sets: FxHashMap<SetId, bool>,
}

impl<'a> Comparison<'a> {
    /// Compares two engines.
    pub fn new(before: &'a Engine, after: &'a Engine) -> Self {
        Self { before, after, tables: FxHashMap::default(), sets: FxHashMap::default() }
    }

    /// The workloads of either engine for which something changes, managed or not, sorted.
    pub fn affected(&mut self) -> Vec<Id> {
        let (before, after) = (self.before, self.after);
        let ids: BTreeSet<Id> = before
            .snapshot()
            .workloads
            .keys()
            .chain(after.snapshot().workloads.keys())
            .copied()
            .collect();
        ids.into_iter().filter(|id| self.differs(*id)).collect()
    }

    fn differs(&mut self, id: Id) -> bool {
        let (Some(a), Some(b)) = (self.before.policy(id), self.after.policy(id)) else {
            return true;
        };
        if a.mode != b.mode || a.os != b.os || a.ignored_interfaces != b.ignored_interfaces {
            return true;
        }
        let key = (Arc::as_ptr(&a.table), Arc::as_ptr(&b.table));
        if let Some(known) = self.tables.get(&key) {
            return *known;
        }
        let differs = a.table != b.table || !self.changed_sets(&a.table, &b.table).is_empty();
        // The tables live as long as the engines, which are borrowed: the addresses stay theirs.
        self.tables.insert(key, differs);
        differs
    }

    /// What changes for one workload; a workload that only one engine knows changes whole.
    pub fn on(&mut self, id: Id) -> Effect {
        let (a, b) = (self.before.policy(id), self.after.policy(id));
        let none = RuleTable::default();
        let table = |intent: &Option<Intent>| intent.as_ref().map(|i| Arc::clone(&i.table));
        let (ta, tb) = (table(&a), table(&b));
        let (ta, tb) = (ta.as_deref().unwrap_or(&none), tb.as_deref().unwrap_or(&none));
        let rest = |i: &Intent| (i.mode, i.os, i.ignored_interfaces.clone());
        Effect {
            added: [minus(&tb.inbound, &ta.inbound), minus(&tb.outbound, &ta.outbound)],
            removed: [minus(&ta.inbound, &tb.inbound), minus(&ta.outbound, &tb.outbound)],
            sets: self.changed_sets(ta, tb),
            other: a.as_ref().map(rest) != b.as_ref().map(rest) || !same_settings(ta, tb),
        }
    }

    /// Sets that both tables use and whose addresses differ.
    fn changed_sets(&mut self, a: &RuleTable, b: &RuleTable) -> Vec<SetId> {
        let (ours, theirs) = (used(a), used(b));
        ours.intersection(&theirs).copied().filter(|id| self.set_differs(*id)).collect()
    }

    fn set_differs(&mut self, id: SetId) -> bool {
        let (before, after) = (self.before, self.after);
        *self.sets.entry(id).or_insert_with(|| before.addresses(id) != after.addresses(id))
    }
}

fn used(table: &RuleTable) -> BTreeSet<SetId> {
    let entries = table.inbound.iter().chain(&table.outbound);
    let set = |entry: &Arc<Entry>| match &entry.peers {
        Peers::Set(id) => Some(*id),
        Peers::Any | Peers::Names(_) => None,
    };
    entries.filter_map(set).collect()
}

/// The entries of the first list that the second does not have; both are sorted.
fn minus(a: &[Arc<Entry>], b: &[Arc<Entry>]) -> Vec<Arc<Entry>> {
    a.iter().filter(|entry| b.binary_search(entry).is_err()).cloned().collect()
}

fn same_settings(a: &RuleTable, b: &RuleTable) -> bool {
    a.custom == b.custom
        && (a.static_policy, a.reject_blocked) == (b.static_policy, b.reject_blocked)
        && (a.loopback_in_policy, a.containers_inherit)
            == (b.loopback_in_policy, b.containers_inherit)
        && a.ike == b.ike
}
