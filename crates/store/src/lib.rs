//! Where the state of a PCE rests: the only crate with SQL, behind one narrow interface.
//!
//! Every object of every kind is a JSON document, opaque here. An object rests in up to two rows:
//!
//! - its **current** row: the state of an unversioned object, or the draft of a policy object that
//!   differs from the active side, with its pending marker;
//! - its **version** rows: each with a validity interval `[from, until)` of policy versions, at most
//!   one of them still open, which is the active one.
//!
//! The server holds the whole current state in memory ([`Store::load`] at start), answers reads from
//! there, and comes here to make changes durable ([`Store::commit`]), for past versions, for audit
//! events and for the results of jobs. Calls block: run them on threads that may.
//!
//! The change log that followers of a cluster read (`tail`) is not here: one process owns the
//! embedded store and holds everything it committed, so a log would only cost writes. The cluster
//! back end brings it.

mod error;
mod model;
mod sqlite;
mod store;

pub use error::{Refusal, StoreError};
pub use model::{
    ChangeSet, EventFilter, EventPage, EventRow, Key, Loaded, Modified, NextEvent, Op, UpdateType,
    VersionRow,
};
pub use sqlite::{SqliteStore, backup, restore};
pub use store::Store;
