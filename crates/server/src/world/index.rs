//! Secondary indexes of a world, kept by one function for all kinds.

use super::object::{Obj, Row};
use bulkhead_api::{Unique, descriptor};
use bulkhead_ids::{Id, Kind};
use bulkhead_store::UpdateType;
use imbl::{OrdMap, OrdSet};
use rayon::prelude::*;
use std::sync::Arc;

/// The edited or the enforced side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// What is being edited.
    Draft,
    /// What hosts enforce.
    Active,
}

type Node = (Kind, Id);

#[derive(Clone, Default)]
pub(super) struct Index {
    // More than one holder only where a restore brought a name back that an object pending deletion
    // still has.
    unique: OrdSet<(Kind, Arc<str>, Id)>,
    external: OrdSet<(Kind, Arc<str>, Id)>,
    children: OrdSet<(Kind, Id, Id)>,
    draft_refs: OrdSet<(Node, Node)>,
    active_refs: OrdSet<(Node, Node)>,
    pending: OrdMap<Node, UpdateType>,
}

/// The values that must be unique, each with the number of its constraint in front.
///
/// Soft-deleted objects hold none.
pub(super) fn unique_keys(obj: &Obj) -> impl Iterator<Item = Arc<str>> {
    let constraints = descriptor(obj.kind).map(|d| d.unique.as_slice()).unwrap_or_default();
    let alive = !obj.doc.is("deleted");
    constraints.iter().enumerate().filter(move |_| alive).filter_map(|(n, u)| {
        let values: Option<Vec<&str>> = u.fields.iter().map(|f| obj.doc.str(f)).collect();
        Some(key_of(n, u, &values?))
    })
}

/// The key of a constraint for the given field values, as the index holds it.
pub fn key_of(n: usize, constraint: &Unique, values: &[&str]) -> Arc<str> {
    let key = unique_key(n, values);
    if constraint.ignore_case { key.to_lowercase().into() } else { key }
}

/// The key of one constraint that compares exactly, for the given field values.
pub fn unique_key(constraint: usize, values: &[&str]) -> Arc<str> {
    format!("{constraint}\u{1}{}", values.join("\u{1}")).into()
}

/// All values of an object that no other of its kind may have, external reference included.
pub fn exclusive_keys(obj: &Obj) -> Vec<Arc<str>> {
    let external = external_key(obj).map(|k| format!("x{k}").into());
    unique_keys(obj).chain(external).collect()
}

/// The key of an external reference; soft-deleted objects hold none.
pub(super) fn external_key(obj: &Obj) -> Option<Arc<str>> {
    if obj.doc.is("deleted") {
        return None;
    }
    let (set, reference) =
        (obj.doc.str("external_data_set")?, obj.doc.str("external_data_reference")?);
    Some(external_pair(set, reference))
}

fn external_pair(set: &str, reference: &str) -> Arc<str> {
    format!("{set}\u{1}{reference}").into()
}

fn refs(obj: &Obj) -> Vec<Node> {
    let mut out = Vec::new();
    if !obj.doc.is("deleted") {
        obj.doc.for_each_ref(&mut |k, i| out.push((k, i)));
        out.retain(|(k, _)| *k != Kind::User);
        out.sort_unstable();
        out.dedup();
    }
    out
}

fn same(a: Option<&Arc<Obj>>, b: Option<&Arc<Obj>>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => Arc::ptr_eq(a, b),
        (None, None) => true,
        _ => false,
    }
}

/// What one row adds to each index.
#[derive(Default)]
struct Parts {
    unique: Vec<(Kind, Arc<str>, Id)>,
    external: Vec<(Kind, Arc<str>, Id)>,
    children: Vec<(Kind, Id, Id)>,
    draft_refs: Vec<(Node, Node)>,
    active_refs: Vec<(Node, Node)>,
}

impl Parts {
    fn add(mut self, (kind, id, row): &(Kind, Id, Row)) -> Self {
        let node = (*kind, *id);
        if let Some(obj) = &row.draft {
            self.unique.extend(unique_keys(obj).map(|k| (*kind, k, *id)));
            self.external.extend(external_key(obj).map(|k| (*kind, k, *id)));
            self.children.extend(obj.parent.map(|p| (*kind, p, *id)));
            self.draft_refs.extend(refs(obj).into_iter().map(|t| (t, node)));
        }
        if let Some(obj) = &row.active {
            self.active_refs.extend(refs(obj).into_iter().map(|t| (t, node)));
        }
        self
    }

    fn join(mut self, mut other: Self) -> Self {
        self.unique.append(&mut other.unique);
        self.external.append(&mut other.external);
        self.children.append(&mut other.children);
        self.draft_refs.append(&mut other.draft_refs);
        self.active_refs.append(&mut other.active_refs);
        self
    }
}

/// A map or set from parts in any order: sorted first, since adding at the end is cheapest.
fn sorted<T: Ord + Send, C: FromIterator<T>>(mut parts: Vec<T>) -> C {
    parts.par_sort_unstable();
    parts.into_iter().collect()
}

impl Index {
    /// The index of rows, made on all cores.
    pub(super) fn of(rows: &[(Kind, Id, Row)]) -> Self {
        let parts =
            rows.par_iter().fold(Parts::default, Parts::add).reduce(Parts::default, Parts::join);
        let pending = rows.iter().filter_map(|(k, i, r)| Some(((*k, *i), r.pending?)));
        let ((draft_refs, active_refs), (unique, (external, children))) = rayon::join(
            || rayon::join(|| sorted(parts.draft_refs), || sorted(parts.active_refs)),
            || {
                let rest = || (sorted(parts.external), sorted(parts.children));
                rayon::join(|| sorted(parts.unique), rest)
            },
        );
        Self { unique, external, children, draft_refs, active_refs, pending: pending.collect() }
    }

    pub(super) fn holders(&self, kind: Kind, key: &str) -> impl Iterator<Item = Id> {
        holders(&self.unique, kind, key.into())
    }

    pub(super) fn external_holders(&self, kind: Kind, key: &str) -> impl Iterator<Item = Id> {
        holders(&self.external, kind, key.into())
    }

    pub(super) fn holder(&self, kind: Kind, key: &str) -> Option<Id> {
        self.staying(kind, self.holders(kind, key))
    }

    /// Whether any unique value of a kind begins with a text.
    pub(super) fn holds(&self, kind: Kind, prefix: &str) -> bool {
        let next = self.unique.range((kind, Arc::from(prefix), MIN)..).next();
        next.is_some_and(|(k, key, _)| *k == kind && key.starts_with(prefix))
    }

    pub(super) fn by_external(&self, kind: Kind, set: &str, reference: &str) -> Option<Id> {
        self.staying(kind, holders(&self.external, kind, external_pair(set, reference)))
    }

    /// Of several, the one that is not pending deletion.
    fn staying(&self, kind: Kind, ids: impl Iterator<Item = Id>) -> Option<Id> {
        ids.min_by_key(|id| self.pending.get(&(kind, *id)) == Some(&UpdateType::Delete))
    }

    pub(super) fn children(&self, kind: Kind, parent: Id) -> impl Iterator<Item = Id> {
        self.children.range((kind, parent, MIN)..=(kind, parent, MAX)).map(|(_, _, child)| *child)
    }

    fn refs(&self, side: Side) -> &OrdSet<(Node, Node)> {
        match side {
            Side::Draft => &self.draft_refs,
            Side::Active => &self.active_refs,
        }
    }

    pub(super) fn referrers(&self, side: Side, kind: Kind, id: Id) -> impl Iterator<Item = Node> {
        let t = (kind, id);
        self.refs(side).range((t, (FIRST, MIN))..=(t, (LAST, MAX))).map(|(_, s)| *s)
    }

    pub(super) fn referrers_of(
        &self,
        side: Side,
        target: Node,
        source: Kind,
    ) -> impl Iterator<Item = Id> {
        self.refs(side)
            .range((target, (source, MIN))..=(target, (source, MAX)))
            .map(|(_, (_, id))| *id)
    }

    pub(super) fn pending(&self) -> impl Iterator<Item = (Kind, Id, UpdateType)> {
        self.pending.iter().map(|((k, i), u)| (*k, *i, *u))
    }

    /// Replaces what the old row stands for by what the new one does.
    pub(super) fn replace(&mut self, node: Node, old: Option<&Row>, new: Option<&Row>) {
        let (old_draft, new_draft) =
            (old.and_then(|r| r.draft.as_ref()), new.and_then(|r| r.draft.as_ref()));
        if !same(old_draft, new_draft) {
            self.replace_draft(node, old_draft, new_draft);
        }
        let (old_active, new_active) =
            (old.and_then(|r| r.active.as_ref()), new.and_then(|r| r.active.as_ref()));
        if !same(old_active, new_active) {
            replace_refs(&mut self.active_refs, node, old_active, new_active);
        }
        match new.and_then(|r| r.pending) {
            Some(u) => self.pending.insert(node, u),
            None => self.pending.remove(&node),
        };
    }

    fn replace_draft(&mut self, node: Node, old: Option<&Arc<Obj>>, new: Option<&Arc<Obj>>) {
        let (kind, id) = node;
        for key in old.into_iter().flat_map(|o| unique_keys(o)) {
            self.unique.remove(&(kind, key, id));
        }
        for key in new.into_iter().flat_map(|o| unique_keys(o)) {
            self.unique.insert((kind, key, id));
        }
        if let Some(key) = old.and_then(|o| external_key(o)) {
            self.external.remove(&(kind, key, id));
        }
        if let Some(key) = new.and_then(|o| external_key(o)) {
            self.external.insert((kind, key, id));
        }
        let parents = (old.and_then(|o| o.parent), new.and_then(|o| o.parent));
        if parents.0 != parents.1 {
            if let Some(p) = parents.0 {
                self.children.remove(&(kind, p, id));
            }
            if let Some(p) = parents.1 {
                self.children.insert((kind, p, id));
            }
        }
        replace_refs(&mut self.draft_refs, node, old, new);
    }
}

fn holders(
    set: &OrdSet<(Kind, Arc<str>, Id)>,
    kind: Kind,
    key: Arc<str>,
) -> impl Iterator<Item = Id> {
    set.range((kind, key.clone(), MIN)..=(kind, key, MAX)).map(|(.., id)| *id)
}

const MIN: Id = Id::from_bytes([0; 16]);
const MAX: Id = Id::from_bytes([0xff; 16]);
// INVARIANT: the first and the last of the table of kinds; a test compares.
const FIRST: Kind = Kind::AccessRestriction;
const LAST: Kind = Kind::WorkloadSettings;

fn replace_refs(
    set: &mut OrdSet<(Node, Node)>,
    node: Node,
    old: Option<&Arc<Obj>>,
    new: Option<&Arc<Obj>>,
) {
    let before = old.map(|o| refs(o)).unwrap_or_default();
    let after = new.map(|o| refs(o)).unwrap_or_default();
    for target in before.iter().filter(|t| after.binary_search(t).is_err()) {
        set.remove(&(*target, node));
    }
    for target in after.iter().filter(|t| before.binary_search(t).is_err()) {
        set.insert((*target, node));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_cover_all_kinds() {
        assert_eq!((Kind::ALL.first(), Kind::ALL.last()), (Some(&FIRST), Some(&LAST)));
    }
}
