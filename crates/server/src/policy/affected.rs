//! Which workloads a set of pending changes concerns: those that are an end of a rule which it adds,
//! removes or changes, itself or through what the rule refers to.
//!
//! Source: reading R-AFFECTED: the public pages do not define the number; unmanaged workloads count,
//! since the answer of `impact` counts them too.

mod ends;

use super::closure::{Node, unit};
use crate::doc::Val;
use crate::world::{Obj, Row, Side, World};
use bulkhead_ids::{Id, Kind};
use bulkhead_store::UpdateType;
use ends::Ends;
use std::collections::BTreeSet;
use std::sync::Arc;

/// What a set of changes concerns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Affected {
    /// Workloads with an agent.
    pub managed: usize,
    /// Workloads without.
    pub unmanaged: usize,
    /// Rule sets and boundaries with changed rules.
    pub sets: usize,
    /// Virtual servers that change or that a changed rule names.
    pub servers: usize,
}

impl Affected {
    /// All workloads.
    pub const fn workloads(&self) -> usize {
        self.managed + self.unmanaged
    }
}

/// The state of the policy before or after a set of changes is committed.
#[derive(Clone, Copy)]
pub(super) struct Policy<'a> {
    pub(super) world: &'a World,
    /// The changes, for the state after them.
    pub(super) with: Option<&'a BTreeSet<Node>>,
}

impl<'a> Policy<'a> {
    /// The object in this state.
    pub(super) fn get(&self, kind: Kind, id: Id) -> Option<&'a Arc<Obj>> {
        let row = self.world.row(kind, id)?;
        if !kind.is_policy() {
            return row.draft.as_ref();
        }
        match self.with {
            Some(set) if row.pending.is_some() && set.contains(&unit(self.world, (kind, id))) => {
                let gone = row.pending == Some(UpdateType::Delete);
                row.draft.as_ref().filter(|_| !gone)
            }
            _ => row.active.as_ref(),
        }
    }
}

/// Members that say nothing about what hosts enforce.
const TELLING: &[&str] = &[
    "name",
    "description",
    "created_at",
    "created_by",
    "updated_at",
    "updated_by",
    "deleted_at",
    "deleted_by",
    "external_data_set",
    "external_data_reference",
];

fn same(a: Option<&Arc<Obj>>, b: Option<&Arc<Obj>>) -> bool {
    let (Some(a), Some(b)) = (a, b) else { return a.is_none() && b.is_none() };
    let acts = |v: &'_ Val| -> Vec<(crate::doc::Key, Val)> {
        v.entries().iter().filter(|(k, _)| !TELLING.contains(k)).cloned().collect()
    };
    Arc::ptr_eq(a, b) || acts(&a.doc) == acts(&b.doc)
}

/// Counts what committing a set of changes concerns.
pub fn affected(world: &World, set: &BTreeSet<Node>) -> Affected {
    let before = Policy { world, with: None };
    let after = Policy { world, with: Some(set) };
    let mut changed =
        Changed { before, after, rules: BTreeSet::new(), seen: BTreeSet::new(), all: false };
    for node in set {
        changed.unit(*node);
    }
    let rules = changed.rules;
    if rules.is_empty() && !changed.all {
        return Affected::default();
    }
    let sets: BTreeSet<Node> = rules.iter().map(|n| unit(world, *n)).collect();
    let mut ends = Ends::new(world);
    if changed.all {
        ends.mark_all();
    }
    for node in &rules {
        ends.rule(before, *node);
        ends.rule(after, *node);
    }
    let (managed, unmanaged) = ends.count();
    let named = set.iter().filter(|(k, _)| *k == Kind::VirtualServer).count();
    Affected { managed, unmanaged, sets: sets.len(), servers: named }
}

/// The rules whose effect changes.
struct Changed<'a> {
    before: Policy<'a>,
    after: Policy<'a>,
    rules: BTreeSet<Node>,
    seen: BTreeSet<Node>,
    /// Something changed that concerns every workload.
    all: bool,
}

impl Changed<'_> {
    fn differs(&self, (kind, id): Node) -> bool {
        !same(self.before.get(kind, id), self.after.get(kind, id))
    }

    fn unit(&mut self, node: Node) {
        let world = self.before.world;
        for (member, _) in super::closure::members(world, node).collect::<Vec<_>>() {
            if self.differs(member) {
                self.through(member);
            }
        }
    }

    /// Adds the rules that an object takes part in.
    fn through(&mut self, (kind, id): Node) {
        if !self.seen.insert((kind, id)) {
            return;
        }
        let world = self.before.world;
        match kind {
            Kind::SecRule | Kind::DenyRule | Kind::IpTablesRule | Kind::EnforcementBoundary => {
                self.rules.insert((kind, id));
            }
            Kind::RuleSet => {
                for rules in [Kind::SecRule, Kind::DenyRule, Kind::IpTablesRule] {
                    let ids = world.children(rules, id).filter_map(|r: &Row| r.draft.as_ref());
                    self.rules.extend(ids.map(|o| (rules, o.id)));
                }
            }
            Kind::FirewallSettings => self.all = true,
            // Referrers that are drafts only are part of the set themselves.
            _ => {
                let users: Vec<Node> = world.referrers(Side::Active, kind, id).collect();
                users.into_iter().for_each(|u| self.through(u));
            }
        }
    }
}
