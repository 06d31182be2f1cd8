//! The interface of a storage back end.

use crate::{
    ChangeSet, EventFilter, EventPage, Key, Loaded, Modified, NextEvent, StoreError, VersionRow,
};
use bulkhead_ids::{Id, Kind};
use std::path::Path;

/// A storage back end. Calls block; any number of threads may call at once.
///
/// Reads see the state after some whole batch of commits, never the middle of one, and neither wait
/// for a commit nor hold one up.
pub trait Store: Send + Sync {
    /// Streams the whole current state: revisions, counters, current rows, open version rows, in
    /// that order and as of one moment. Rows of one sort come in no particular order.
    fn load(&self, sink: &mut dyn FnMut(Loaded<'_>)) -> Result<(), StoreError>;

    /// Makes a batch of change sets durable: one transaction, one flush to disk, all or nothing.
    /// Once it returns, the changes survive a crash of the process, the system or the power.
    ///
    /// Each change set raises the revision of its organisation by one; later change sets of the
    /// batch see the revision and rows that earlier ones left.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] where a change set expects another revision than it meets,
    /// [`StoreError::Rejected`] where an op cannot apply; both name the change set. Nothing of the
    /// batch is kept. After [`StoreError::Unsure`] the outcome is known only after a restart.
    fn commit(&self, batch: &[ChangeSet]) -> Result<(), StoreError>;

    /// The objects that were active in a version, all or those of one kind or under one object,
    /// ordered by kind (as in [`Kind::ALL`]) and id.
    fn version_rows(
        &self,
        org: u32,
        version: u64,
        kind: Option<Kind>,
        parent: Option<Id>,
    ) -> Result<Vec<VersionRow>, StoreError>;

    /// One object as it was active in a version, if it was.
    fn version_row(&self, key: &Key, version: u64) -> Result<Option<VersionRow>, StoreError>;

    /// What a version changed, ordered by kind (as in [`Kind::ALL`]) and id.
    fn modified(&self, org: u32, version: u64) -> Result<Vec<Modified>, StoreError>;

    /// The newest events that pass a filter, at most `limit`; of one timestamp the last added first.
    fn events(&self, org: u32, filter: &EventFilter, limit: usize)
    -> Result<EventPage, StoreError>;

    /// The document of one event.
    fn event(&self, org: u32, id: Id) -> Result<Option<Vec<u8>>, StoreError>;

    /// The events of all organisations that were recorded after a place, in the order of recording, at
    /// most `limit`. Places start anew when no event is left.
    fn events_after(&self, seq: u64, limit: usize) -> Result<Vec<NextEvent>, StoreError>;

    /// The place of the event that was recorded last; 0 without one.
    fn last_event(&self) -> Result<u64, StoreError>;

    /// The result of a job; there until it is deleted or swept.
    fn blob(&self, org: u32, id: Id) -> Result<Option<Vec<u8>>, StoreError>;

    /// Removes the results of jobs that expired by `now_us`, and says how many.
    fn sweep_blobs(&self, now_us: i64) -> Result<usize, StoreError>;

    /// Writes a consistent copy of the whole store while it runs: flushed to disk, then put in the
    /// place of `path` at once. Commits go on meanwhile.
    ///
    /// # Errors
    /// [`StoreError::Io`] where the file cannot be written; `path` is then as it was.
    fn backup_to(&self, path: &Path) -> Result<(), StoreError>;
}
