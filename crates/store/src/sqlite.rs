//! The embedded back end: one SQLite database in WAL mode, owned by one process.
//!
//! One connection writes, under a mutex; a small pool of read-only connections serves the rest,
//! which WAL lets run beside the writer, each on the state of the last commit. `synchronous=FULL`
//! flushes the log before a commit returns. The database is not mapped into memory: a read error
//! of the disk would then kill the process instead of failing the call.

mod codec;
mod commit;
mod copy;
mod dir;
mod event;
mod load;
mod migrate;
mod open;
#[cfg(test)]
mod testing;
mod version;

pub use copy::{backup, restore};

use crate::{
    ChangeSet, EventFilter, EventPage, Key, Loaded, Modified, NextEvent, Store, StoreError,
    VersionRow,
};
use bulkhead_ids::{Id, Kind};
use rusqlite::{Connection, Transaction, TransactionBehavior};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Idle read connections that are kept.
const READERS_KEPT_MAX: usize = 8;

/// The embedded store.
///
/// Fields drop in their order: readers, then the writer, which as the last connection folds the
/// log into the database, then the lock.
pub struct SqliteStore {
    readers: Mutex<Vec<Connection>>,
    writer: Mutex<Writer>,
    path: PathBuf,
    _lock: dir::Lock,
}

/// The writing connection.
struct Writer {
    conn: Connection,
    /// Why no more changes are taken.
    unsure: Option<String>,
}

/// Locks a mutex; a panic elsewhere cannot leave what these guard half done.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl SqliteStore {
    /// Opens the store in a data directory, which is made (mode 0700) if missing, and brings its
    /// schema up to date.
    ///
    /// # Errors
    /// [`StoreError::InUse`] where another process has it open, [`StoreError::NewerSchema`] where a
    /// newer version wrote it, [`StoreError::Corrupt`] where it cannot be read.
    pub fn open(data_dir: &Path) -> Result<Self, StoreError> {
        let lock = dir::Lock::take(data_dir)?;
        let path = dir::database(data_dir);
        let conn = open::writer(data_dir, &path)?;
        let writer = Mutex::new(Writer { conn, unsure: None });
        tracing::info!(path = %path.display(), "store opened");
        Ok(Self { readers: Mutex::new(Vec::new()), writer, path, _lock: lock })
    }

    /// Runs reads on one state of the database.
    fn read<T>(
        &self,
        f: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        let pooled = lock(&self.readers).pop();
        let mut conn = match pooled {
            Some(conn) => conn,
            None => open::reader(&self.path)?,
        };
        let tx = conn.transaction().map_err(|e| codec::error(e, &self.path))?;
        let out = f(&tx).map_err(|e| codec::error(e, &self.path))?;
        drop(tx);
        let mut readers = lock(&self.readers);
        if readers.len() < READERS_KEPT_MAX {
            readers.push(conn);
        }
        Ok(out)
    }

    /// Runs a write as one durable transaction.
    fn write<T>(
        &self,
        f: impl FnOnce(&Transaction<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut writer = lock(&self.writer);
        if let Some(detail) = &writer.unsure {
            return Err(StoreError::Unsure { detail: detail.clone() });
        }
        let tx = writer
            .conn
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(|e| codec::error(e, &self.path))?;
        let out = f(&tx)?;
        let Err(e) = tx.commit() else { return Ok(out) };
        if !codec::is_io(&e) {
            return Err(codec::error(e, &self.path));
        }
        let detail = e.to_string();
        tracing::error!(path = %self.path.display(), %detail, "commit failed to reach the disk");
        writer.unsure = Some(detail.clone());
        Err(StoreError::Unsure { detail })
    }
}

impl Store for SqliteStore {
    fn load(&self, sink: &mut dyn FnMut(Loaded<'_>)) -> Result<(), StoreError> {
        self.read(|tx| load::all(tx, sink))
    }

    fn commit(&self, batch: &[ChangeSet]) -> Result<(), StoreError> {
        if batch.is_empty() {
            return Ok(());
        }
        self.write(|tx| commit::batch(tx, batch, &self.path))
    }

    fn version_rows(
        &self,
        org: u32,
        version: u64,
        kind: Option<Kind>,
        parent: Option<Id>,
    ) -> Result<Vec<VersionRow>, StoreError> {
        self.read(|tx| version::rows(tx, &version::Wanted { org, version, parent }, kind))
    }

    fn version_row(&self, key: &Key, version: u64) -> Result<Option<VersionRow>, StoreError> {
        self.read(|tx| version::row(tx, key, version))
    }

    fn modified(&self, org: u32, version: u64) -> Result<Vec<Modified>, StoreError> {
        self.read(|tx| version::modified(tx, org, version))
    }

    fn events(
        &self,
        org: u32,
        filter: &EventFilter,
        limit: usize,
    ) -> Result<EventPage, StoreError> {
        self.read(|tx| event::page(tx, org, filter, limit))
    }

    fn event(&self, org: u32, id: Id) -> Result<Option<Vec<u8>>, StoreError> {
        self.read(|tx| event::one(tx, org, id))
    }

    fn events_after(&self, seq: u64, limit: usize) -> Result<Vec<NextEvent>, StoreError> {
        self.read(|tx| event::after(tx, seq, limit))
    }

    fn last_event(&self) -> Result<u64, StoreError> {
        self.read(|tx| event::last(tx))
    }

    fn blob(&self, org: u32, id: Id) -> Result<Option<Vec<u8>>, StoreError> {
        let packed = self.read(|tx| load::blob(tx, org, id))?;
        packed.map(|(size, body)| codec::unpack(size, &body, &self.path)).transpose()
    }

    fn sweep_blobs(&self, now_us: i64) -> Result<usize, StoreError> {
        self.write(|tx| {
            tx.execute("DELETE FROM blob WHERE expires_us <= ?1", [now_us])
                .map_err(|e| codec::error(e, &self.path))
        })
    }

    fn backup_to(&self, path: &Path) -> Result<(), StoreError> {
        copy::backup_file(&self.path, path)
    }
}
