//! What a set of pending changes concerns: the workloads for which the policy engine comes to something
//! else once the set is committed, and the rule sets whose rules change, themselves or through what they
//! refer to.
//!
//! Source: reading R-AFFECTED: the public pages do not define the number; unmanaged workloads count,
//! since the answer of `impact` counts them too.

use super::closure::{Node, members, unit};
use crate::compute::{Sides, convert, engine_of};
use crate::doc::Val;
use crate::world::{Obj, Row, Side, World};
use bulkhead_engine::Engine;
use bulkhead_engine::effect::Comparison;
use bulkhead_ids::{Id, Kind};
use bulkhead_model::Change;
use bulkhead_store::UpdateType;
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
struct Policy<'a> {
    world: &'a World,
    /// The changes, for the state after them.
    with: Option<&'a BTreeSet<Node>>,
}

impl<'a> Policy<'a> {
    /// The object in this state.
    fn get(&self, kind: Kind, id: Id) -> Option<&'a Arc<Obj>> {
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

/// What the engine of the active policy is told when a set of changes is committed.
fn changes(world: &World, set: &BTreeSet<Node>) -> Vec<Change> {
    let mut nodes: Vec<(Kind, Id)> = Vec::new();
    for node in set {
        nodes.extend(members(world, *node).map(|(node, _)| node));
    }
    let order = |kind: Kind| convert::KINDS.iter().position(|k| *k == kind);
    nodes.sort_unstable_by_key(|(kind, id)| (order(*kind), *id));
    let change = |(kind, id): (Kind, Id)| {
        let row = world.row(kind, id)?;
        let parent = row.draft.as_ref().or(row.active.as_ref()).and_then(|o| o.parent);
        let gone = row.pending == Some(UpdateType::Delete);
        convert::change(kind, id, parent, row.draft.as_deref().filter(|_| !gone))
    };
    nodes.into_iter().filter_map(change).collect()
}

/// Calls `f` with the active engine and with what it becomes when a set of changes is committed.
///
/// `sides` stands at `world`. Takes time: a part of what is pending is computed on a copy.
pub fn outcome<R>(
    world: &World,
    sides: &Sides,
    set: &BTreeSet<Node>,
    f: impl FnOnce(&Engine, &Engine) -> R,
) -> R {
    if *set == super::closure::all_pending(world) {
        return f(&sides.active, &sides.draft);
    }
    let mut after = sides.active.clone();
    after.apply(&changes(world, set));
    f(&sides.active, &after)
}

/// Counts what committing a set of changes concerns.
pub fn affected(world: &World, set: &BTreeSet<Node>, engines: (&Engine, &Engine)) -> Affected {
    let (before, after) = engines;
    let mut out = Affected { sets: changed_sets(world, set), ..Affected::default() };
    for id in Comparison::new(before, after).affected() {
        match after.snapshot().workloads.get(&id) {
            Some(workload) if workload.managed => out.managed += 1,
            _ => out.unmanaged += 1,
        }
    }
    out.servers = set.iter().filter(|(k, _)| *k == Kind::VirtualServer).count();
    out
}

/// [`affected`] with engines made for it: for the first start and for samples, not for requests.
pub fn affected_anew(world: &World, set: &BTreeSet<Node>) -> Affected {
    let before = engine_of(world, Side::Active);
    let mut after = before.clone();
    after.apply(&changes(world, set));
    affected(world, set, (&before, &after))
}

/// How many rule sets and boundaries have rules that change.
fn changed_sets(world: &World, set: &BTreeSet<Node>) -> usize {
    let before = Policy { world, with: None };
    let after = Policy { world, with: Some(set) };
    let mut changed = Changed { before, after, rules: BTreeSet::new(), seen: BTreeSet::new() };
    for node in set {
        changed.unit(*node);
    }
    changed.rules.iter().map(|n| unit(world, *n)).collect::<BTreeSet<Node>>().len()
}

/// The rules whose effect changes.
struct Changed<'a> {
    before: Policy<'a>,
    after: Policy<'a>,
    rules: BTreeSet<Node>,
    seen: BTreeSet<Node>,
}

impl Changed<'_> {
    fn differs(&self, (kind, id): Node) -> bool {
        !same(self.before.get(kind, id), self.after.get(kind, id))
    }

    fn unit(&mut self, node: Node) {
        let world = self.before.world;
        for (member, _) in members(world, node).collect::<Vec<_>>() {
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
            Kind::FirewallSettings => {}
            // Referrers that are drafts only are part of the set themselves.
            _ => {
                let users: Vec<Node> = world.referrers(Side::Active, kind, id).collect();
                users.into_iter().for_each(|u| self.through(u));
            }
        }
    }
}
