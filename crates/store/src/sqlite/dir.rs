//! The data directory: its names, its lock, and what has to be flushed in it.

use crate::StoreError;
use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Name of the database; SQLite puts its log and shared memory beside it.
const DATABASE: &str = "store.db";

/// Name of the file whose lock says that the directory is in use.
const LOCK: &str = "store.lock";

/// The database file of a data directory.
pub(super) fn database(data_dir: &Path) -> PathBuf {
    data_dir.join(DATABASE)
}

/// The file of a database that is being made, until it is whole.
pub(super) fn unfinished(data_dir: &Path) -> PathBuf {
    data_dir.join("store.db.new")
}

/// The log of a database.
pub(super) fn wal(database: &Path) -> PathBuf {
    beside(database, "-wal")
}

/// A path with a suffix to its file name.
pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Whether a file exists; where that cannot be said, an error.
pub(super) fn exists(path: &Path) -> Result<bool, StoreError> {
    path.try_exists().map_err(StoreError::io("look at", path))
}

/// Flushes the entries of a directory.
pub(super) fn sync(dir: &Path) -> Result<(), StoreError> {
    let dir = if dir.as_os_str().is_empty() { Path::new(".") } else { dir };
    File::open(dir).and_then(|d| d.sync_all()).map_err(StoreError::io("flush", dir))
}

/// Flushes the contents of a file.
pub(super) fn sync_file(path: &Path) -> Result<(), StoreError> {
    File::open(path).and_then(|f| f.sync_all()).map_err(StoreError::io("flush", path))
}

/// Makes an empty file that only its owner may read, in the place of any old one.
pub(super) fn create_private(path: &Path) -> Result<(), StoreError> {
    remove(path)?;
    let open = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    open.map(drop).map_err(StoreError::io("create", path))
}

/// Removes a database that is not needed, and what SQLite put beside it, if they exist.
pub(super) fn remove(database: &Path) -> Result<(), StoreError> {
    for path in ["-journal", "-wal", "-shm", ""].map(|suffix| beside(database, suffix)) {
        match std::fs::remove_file(&path) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                return Err(StoreError::io("remove", &path)(e));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Puts a finished file in its place, durably.
pub(super) fn publish(from: &Path, to: &Path) -> Result<(), StoreError> {
    sync_file(from)?;
    std::fs::rename(from, to).map_err(StoreError::io("put in place", to))?;
    sync(to.parent().unwrap_or_else(|| Path::new("/")))
}

/// Makes a directory and those above it, mode 0700, and flushes the entries.
fn create(dir: &Path) -> Result<(), StoreError> {
    let missing: Vec<&Path> = dir.ancestors().take_while(|d| !d.is_dir()).collect();
    let mut builder = DirBuilder::new();
    builder.recursive(true).mode(0o700).create(dir).map_err(StoreError::io("create", dir))?;
    missing.iter().filter_map(|d| d.parent()).try_for_each(sync)
}

/// Holds a data directory for this process; the lock goes with the process, however it ends.
pub(super) struct Lock {
    _file: File,
}

impl Lock {
    /// Makes the directory if missing and takes its lock, without waiting.
    pub(super) fn take(data_dir: &Path) -> Result<Self, StoreError> {
        create(data_dir)?;
        let path = data_dir.join(LOCK);
        let mut open = OpenOptions::new();
        open.read(true).write(true).create(true).truncate(false).mode(0o600);
        let mut file = open.open(&path).map_err(StoreError::io("open", &path))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(StoreError::InUse { path: data_dir.to_owned(), pid: pid_in(file) });
            }
            Err(TryLockError::Error(e)) => return Err(StoreError::io("lock", &path)(e)),
        }
        let write = file
            .set_len(0)
            .and_then(|()| file.seek(SeekFrom::Start(0)))
            .and_then(|_| writeln!(file, "{}", std::process::id()));
        write.map_err(StoreError::io("write", &path))?;
        Ok(Self { _file: file })
    }
}

/// The process id in a lock file.
fn pid_in(file: File) -> Option<u32> {
    let mut text = String::new();
    file.take(32).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}
