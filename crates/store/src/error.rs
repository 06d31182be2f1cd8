//! What can go wrong in the store.

use crate::Key;
use std::io;
use std::path::{Path, PathBuf};

/// Why an op cannot apply.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// An object is opened that is open already.
    #[error("{0} is already active")]
    AlreadyActive(Key),
    /// An object is closed that is not open.
    #[error("{0} is not active")]
    NotActive(Key),
    /// A validity interval would be empty, or overlap an earlier one.
    #[error("the validity of {0} would be empty or overlap an earlier one")]
    Interval(Key),
    /// An event is added with the id of another.
    #[error("an event with this id exists")]
    EventExists,
    /// A number or a body is too large to be stored.
    #[error("the {0} is too large to be stored")]
    TooLarge(&'static str),
}

/// Why a call of the store failed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another process holds the data directory.
    #[error(
        "data directory {} is in use by another server{}: stop that one first, or choose another \
         data directory", .path.display(), holder(.pid)
    )]
    InUse {
        /// The data directory.
        path: PathBuf,
        /// The process that holds it, where known.
        pid: Option<u32>,
    },
    /// A file or directory could not be read or written.
    #[error("cannot {action} {}: {source}", .path.display())]
    Io {
        /// What was being done.
        action: &'static str,
        /// To which file or directory.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// The database cannot be read: damaged, cut short, or no database of this program.
    #[error("database {} is damaged: {detail}; restore it from a backup", .path.display())]
    Corrupt {
        /// The database file.
        path: PathBuf,
        /// What was found.
        detail: String,
    },
    /// The database was written by a newer version of this program.
    #[error(
        "the database has schema {found}, newer than {known} which this version knows: start the \
         newer version, or restore a backup from before the upgrade"
    )]
    NewerSchema {
        /// The schema of the database.
        found: u32,
        /// The newest schema known.
        known: u32,
    },
    /// A migration that was applied to the database is not the one of this program.
    #[error("migration {name} was applied to the database in another form than this version has")]
    MigrationChanged {
        /// The migration.
        name: String,
    },
    /// A change set was validated against another revision than the present one.
    #[error("organisation {org} is at revision {found}, not {expected}")]
    Conflict {
        /// The position of the change set in its batch.
        changeset: usize,
        /// The organisation.
        org: u32,
        /// The revision that the change set expects.
        expected: u64,
        /// The revision that it met.
        found: u64,
    },
    /// An op cannot apply to the rows as they are.
    #[error("op {op} of change set {changeset} cannot apply: {refusal}")]
    Rejected {
        /// The position of the change set in its batch.
        changeset: usize,
        /// The position of the op in its change set.
        op: usize,
        /// Why.
        refusal: Refusal,
    },
    /// Another process keeps the database locked.
    #[error("the database is locked by another process")]
    Busy,
    /// The disk is full. Nothing of the commit was kept.
    #[error("no space left for the database")]
    Full,
    /// The flush to disk failed, now or earlier: what the disk holds is known only after a restart,
    /// so no more changes are taken.
    #[error("a write to the database failed ({detail}): restart the server")]
    Unsure {
        /// The failure.
        detail: String,
    },
    /// The data directory to restore into already holds a database.
    #[error(
        "data directory {} already holds a database: restore into an empty one", .path.display()
    )]
    NotEmpty {
        /// The data directory.
        path: PathBuf,
    },
    /// The backup would overwrite the store itself.
    #[error("{} belongs to the store: write the backup to another place", .path.display())]
    BackupTarget {
        /// Where the backup should go.
        path: PathBuf,
    },
    /// The database engine failed in a way that has no entry of its own.
    #[error("database: {0}")]
    Engine(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl StoreError {
    /// Whether the same call, validated anew, may succeed later without anyone mending anything
    /// but the space on the disk.
    pub const fn retryable(&self) -> bool {
        matches!(self, Self::Conflict { .. } | Self::Busy | Self::Full)
    }

    /// Wraps an I/O error with what was being done.
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { action, path, source }
    }

    /// A damaged database.
    pub(crate) fn corrupt(path: &Path, detail: impl Into<String>) -> Self {
        Self::Corrupt { path: path.to_owned(), detail: detail.into() }
    }
}

/// ` (process 12)`, where the holder of a lock is known.
fn holder(pid: &Option<u32>) -> String {
    pid.map(|pid| format!(" (process {pid})")).unwrap_or_default()
}
