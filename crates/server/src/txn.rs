//! A change in the making: a working copy of a world, the store ops and the audit trail.
//!
//! One mechanism serves draft and active: [`Txn::save`] and [`Txn::remove`] know that policy objects
//! go to their draft side and become pending, that a rule makes its rule set pending, and that an
//! object which was never provisioned vanishes at once.

use crate::audit::{self, Change};
use crate::clock::wire_time;
use crate::doc::Val;
use crate::state::COUNTER_VERSION;
use crate::world::{Obj, Row, World};
use bulkhead_api::RoleSet;
use bulkhead_ids::{Id, Kind};
use bulkhead_store::{Key, Op, UpdateType};
use jiff::Timestamp;
use std::sync::Arc;

/// Who asks, and by which request; goes into audit fields and events.
#[derive(Clone, Debug, Default)]
pub struct Origin {
    /// Href of the user or service account; empty for the system itself.
    pub href: String,
    /// Its name.
    pub name: String,
    /// The path of the request, as sent.
    pub endpoint: String,
    /// The method of the request.
    pub method: String,
    /// The client's address.
    pub ip: String,
    /// The status that success answers; 0 without a request.
    pub status: u16,
    /// The request's id.
    pub request_id: String,
    /// The name of this PCE.
    pub pce_fqdn: Arc<str>,
    /// The caller's roles in the organisation of the path; absent for the server itself, which may all.
    pub roles: Option<RoleSet>,
}

/// A change in the making.
pub struct Txn<'a> {
    /// The organisation as it will be.
    pub world: World,
    /// Who asks.
    pub origin: &'a Origin,
    /// The time of the change.
    pub now: Timestamp,
    /// What the event of this change is called; `None` writes no event.
    pub event_type: Option<String>,
    /// What the event says beside the changes.
    pub notifications: Vec<serde_json::Value>,
    changes: Vec<Change>,
    ops: Vec<Op>,
    undo: Vec<Undo>,
    event_org: Option<u32>,
}

/// How to take one step of a change back.
enum Undo {
    /// The row of an object as it was.
    Row(Kind, Id, Option<Row>),
    /// The last id given out to a kind.
    LastId(Kind, u64),
}

/// A point to fall back to within a change: how far each list had come.
#[derive(Clone, Copy)]
pub struct Mark {
    changes: usize,
    ops: usize,
    undo: usize,
}

impl<'a> Txn<'a> {
    /// Starts a change on a copy of a world.
    pub fn new(world: World, origin: &'a Origin, now: Timestamp) -> Self {
        Self {
            world,
            origin,
            now,
            event_type: None,
            notifications: Vec::new(),
            changes: Vec::new(),
            ops: Vec::new(),
            undo: Vec::new(),
            event_org: None,
        }
    }

    /// The time of the change as the wire has it.
    pub fn time(&self) -> String {
        wire_time(self.now)
    }

    /// Writes the event of this change into another organisation (changes of the PCE itself).
    pub fn event_in(&mut self, org: u32) {
        self.event_org = Some(org);
    }

    /// Remembers the present point; [`Txn::back_to`] undoes what follows.
    pub const fn mark(&self) -> Mark {
        Mark { changes: self.changes.len(), ops: self.ops.len(), undo: self.undo.len() }
    }

    /// Undoes everything since the mark, the last step first.
    pub fn back_to(&mut self, mark: Mark) {
        self.changes.truncate(mark.changes);
        self.ops.truncate(mark.ops);
        for step in self.undo.drain(mark.undo.min(self.undo.len())..).rev() {
            match step {
                Undo::Row(kind, id, row) => drop(self.world.put(kind, id, row)),
                Undo::LastId(kind, last) => self.world.set_last_id(kind, last),
            }
        }
    }

    /// The next integer id of a kind; ids are never given out twice.
    pub fn next_id(&mut self, kind: Kind) -> Id {
        self.undo.push(Undo::LastId(kind, self.world.last_id(kind)));
        self.world.next_id(kind)
    }

    fn put(&mut self, kind: Kind, id: Id, row: Option<Row>) {
        let old = self.world.put(kind, id, row);
        self.undo.push(Undo::Row(kind, id, old));
    }

    fn key(&self, kind: Kind, id: Id) -> Key {
        Key { org: self.world.org, kind, id }
    }

    fn bytes(&self, doc: &Val) -> Arc<[u8]> {
        let mut out = Vec::with_capacity(1024);
        doc.write(self.world.org, &mut out);
        out.into()
    }

    /// Stores a new or changed object: the draft of a policy object, the object itself otherwise.
    pub fn save(&mut self, obj: Arc<Obj>) {
        let (kind, id) = (obj.kind, obj.id);
        let old = self.world.row(kind, id).cloned();
        let before = old.as_ref().and_then(|r| r.draft.clone());
        self.changes.push(Change::of(&self.world, before, Some(obj.clone())));
        let row = match old {
            _ if !kind.is_policy() => Row::plain(obj.clone()),
            None => {
                Row { draft: Some(obj.clone()), active: None, pending: Some(UpdateType::Create) }
            }
            Some(old) => Row {
                draft: Some(obj.clone()),
                pending: Some(match old.pending {
                    Some(UpdateType::Delete) => UpdateType::Delete,
                    _ if old.active.is_none() => UpdateType::Create,
                    _ => UpdateType::Update,
                }),
                active: old.active,
            },
        };
        self.put_current(kind, id, row);
        self.touch_parent(&obj);
    }

    /// Deletes an object: at once where it was never provisioned or has no draft side, otherwise
    /// pending until provisioned.
    pub fn remove(&mut self, kind: Kind, id: Id) {
        let Some(row) = self.world.row(kind, id).cloned() else { return };
        let Some(obj) = row.draft.clone() else { return };
        self.changes.push(Change::of(&self.world, Some(obj.clone()), None));
        if row.active.is_some() {
            self.mark_deleted(kind, id, row);
        } else {
            self.forget(kind, id);
        }
        self.touch_parent(&obj);
    }

    /// Makes an object and all below it pending deletion; what was never provisioned vanishes.
    fn mark_deleted(&mut self, kind: Kind, id: Id, row: Row) {
        for (kind, id, row) in self.below(kind, id) {
            if row.active.is_some() {
                self.put_current(kind, id, Row { pending: Some(UpdateType::Delete), ..row });
            } else {
                self.forget(kind, id);
            }
        }
        self.put_current(kind, id, Row { pending: Some(UpdateType::Delete), ..row });
    }

    /// The rows of all objects under an object.
    fn below(&self, kind: Kind, id: Id) -> Vec<(Kind, Id, Row)> {
        let kinds = Kind::ALL.iter().copied().filter(|k| k.parent() == Some(kind));
        let rows = |child| {
            let rows = self.world.children(child, id);
            rows.filter_map(move |r| Some((child, r.draft.as_ref()?.id, r.clone())))
        };
        kinds.flat_map(rows).collect()
    }

    /// Takes the row of an object and of all below it out of the world and the store.
    fn forget(&mut self, kind: Kind, id: Id) {
        for (kind, id, _) in self.below(kind, id) {
            self.forget(kind, id);
        }
        self.put(kind, id, None);
        let key = self.key(kind, id);
        self.ops.push(Op::DeleteCurrent { key });
    }

    /// A changed rule makes its rule set pending.
    fn touch_parent(&mut self, obj: &Obj) {
        let (Some(parent), Some(kind)) = (obj.parent, obj.kind.parent()) else { return };
        if !kind.is_policy() {
            return;
        }
        let Some(row) = self.world.row(kind, parent).cloned() else { return };
        if row.pending.is_none() {
            let row = Row { pending: Some(UpdateType::Update), ..row };
            self.put_current(kind, parent, row);
        }
    }

    /// Sets the row of an object whose draft differs from its active side, or that has no sides.
    pub fn put_current(&mut self, kind: Kind, id: Id, row: Row) {
        if let Some(obj) = &row.draft {
            let (key, doc) = (self.key(kind, id), self.bytes(&obj.doc));
            let (parent, pending) = (obj.parent, row.pending);
            self.ops.push(Op::PutCurrent { key, parent, pending, doc });
        }
        self.put(kind, id, Some(row));
    }

    /// Drops the draft of an object and of all below it: their active side is all there is, or
    /// nothing.
    pub fn revert(&mut self, kind: Kind, id: Id) {
        let Some(row) = self.world.row(kind, id).cloned() else { return };
        let Some(active) = row.active else { return self.forget(kind, id) };
        for (kind, id, child) in self.below(kind, id) {
            if child.pending.is_some() {
                self.revert(kind, id);
            }
        }
        if row.pending.is_some() {
            self.settle(kind, id, active);
        }
    }

    /// Makes the draft of one object the same as its active side.
    fn settle(&mut self, kind: Kind, id: Id, active: Arc<Obj>) {
        let row = Row { draft: Some(active.clone()), active: Some(active), pending: None };
        self.put(kind, id, Some(row));
        let key = self.key(kind, id);
        self.ops.push(Op::DeleteCurrent { key });
    }

    /// Sets the draft of one policy object, whatever it was: nothing where it shall not exist, no
    /// change where it shall be as its active side is. Parents go first.
    pub fn set_draft(&mut self, kind: Kind, id: Id, wanted: Option<Arc<Obj>>, unchanged: bool) {
        let row = self.world.row(kind, id).cloned().unwrap_or_default();
        let Some(touched) = wanted.clone().or_else(|| row.draft.clone()) else { return };
        let row = match (row.active, wanted) {
            (None, None) => return self.forget(kind, id),
            (Some(active), Some(_)) if unchanged => {
                if row.pending.is_some() {
                    self.settle(kind, id, active);
                }
                return;
            }
            (Some(active), None) => Row {
                draft: Some(active.clone()),
                active: Some(active),
                pending: Some(UpdateType::Delete),
            },
            (active, Some(obj)) => {
                let pending = active.as_ref().map_or(UpdateType::Create, |_| UpdateType::Update);
                Row { draft: Some(obj), active, pending: Some(pending) }
            }
        };
        self.put_current(kind, id, row);
        self.touch_parent(&touched);
    }

    /// Makes the draft of a pending object and of all below it active in a version.
    pub fn activate(&mut self, kind: Kind, id: Id, version: u64) {
        let Some(row) = self.world.row(kind, id).cloned() else { return };
        let gone = row.pending == Some(UpdateType::Delete);
        for (kind, id, child) in self.below(kind, id) {
            match gone {
                true => self.end(kind, id, (&child, version)),
                false => self.activate(kind, id, version),
            }
        }
        if gone {
            return self.end(kind, id, (&row, version));
        }
        let (Some(draft), Some(_)) = (row.draft, row.pending) else { return };
        let key = self.key(kind, id);
        if row.active.is_some() {
            self.ops.push(Op::CloseVersion { key, at: version });
        }
        let (parent, doc) = (draft.parent, self.bytes(&draft.doc));
        self.ops.push(Op::DeleteCurrent { key });
        self.ops.push(Op::OpenVersion { key, parent, from: version, doc });
        let row = Row { draft: Some(draft.clone()), active: Some(draft), pending: None };
        self.put(kind, id, Some(row));
    }

    /// Takes an object out of the policy from a version on.
    fn end(&mut self, kind: Kind, id: Id, (row, version): (&Row, u64)) {
        let key = self.key(kind, id);
        if row.active.is_some() {
            self.ops.push(Op::CloseVersion { key, at: version });
        }
        self.ops.push(Op::DeleteCurrent { key });
        self.put(kind, id, None);
    }

    /// Adds a store op that no method here makes (blobs, pruning).
    pub fn op(&mut self, op: Op) {
        self.ops.push(op);
    }

    /// Adds a change to the event beside those that saving and removing add.
    pub fn note_change(&mut self, change: Change) {
        self.changes.push(change);
    }

    /// Ends the change: the world as it will be, and what to store.
    pub fn finish(mut self, old: &World) -> (World, Vec<Op>) {
        let org = self.world.org;
        for kind in Kind::ALL {
            let value = self.world.last_id(*kind);
            if value != old.last_id(*kind) {
                self.ops.push(Op::SetCounter { org, name: kind.name(), value });
            }
        }
        if self.world.version != old.version {
            let value = self.world.version;
            self.ops.push(Op::SetCounter { org, name: COUNTER_VERSION, value });
        }
        let silent =
            self.ops.is_empty() && self.changes.is_empty() && self.notifications.is_empty();
        if let Some(event_type) = self.event_type.take().filter(|_| !silent) {
            let event = audit::Event {
                event_type,
                status: Some("success"),
                severity: "info",
                http_status: None,
                changes: std::mem::take(&mut self.changes),
                notifications: std::mem::take(&mut self.notifications),
            };
            let org = self.event_org.unwrap_or(org);
            self.ops.push(Op::AddEvent(audit::row(org, self.origin, self.now, event)));
        }
        (self.world, self.ops)
    }
}
