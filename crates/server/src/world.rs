//! The state of an organisation: an immutable snapshot that readers share and writers replace.
//!
//! A [`World`] holds each object by kind and id, its draft and active side, and the indexes that
//! requests need: names, external references, who refers to whom, children. Its maps are persistent, so
//! that a writer's copy costs a few pointers and shares the rest. Organisation 0 is the PCE itself:
//! users, keys, sessions, organisations.

mod index;
mod object;
mod summary;

pub use index::{Side, exclusive_keys, key_of, unique_key};
pub use object::{Doc, Obj, Rendered, Row};
pub use summary::Summary;

use bulkhead_ids::{Id, Kind};
use bulkhead_store::UpdateType;
use imbl::OrdMap;
use imbl::ordmap::DiffItem;
use index::Index;
use std::sync::Arc;

/// The organisation that stands for the PCE itself.
pub const SYSTEM: u32 = 0;

/// One organisation, as of one revision.
#[derive(Clone)]
pub struct World {
    /// The organisation's number.
    pub org: u32,
    /// Counts the changes.
    pub revision: u64,
    /// The number of the active policy; 0 before the first provisioning.
    pub version: u64,
    tables: Box<[Table]>,
    index: Index,
}

#[derive(Clone, Default)]
struct Table {
    rows: OrdMap<Id, Row>,
    deleted: usize,
    active: usize,
    changes: u64,
    last_id: u64,
}

/// An object that is loaded: its row, and what the indexes need to know of its sides.
pub struct Loaded {
    /// The kind.
    pub kind: Kind,
    /// The id.
    pub id: Id,
    /// The sides.
    pub row: Row,
    /// Of the draft, where it is not the active side.
    pub draft: Option<Summary>,
    /// Of the active side.
    pub active: Option<Summary>,
}

impl Loaded {
    fn summary_of_draft(&self) -> Option<&Summary> {
        self.draft.as_ref().or(self.active.as_ref())
    }
}

impl World {
    /// An organisation without objects.
    pub fn empty(org: u32) -> Self {
        let tables = Kind::ALL.iter().map(|_| Table::default()).collect();
        Self { org, revision: 0, version: 0, tables, index: Index::default() }
    }

    /// The row of an object, soft-deleted ones too.
    pub fn row(&self, kind: Kind, id: Id) -> Option<&Row> {
        self.tables.get(kind as usize)?.rows.get(&id)
    }

    /// The draft (or only) side of an object.
    pub fn get(&self, kind: Kind, id: Id) -> Option<&Arc<Obj>> {
        self.row(kind, id)?.draft.as_ref()
    }

    /// The object on a side; drafts include those pending deletion.
    pub fn on(&self, side: Side, kind: Kind, id: Id) -> Option<&Arc<Obj>> {
        let row = self.row(kind, id)?;
        match side {
            Side::Draft => row.draft.as_ref(),
            Side::Active if kind.is_policy() => row.active.as_ref(),
            Side::Active => row.draft.as_ref(),
        }
    }

    /// All rows of a kind, by id.
    pub fn rows(&self, kind: Kind) -> impl DoubleEndedIterator<Item = (Id, &Row)> {
        self.tables.get(kind as usize).into_iter().flat_map(|t| t.rows.iter().map(|(k, v)| (*k, v)))
    }

    /// All objects of a kind on a side, by id.
    pub fn objects(&self, side: Side, kind: Kind) -> impl Iterator<Item = &Arc<Obj>> {
        let active = side == Side::Active && kind.is_policy();
        self.rows(kind).filter_map(
            move |(_, r)| {
                if active { r.active.as_ref() } else { r.draft.as_ref() }
            },
        )
    }

    /// Calls `f` with id, row before and row after for each row of a kind that differs from an older
    /// world's, by id. Shared parts of the two are not visited.
    pub fn each_change<'a>(
        &'a self,
        before: &'a Self,
        kind: Kind,
        mut f: impl FnMut(Id, Option<&'a Row>, Option<&'a Row>),
    ) {
        let (Some(old), Some(new)) =
            (before.tables.get(kind as usize), self.tables.get(kind as usize))
        else {
            return;
        };
        for item in old.rows.diff(&new.rows) {
            match item {
                DiffItem::Add(id, row) => f(*id, None, Some(row)),
                DiffItem::Remove(id, row) => f(*id, Some(row), None),
                DiffItem::Update { old: (id, was), new: (_, is) } => f(*id, Some(was), Some(is)),
            }
        }
    }

    /// Objects of a kind that are not soft-deleted.
    pub fn count(&self, kind: Kind) -> usize {
        self.tables.get(kind as usize).map_or(0, |t| t.rows.len() - t.deleted)
    }

    /// Whether any object of a kind is soft-deleted.
    pub fn any_deleted(&self, kind: Kind) -> bool {
        self.tables.get(kind as usize).is_some_and(|t| t.deleted > 0)
    }

    /// Objects of a kind in the active policy.
    pub fn count_active(&self, kind: Kind) -> usize {
        self.tables.get(kind as usize).map_or(0, |t| t.active)
    }

    /// The children of a kind under an object, by id.
    pub fn children(&self, kind: Kind, parent: Id) -> impl Iterator<Item = &Row> {
        self.index.children(kind, parent).filter_map(move |id| self.row(kind, id))
    }

    /// Who refers to an object on a side: kind and id, in order.
    pub fn referrers(&self, side: Side, kind: Kind, id: Id) -> impl Iterator<Item = (Kind, Id)> {
        self.index.referrers(side, kind, id)
    }

    /// Those of a kind that refer to an object on a side, in order of id.
    pub fn referrers_of(
        &self,
        side: Side,
        target: (Kind, Id),
        source: Kind,
    ) -> impl Iterator<Item = Id> {
        self.index.referrers_of(side, target, source)
    }

    /// How many [`World::referrers_of`] there are, without looking at each.
    pub fn count_referrers(&self, side: Side, target: (Kind, Id), source: Kind) -> usize {
        self.index.count_referrers(side, target, source)
    }

    /// Whether an object refers to another on a side.
    pub fn refers(&self, side: Side, target: (Kind, Id), source: (Kind, Id)) -> bool {
        self.index.refers(side, target, source)
    }

    /// The object that holds a unique value; see [`unique_key`].
    pub fn holder(&self, kind: Kind, key: &str) -> Option<Id> {
        self.index.holder(kind, key)
    }

    /// All objects whose draft holds a unique value of an object's other side: its own, and those that
    /// hold the same name or external reference.
    pub fn rivals(&self, obj: &Obj) -> Vec<Id> {
        let keys = Summary::of_object(obj);
        let unique = keys.unique.iter().flat_map(|key| self.index.holders(obj.kind, key));
        let external = keys.external.iter();
        let external = external.flat_map(|key| self.index.external_holders(obj.kind, key));
        unique.chain(external).collect()
    }

    /// Whether any unique value of a kind begins with a text; see [`key_of`].
    pub fn holds(&self, kind: Kind, prefix: &str) -> bool {
        self.index.holds(kind, prefix)
    }

    /// The object with an external reference.
    pub fn by_external(&self, kind: Kind, set: &str, reference: &str) -> Option<Id> {
        self.index.by_external(kind, set, reference)
    }

    /// Puts, replaces or (with `None`) removes the row of an object, keeps the indexes, and returns what
    /// was there.
    pub fn put(&mut self, kind: Kind, id: Id, row: Option<Row>) -> Option<Row> {
        let table = self.tables.get_mut(kind as usize)?;
        let old = match &row {
            Some(new) => table.rows.insert(id, new.clone()),
            None => table.rows.remove(&id),
        };
        let deleted = |r: &Option<Row>| usize::from(r.as_ref().is_some_and(Row::soft_deleted));
        table.deleted = (table.deleted + deleted(&row)).saturating_sub(deleted(&old));
        let active = |r: &Option<Row>| usize::from(r.as_ref().is_some_and(|r| r.active.is_some()));
        table.active = (table.active + active(&row)).saturating_sub(active(&old));
        table.changes += u64::from(old.is_some());
        self.index.replace((kind, id), old.as_ref(), row.as_ref());
        old
    }

    /// Counts the changes to existing objects of some kinds; forms that show such objects are valid
    /// as long as it stands still.
    pub fn changes(&self, kinds: impl Iterator<Item = Kind>) -> u64 {
        kinds.filter_map(|k| self.tables.get(k as usize)).map(|t| t.changes).sum()
    }

    /// Fills an empty world with rows in order of kind and id: faster than one [`World::put`] each.
    pub fn fill(&mut self, rows: Vec<Loaded>) {
        let tables = &mut self.tables;
        let fill = || {
            for new in &rows {
                let Some(table) = tables.get_mut(new.kind as usize) else { continue };
                table.deleted += usize::from(new.summary_of_draft().is_some_and(|s| s.deleted));
                table.active += usize::from(new.active.is_some());
                table.rows.insert(new.id, new.row.clone());
            }
        };
        self.index = rayon::join(|| Index::of(&rows), fill).0;
    }

    /// Everything that is pending, in order of kind and id, children beside their parents.
    pub fn pending(&self) -> impl Iterator<Item = (Kind, Id, UpdateType)> {
        self.index.pending()
    }

    /// The highest integer id given out to a kind.
    pub fn last_id(&self, kind: Kind) -> u64 {
        self.tables.get(kind as usize).map_or(0, |t| t.last_id)
    }

    /// Sets [`World::last_id`], when a world is loaded.
    pub fn set_last_id(&mut self, kind: Kind, last: u64) {
        if let Some(t) = self.tables.get_mut(kind as usize) {
            t.last_id = last;
        }
    }

    /// The next integer id of a kind; ids are never given out twice.
    pub fn next_id(&mut self, kind: Kind) -> Id {
        let next = self.last_id(kind) + 1;
        self.set_last_id(kind, next);
        Id::int(next)
    }
}
