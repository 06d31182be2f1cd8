//! Which pending changes need which others.
//!
//! A policy must hold together: what a version refers to is in that version, names are held once, and
//! label groups do not contain themselves. A set of pending changes is *closed* when committing it
//! keeps the active policy so, or reverting it keeps the draft so. What is provisioned is a top-level
//! object; a rule set stands for its rules.

use crate::resource::refs;
use crate::world::{Obj, Row, Side, World, exclusive_keys};
use bulkhead_api::ApiError;
use bulkhead_ids::{Id, Kind};
use bulkhead_store::UpdateType;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

/// An object by kind and id.
pub type Node = (Kind, Id);

/// What is done with a set of pending changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    /// They become active.
    Commit,
    /// They are dropped.
    Revert,
}

/// The top-level object that an object is provisioned with: itself, or the one it lives under.
pub fn unit(world: &World, (kind, id): Node) -> Node {
    let parent = kind.parent().filter(|p| p.is_policy());
    let above = parent.and_then(|p| Some((p, world.get(kind, id)?.parent?)));
    above.unwrap_or((kind, id))
}

/// Every top-level object with pending changes.
pub fn all_pending(world: &World) -> BTreeSet<Node> {
    world.pending().map(|(k, i, _)| unit(world, (k, i))).collect()
}

/// The pending objects that belong to a top-level object, itself first.
pub fn members(world: &World, (kind, id): Node) -> impl Iterator<Item = (Node, &Row)> {
    let below = Kind::ALL.iter().copied().filter(move |k| k.parent() == Some(kind));
    let own = world.row(kind, id).map(|r| ((kind, id), r));
    own.into_iter()
        .chain(below.flat_map(move |child| {
            let rows = world.children(child, id);
            rows.filter_map(move |r| Some(((child, r.draft.as_ref()?.id), r)))
        }))
        .filter(|(_, r)| r.pending.is_some())
}

/// What a set of changes lacks, each with those that need it; empty when it is closed.
pub type Missing = BTreeMap<Node, BTreeSet<Node>>;

/// Finds everything that a set of pending changes needs beside itself, directly and through others.
///
/// # Errors
/// 406 when an object that is used outside the policy would go.
pub fn missing(world: &World, deed: Deed, set: &BTreeSet<Node>) -> Result<Missing, ApiError> {
    let graph = Graph { world, deed, names: names(world, deed) };
    let mut out = Missing::new();
    let mut closed = set.clone();
    let mut todo: Vec<Node> = set.iter().copied().collect();
    loop {
        while let Some(by) = todo.pop() {
            for need in graph.needs(by)? {
                add(&mut out, (need, by), set, (&mut closed, &mut todo));
            }
        }
        for (need, by) in graph.cycles(&closed) {
            add(&mut out, (need, by), set, (&mut closed, &mut todo));
        }
        if todo.is_empty() {
            return Ok(out);
        }
    }
}

fn add(
    out: &mut Missing,
    (need, by): (Node, Node),
    set: &BTreeSet<Node>,
    (closed, todo): (&mut BTreeSet<Node>, &mut Vec<Node>),
) {
    if !set.contains(&need) {
        out.entry(need).or_default().insert(by);
    }
    if closed.insert(need) {
        todo.push(need);
    }
}

/// Names and external references that pending objects hold in the active policy.
type Names = HashMap<(Kind, Arc<str>), Vec<Node>>;

fn names(world: &World, deed: Deed) -> Names {
    let mut out = Names::new();
    if deed == Deed::Revert {
        return out;
    }
    for (kind, id, _) in world.pending() {
        let Some(active) = world.row(kind, id).and_then(|r| r.active.as_ref()) else { continue };
        for key in exclusive_keys(active) {
            out.entry((kind, key)).or_default().push((kind, id));
        }
    }
    out
}

struct Graph<'a> {
    world: &'a World,
    deed: Deed,
    names: Names,
}

impl Graph<'_> {
    fn needs(&self, by: Node) -> Result<BTreeSet<Node>, ApiError> {
        let mut out = BTreeSet::new();
        let going = self.world.row(by.0, by.1).and_then(|r| r.pending) == Some(UpdateType::Delete);
        for (node, row) in members(self.world, by) {
            let deleted = going || row.pending == Some(UpdateType::Delete);
            match (self.deed, &row.active, &row.draft) {
                (Deed::Commit, _, Some(draft)) if !deleted => self.comes(node, draft, &mut out),
                (Deed::Commit, Some(active), _) => self.goes(Side::Active, active, &mut out)?,
                (Deed::Revert, None, Some(draft)) => self.goes(Side::Draft, draft, &mut out)?,
                (Deed::Revert, Some(active), _) => self.returns(node, active, &mut out),
                _ => {}
            }
        }
        out.remove(&by);
        Ok(out)
    }

    fn pending(&self, node: Node) -> Option<UpdateType> {
        self.world.row(node.0, node.1)?.pending
    }

    /// A draft becomes active: what it refers to must be active too, and its name free.
    fn comes(&self, node: Node, draft: &Obj, out: &mut BTreeSet<Node>) {
        policy_refs(draft, &mut |target| {
            let row = self.world.row(target.0, target.1);
            if row.is_some_and(|r| r.active.is_none()) {
                out.insert(unit(self.world, target));
            }
        });
        for key in exclusive_keys(draft) {
            let holders = self.names.get(&(node.0, key)).into_iter().flatten();
            out.extend(holders.filter(|h| **h != node).map(|h| unit(self.world, *h)));
        }
    }

    /// An object goes from a side: nothing there may refer to it any more.
    fn goes(&self, side: Side, obj: &Obj, out: &mut BTreeSet<Node>) -> Result<(), ApiError> {
        for (kind, id) in self.world.referrers(side, obj.kind, obj.id) {
            if kind.is_policy() {
                out.insert(unit(self.world, (kind, id)));
            }
        }
        let outside = self
            .world
            .referrers(Side::Draft, obj.kind, obj.id)
            .find(|(kind, _)| !kind.is_policy() && refs::counts(obj.kind, *kind));
        match outside {
            Some((kind, id)) => Err(refs::in_use(self.world, obj, kind, id)),
            None => Ok(()),
        }
    }

    /// A draft becomes as its active side is: what that refers to must stay, and its name be free.
    fn returns(&self, node: Node, active: &Obj, out: &mut BTreeSet<Node>) {
        policy_refs(active, &mut |target| {
            if self.pending(target) == Some(UpdateType::Delete) {
                out.insert(unit(self.world, target));
            }
        });
        let rivals = self.world.rivals(active).into_iter().map(|id| (node.0, id));
        out.extend(rivals.filter(|r| *r != node).map(|r| unit(self.world, r)));
    }

    /// The object as it will be on the side that the deed changes.
    fn result(&self, closed: &BTreeSet<Node>, node: Node) -> Option<&Arc<Obj>> {
        let row = self.world.row(node.0, node.1)?;
        if closed.contains(&node) == (self.deed == Deed::Commit) {
            return row.draft.as_ref().filter(|_| row.pending != Some(UpdateType::Delete));
        }
        row.active.as_ref()
    }

    /// What must change along so that no object of the result contains itself.
    fn cycles(&self, closed: &BTreeSet<Node>) -> Vec<(Node, Node)> {
        let mut out = Vec::new();
        for start in closed.iter().filter(|(k, _)| *k == Kind::LabelGroup) {
            let mut seen = BTreeSet::new();
            let mut todo = vec![*start];
            let mut before = BTreeMap::new();
            while let Some(at) = todo.pop() {
                let Some(obj) = self.result(closed, at) else { continue };
                policy_refs(obj, &mut |to| {
                    if to.0 == at.0 && seen.insert(to) {
                        before.insert(to, at);
                        todo.push(to);
                    }
                });
            }
            let mut at = before.get(start).copied();
            while let Some(node) = at.filter(|n| n != start) {
                if self.pending(node).is_some() && !closed.contains(&node) {
                    out.push((node, *start));
                }
                at = before.get(&node).copied();
            }
        }
        out
    }
}

fn policy_refs(obj: &Obj, f: &mut impl FnMut(Node)) {
    obj.doc.for_each_ref(&mut |kind, id| {
        if kind.is_policy() {
            f((kind, id));
        }
    });
}
