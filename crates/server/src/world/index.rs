//! Secondary indexes of a world, kept by one function for all kinds.

use super::Loaded;
use super::object::{Obj, Row};
use super::summary::Summary;
use bulkhead_api::Unique;
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
    draft_refs: Refs,
    active_refs: Refs,
    pending: OrdMap<Node, UpdateType>,
}

/// By object and kind of referrer, those that refer to it.
type Refs = OrdMap<(Node, Kind), Posting>;

/// The ids of those of a kind that refer to an object, never empty. Most objects have one or few
/// referrers, labels have very many.
#[derive(Clone)]
enum Posting {
    One(Id),
    Many(OrdSet<Id>),
}

impl Posting {
    fn len(&self) -> usize {
        match self {
            Self::One(_) => 1,
            Self::Many(ids) => ids.len(),
        }
    }

    fn contains(&self, id: Id) -> bool {
        match self {
            Self::One(one) => *one == id,
            Self::Many(ids) => ids.contains(&id),
        }
    }

    fn iter(&self) -> impl Iterator<Item = Id> {
        let (one, many) = match self {
            Self::One(id) => (Some(*id), None),
            Self::Many(ids) => (None, Some(ids)),
        };
        one.into_iter().chain(many.into_iter().flat_map(|ids| ids.iter().copied()))
    }

    fn insert(&mut self, id: Id) {
        match self {
            Self::One(one) if *one == id => {}
            Self::One(one) => *self = Self::Many(OrdSet::from_iter([*one, id])),
            Self::Many(ids) => drop(ids.insert(id)),
        }
    }
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
    let summary = Summary::of_object(obj);
    let external = summary.external.map(|k| format!("x{k}").into());
    summary.unique.into_iter().chain(external).collect()
}

pub(super) fn external_pair(set: &str, reference: &str) -> Arc<str> {
    format!("{set}\u{1}{reference}").into()
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
    fn add(mut self, new: &Loaded) -> Self {
        let node = (new.kind, new.id);
        let (kind, id) = node;
        if let (Some(obj), Some(draft)) = (&new.row.draft, new.summary_of_draft()) {
            self.unique.extend(draft.unique.iter().map(|k| (kind, k.clone(), id)));
            self.external.extend(draft.external.iter().map(|k| (kind, k.clone(), id)));
            self.children.extend(obj.parent.map(|p| (kind, p, id)));
            self.draft_refs.extend(draft.targets.iter().map(|t| (*t, node)));
        }
        if let Some(active) = &new.active {
            self.active_refs.extend(active.targets.iter().map(|t| (*t, node)));
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

/// The postings of references (object, referrer) in any order.
fn postings(mut parts: Vec<(Node, Node)>) -> Refs {
    parts.par_sort_unstable();
    let groups = parts.chunk_by(|(a, (x, _)), (b, (y, _))| (a, x) == (b, y));
    let posting = |group: &[(Node, Node)]| match group {
        [(target, (kind, id))] => Some(((*target, *kind), Posting::One(*id))),
        [(target, (kind, _)), ..] => {
            let ids = group.iter().map(|(_, (_, id))| *id);
            Some(((*target, *kind), Posting::Many(ids.collect())))
        }
        [] => None,
    };
    groups.filter_map(posting).collect()
}

impl Index {
    /// The index of rows, made on all cores.
    pub(super) fn of(rows: &[Loaded]) -> Self {
        let parts =
            rows.par_iter().fold(Parts::default, Parts::add).reduce(Parts::default, Parts::join);
        let pending = rows.iter().filter_map(|r| Some(((r.kind, r.id), r.row.pending?)));
        let ((draft_refs, active_refs), (unique, (external, children))) = rayon::join(
            || rayon::join(|| postings(parts.draft_refs), || postings(parts.active_refs)),
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

    fn refs(&self, side: Side) -> &Refs {
        match side {
            Side::Draft => &self.draft_refs,
            Side::Active => &self.active_refs,
        }
    }

    pub(super) fn referrers(&self, side: Side, kind: Kind, id: Id) -> impl Iterator<Item = Node> {
        let t = (kind, id);
        let found = self.refs(side).range((t, FIRST)..=(t, LAST));
        found.flat_map(|((_, source), ids)| ids.iter().map(|id| (*source, id)))
    }

    fn posting(&self, side: Side, target: Node, source: Kind) -> Option<&Posting> {
        self.refs(side).get(&(target, source))
    }

    pub(super) fn referrers_of(
        &self,
        side: Side,
        target: Node,
        source: Kind,
    ) -> impl Iterator<Item = Id> {
        self.posting(side, target, source).into_iter().flat_map(Posting::iter)
    }

    pub(super) fn count_referrers(&self, side: Side, target: Node, source: Kind) -> usize {
        self.posting(side, target, source).map_or(0, Posting::len)
    }

    pub(super) fn refers(&self, side: Side, target: Node, source: Node) -> bool {
        self.posting(side, target, source.0).is_some_and(|p| p.contains(source.1))
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
            let targets = |o: Option<&Arc<Obj>>| o.map(|o| Summary::of_object(o).targets);
            let (old, new) = (targets(old_active), targets(new_active));
            let (old, new) = (old.unwrap_or_default(), new.unwrap_or_default());
            replace_refs(&mut self.active_refs, node, (&old, &new));
        }
        match new.and_then(|r| r.pending) {
            Some(u) => self.pending.insert(node, u),
            None => self.pending.remove(&node),
        };
    }

    fn replace_draft(&mut self, node: Node, old: Option<&Arc<Obj>>, new: Option<&Arc<Obj>>) {
        let (kind, id) = node;
        let parents = (old.and_then(|o| o.parent), new.and_then(|o| o.parent));
        let summary = |o: Option<&Arc<Obj>>| o.map(|o| Summary::of_object(o)).unwrap_or_default();
        let (old, new) = (summary(old), summary(new));
        for key in old.unique.iter().filter(|k| !new.unique.contains(k)) {
            self.unique.remove(&(kind, key.clone(), id));
        }
        for key in new.unique.iter().filter(|k| !old.unique.contains(k)) {
            self.unique.insert((kind, key.clone(), id));
        }
        if old.external != new.external {
            if let Some(key) = &old.external {
                self.external.remove(&(kind, key.clone(), id));
            }
            if let Some(key) = &new.external {
                self.external.insert((kind, key.clone(), id));
            }
        }
        if parents.0 != parents.1 {
            if let Some(p) = parents.0 {
                self.children.remove(&(kind, p, id));
            }
            if let Some(p) = parents.1 {
                self.children.insert((kind, p, id));
            }
        }
        replace_refs(&mut self.draft_refs, node, (&old.targets, &new.targets));
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

/// Replaces what an object refers to, before and after.
fn replace_refs(refs: &mut Refs, node: Node, (before, after): (&[Node], &[Node])) {
    for target in before.iter().filter(|t| after.binary_search(t).is_err()) {
        remove_ref(refs, *target, node);
    }
    for target in after.iter().filter(|t| before.binary_search(t).is_err()) {
        match refs.get_mut(&(*target, node.0)) {
            Some(posting) => posting.insert(node.1),
            None => drop(refs.insert((*target, node.0), Posting::One(node.1))),
        }
    }
}

fn remove_ref(refs: &mut Refs, target: Node, (kind, id): Node) {
    let key = (target, kind);
    let last = match refs.get_mut(&key) {
        Some(Posting::Many(ids)) => {
            ids.remove(&id);
            ids.is_empty()
        }
        Some(Posting::One(one)) => *one == id,
        None => false,
    };
    if last {
        refs.remove(&key);
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
