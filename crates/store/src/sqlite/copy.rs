//! Backup while running, and restore.

use super::{codec, dir, migrate, open};
use crate::StoreError;
use rusqlite::backup::{Backup, StepResult};
use std::path::Path;

/// Copies every page at once: one state of the source, which writers do not disturb.
const ALL_PAGES: i32 = -1;

/// Writes a consistent copy of the store in a data directory to a file, also while another process
/// has the store open.
///
/// # Errors
/// As [`crate::Store::backup_to`]; [`StoreError::Io`] where there is no store.
pub fn backup(data_dir: &Path, to: &Path) -> Result<(), StoreError> {
    backup_file(&dir::database(data_dir), to)
}

/// Writes a copy of a database to a file: under another name first, then put in place.
pub(super) fn backup_file(database: &Path, to: &Path) -> Result<(), StoreError> {
    refuse_store_files(database, to)?;
    let part = dir::beside(to, ".part");
    let done = copy(database, &part).and_then(|()| dir::publish(&part, to));
    if done.is_err() {
        discard(&part);
    }
    done
}

/// Refuses to write over the files of the store.
fn refuse_store_files(database: &Path, to: &Path) -> Result<(), StoreError> {
    let place = |p: &Path| {
        let dir = p.parent().filter(|d| !d.as_os_str().is_empty()).unwrap_or(Path::new("."));
        dir.canonicalize().map_err(StoreError::io("look at", dir))
    };
    let of_store = to.file_name().is_none_or(|n| n.as_encoded_bytes().starts_with(b"store."));
    if of_store && place(database)? == place(to)? {
        return Err(StoreError::BackupTarget { path: to.to_owned() });
    }
    Ok(())
}

/// Makes a data directory from a backup.
///
/// The backup is copied, checked as a whole (integrity, origin, schema) and put in place at once;
/// older schemas are migrated when the store is opened. Other files in the directory stay.
///
/// # Errors
/// [`StoreError::NotEmpty`] where the directory holds a database, [`StoreError::InUse`] where a
/// process has it open, [`StoreError::Corrupt`] or [`StoreError::NewerSchema`] where the backup is
/// of no use.
pub fn restore(backup: &Path, data_dir: &Path) -> Result<(), StoreError> {
    let _lock = dir::Lock::take(data_dir)?;
    let database = dir::database(data_dir);
    if dir::exists(&database)? || dir::exists(&dir::wal(&database))? {
        return Err(StoreError::NotEmpty { path: data_dir.to_owned() });
    }
    let new = dir::unfinished(data_dir);
    let done = copy(backup, &new)
        .and_then(|()| check(&new, backup))
        .and_then(|()| dir::publish(&new, &database));
    if done.is_err() {
        discard(&new);
    }
    done
}

/// Removes an unfinished copy; what failed before is the error to tell, and the next try removes it.
fn discard(copy: &Path) {
    if let Err(e) = dir::remove(copy) {
        tracing::warn!(error = %e, "an unfinished copy stays behind");
    }
}

/// Copies a database, with what its log holds, into a fresh file without a log.
fn copy(from: &Path, to: &Path) -> Result<(), StoreError> {
    let source = open::reader(from)?;
    open::ours(&source, from)?;
    dir::create_private(to)?;
    let mut target = open::plain(to)?;
    let step = Backup::new(&source, &mut target).and_then(|b| b.step(ALL_PAGES));
    match step.map_err(|e| codec::error(e, from))? {
        StepResult::Done => {}
        _ => return Err(StoreError::Busy),
    }
    drop(target);
    open::journal(&open::plain(to)?, to, "delete")
}

/// Checks every page and the schema of a copy; errors name the file that it came from.
fn check(copy: &Path, origin: &Path) -> Result<(), StoreError> {
    let conn = open::reader(copy)?;
    let verdict: String = conn
        .query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))
        .map_err(|e| codec::error(e, origin))?;
    if verdict != "ok" {
        return Err(StoreError::corrupt(origin, verdict));
    }
    match migrate::check(&conn, origin)? {
        0 => Err(StoreError::corrupt(origin, "it has no schema")),
        _ => Ok(()),
    }
}
