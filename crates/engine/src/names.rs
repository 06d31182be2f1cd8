//! Labels, keys, label groups and networks as small numbers.
//!
//! Numbers are for this engine alone and depend on history; nothing that is output is ordered by them.

use std::sync::Arc;

use bulkhead_ids::Id;
use bulkhead_model::{Actor, Label, LabelGroup, Snapshot};
use rustc_hash::{FxHashMap, FxHashSet};

pub(crate) type LabelIx = u32;
pub(crate) type KeyIx = u32;
pub(crate) type NetIx = u32;
pub(crate) type NetsIx = u32;

/// A label that exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LabelName {
    pub(crate) ix: LabelIx,
    pub(crate) key: KeyIx,
}

/// A label group that exists: its key and every label below it that exists, sorted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct GroupName {
    pub(crate) key: KeyIx,
    pub(crate) labels: Vec<LabelIx>,
    /// False when a group below it is missing.
    pub(crate) complete: bool,
}

/// All names.
#[derive(Debug, Clone, Default)]
pub(crate) struct Names {
    labels: FxHashMap<Id, LabelName>,
    /// Number of every label id ever seen; a label that comes back gets its old number.
    label_ixs: FxHashMap<Id, LabelIx>,
    label_ids: Vec<Id>,
    keys: FxHashMap<Arc<str>, KeyIx>,
    key_texts: Vec<Arc<str>>,
    groups: FxHashMap<Id, GroupName>,
    nets: FxHashMap<Option<Id>, NetIx>,
    net_ids: Vec<Option<Id>>,
    net_sets: FxHashMap<Vec<NetIx>, NetsIx>,
    net_lists: Vec<Vec<NetIx>>,
}

fn number(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}

impl Names {
    /// Every name of a snapshot.
    pub(crate) fn new(snapshot: &Snapshot) -> Self {
        let mut names = Self::default();
        for (id, label) in &snapshot.labels {
            names.put_label(*id, Some(label));
        }
        for id in snapshot.label_groups.keys() {
            names.put_group(*id, snapshot);
        }
        let sides =
            snapshot.allow_rules.values().flat_map(|r| r.providers.iter().chain(&r.consumers));
        let denies = snapshot.deny_rules.values().chain(snapshot.boundaries.values());
        let sides = sides.chain(denies.flat_map(|r| r.providers.iter().chain(&r.consumers)));
        let tables = snapshot.ip_tables_rules.values().flat_map(|r| &r.actors);
        for actor in sides.chain(tables) {
            names.put_actor(actor);
        }
        names
    }

    pub(crate) fn key(&mut self, text: &Arc<str>) -> KeyIx {
        if let Some(ix) = self.keys.get(text) {
            return *ix;
        }
        let ix = number(self.key_texts.len());
        self.key_texts.push(Arc::clone(text));
        self.keys.insert(Arc::clone(text), ix);
        ix
    }

    /// The number of a key that some label, group or actor has named.
    pub(crate) fn known_key(&self, text: &str) -> Option<KeyIx> {
        self.keys.get(text).copied()
    }

    pub(crate) fn key_text(&self, ix: KeyIx) -> &str {
        self.key_texts.get(ix as usize).map_or("", |t| t)
    }

    pub(crate) fn label_id(&self, ix: LabelIx) -> Option<Id> {
        self.label_ids.get(ix as usize).copied()
    }

    pub(crate) fn label(&self, id: Id) -> Option<LabelName> {
        self.labels.get(&id).copied()
    }

    pub(crate) fn group(&self, id: Id) -> Option<&GroupName> {
        self.groups.get(&id)
    }

    /// Takes a label in or out; true when its key or its existence changed.
    pub(crate) fn put_label(&mut self, id: Id, label: Option<&Arc<Label>>) -> bool {
        let Some(label) = label else { return self.labels.remove(&id).is_some() };
        let key = self.key(&label.key);
        let ix = match self.label_ixs.get(&id) {
            Some(ix) => *ix,
            None => {
                let ix = number(self.label_ids.len());
                self.label_ids.push(id);
                self.label_ixs.insert(id, ix);
                ix
            }
        };
        let name = LabelName { ix, key };
        self.labels.insert(id, name) != Some(name)
    }

    /// Expands a group anew from the snapshot; true when it changed.
    pub(crate) fn put_group(&mut self, id: Id, snapshot: &Snapshot) -> bool {
        let Some(group) = snapshot.label_groups.get(&id) else {
            return self.groups.remove(&id).is_some();
        };
        let key = self.key(&group.key);
        let mut name = GroupName { key, labels: Vec::new(), complete: true };
        self.collect(group, snapshot, FxHashSet::from_iter([id]), &mut name);
        name.labels.sort_unstable();
        name.labels.dedup();
        if self.groups.get(&id) == Some(&name) {
            return false;
        }
        self.groups.insert(id, name);
        true
    }

    /// The labels of the group's key below it; a group is entered once, so that a cycle adds nothing.
    fn collect(
        &self,
        group: &LabelGroup,
        snapshot: &Snapshot,
        mut seen: FxHashSet<Id>,
        out: &mut GroupName,
    ) {
        let mut pending = vec![group];
        while let Some(group) = pending.pop() {
            let labels = group.labels.iter().filter_map(|id| self.label(*id));
            out.labels.extend(labels.filter(|l| l.key == out.key).map(|l| l.ix));
            for id in group.sub_groups.iter().filter(|id| seen.insert(**id)) {
                match snapshot.label_groups.get(id) {
                    Some(group) => pending.push(group),
                    None => out.complete = false,
                }
            }
        }
    }

    /// Takes in the key that an actor names.
    pub(crate) fn put_actor(&mut self, actor: &Actor) {
        if let Actor::Dimension(key) = actor {
            self.key(key);
        }
    }

    pub(crate) fn net(&mut self, id: Option<Id>) -> NetIx {
        if let Some(ix) = self.nets.get(&id) {
            return *ix;
        }
        let ix = number(self.net_ids.len());
        self.net_ids.push(id);
        self.nets.insert(id, ix);
        ix
    }

    /// The number of a network that some interface is in.
    pub(crate) fn known_net(&self, id: Option<Id>) -> Option<NetIx> {
        self.nets.get(&id).copied()
    }

    pub(crate) fn net_id(&self, ix: NetIx) -> Option<Option<Id>> {
        self.net_ids.get(ix as usize).copied()
    }

    /// The number of a sorted set of networks.
    pub(crate) fn nets(&mut self, set: Vec<NetIx>) -> NetsIx {
        if let Some(ix) = self.net_sets.get(&set) {
            return *ix;
        }
        let ix = number(self.net_lists.len());
        self.net_lists.push(set.clone());
        self.net_sets.insert(set, ix);
        ix
    }

    pub(crate) fn net_list(&self, ix: NetsIx) -> &[NetIx] {
        self.net_lists.get(ix as usize).map_or(&[], |l| l)
    }

    /// Whether two sets of networks have one in common.
    pub(crate) fn nets_meet(&self, a: NetsIx, b: NetsIx) -> bool {
        let b = self.net_list(b);
        self.net_list(a).iter().any(|n| b.contains(n))
    }
}
