//! From one world to the next, as the engine sees it.
//!
//! The engine follows the published worlds: what differs between the world it stands at and a newer one is
//! found by comparing shared structure, so that a step costs what changed, whoever changed it and however
//! many steps were skipped. A fresh start is the step from the empty world.

use super::convert::{self, KINDS};
use crate::world::{Row, Side, World};
use bulkhead_ids::{Id, Kind};
use bulkhead_model::Change;

/// The changes of both sides between two worlds of an organisation.
#[derive(Default)]
pub struct Step {
    /// Of the draft.
    pub draft: Vec<Change>,
    /// Of the active policy.
    pub active: Vec<Change>,
}

/// What one side of a row shows to the engine: drafts without those that are pending deletion.
fn shown(side: Side, kind: Kind, row: &Row) -> Option<&crate::world::Obj> {
    use bulkhead_store::UpdateType;
    match side {
        Side::Active if kind.is_policy() => row.active.as_deref(),
        Side::Draft if row.pending == Some(UpdateType::Delete) => None,
        _ => row.draft.as_deref(),
    }
}

/// The object under which a row's object lives.
fn parent(row: &Row) -> Option<Id> {
    row.draft.as_ref().or(row.active.as_ref()).and_then(|o| o.parent)
}

fn same(a: Option<&crate::world::Obj>, b: Option<&crate::world::Obj>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => std::ptr::eq(a, b),
        (a, b) => a.is_none() && b.is_none(),
    }
}

/// What changed from one world to another; both sides in the order of [`KINDS`], then ids.
pub fn step(before: &World, after: &World) -> Step {
    let mut out = Step::default();
    for kind in KINDS {
        after.each_change(before, *kind, |id, old, new| {
            let home = new.and_then(parent).or_else(|| old.and_then(parent));
            for (side, changes) in [(Side::Draft, &mut out.draft), (Side::Active, &mut out.active)]
            {
                let was = old.and_then(|row| shown(side, *kind, row));
                let is = new.and_then(|row| shown(side, *kind, row));
                if !same(was, is) {
                    changes.extend(convert::change(*kind, id, home, is));
                }
            }
        });
    }
    out
}
