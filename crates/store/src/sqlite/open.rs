//! Opening and creating the database.

use super::{codec, dir, migrate};
use crate::StoreError;
use rusqlite::{Connection, OpenFlags};
use std::path::Path;
use std::time::Duration;

/// Marks a database as one of this program: `BKHD`.
const APPLICATION_ID: i32 = 0x424B_4844;

/// Statements that each connection keeps prepared.
const STATEMENTS_KEPT: usize = 64;

/// How long a lock that a backup of another process holds is waited for.
const BUSY_WAIT: Duration = Duration::from_secs(10);

/// Settings of the writer. The log is folded in every 16 MiB and cut back to 64 MiB.
const WRITER_PRAGMAS: &str = "PRAGMA synchronous = FULL;
    PRAGMA fullfsync = ON;
    PRAGMA temp_store = MEMORY;
    PRAGMA cache_size = -32768;
    PRAGMA wal_autocheckpoint = 4096;
    PRAGMA journal_size_limit = 67108864;
    PRAGMA cell_size_check = ON;
    PRAGMA trusted_schema = OFF;";

/// Settings of readers.
const READER_PRAGMAS: &str = "PRAGMA query_only = ON;
    PRAGMA temp_store = MEMORY;
    PRAGMA cache_size = -8192;
    PRAGMA cell_size_check = ON;
    PRAGMA trusted_schema = OFF;";

/// Opens a file that exists.
fn connect(path: &Path, access: OpenFlags) -> Result<Connection, StoreError> {
    let flags = access | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let open = || {
        let conn = Connection::open_with_flags(path, flags)?;
        conn.busy_timeout(BUSY_WAIT)?;
        conn.set_prepared_statement_cache_capacity(STATEMENTS_KEPT);
        Ok(conn)
    };
    open().map_err(|e| codec::error(e, path))
}

/// Opens the database to read.
pub(super) fn reader(path: &Path) -> Result<Connection, StoreError> {
    let conn = connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    conn.execute_batch(READER_PRAGMAS).map_err(|e| codec::error(e, path))?;
    Ok(conn)
}

/// Opens a file that exists to read and write, without settings.
pub(super) fn plain(path: &Path) -> Result<Connection, StoreError> {
    connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE)
}

/// Opens the database to write: made if missing, checked, migrated.
pub(super) fn writer(data_dir: &Path, path: &Path) -> Result<Connection, StoreError> {
    if !dir::exists(path)? {
        create(data_dir, path)?;
    }
    whole(path)?;
    let mut conn = plain(path)?;
    ours(&conn, path)?;
    journal(&conn, path, "wal")?;
    conn.execute_batch(WRITER_PRAGMAS).map_err(|e| codec::error(e, path))?;
    migrate::run(&mut conn, path)?;
    Ok(conn)
}

/// Makes a database under another name and puts it in place when it is whole, so that a crash
/// leaves either none or a usable one.
fn create(data_dir: &Path, path: &Path) -> Result<(), StoreError> {
    if dir::exists(&dir::wal(path))? {
        return Err(StoreError::corrupt(path, "it is missing, but its log is there"));
    }
    let new = dir::unfinished(data_dir);
    dir::create_private(&new)?;
    let mut conn = plain(&new)?;
    conn.pragma_update(None, "application_id", APPLICATION_ID)
        .map_err(|e| codec::error(e, &new))?;
    migrate::run(&mut conn, &new)?;
    journal(&conn, &new, "delete")?;
    drop(conn);
    dir::publish(&new, path)
}

/// Sets the kind of journal and checks that it is in force.
pub(super) fn journal(conn: &Connection, path: &Path, mode: &str) -> Result<(), StoreError> {
    let now: String = conn
        .pragma_update_and_check(None, "journal_mode", mode, |row| row.get(0))
        .map_err(|e| codec::error(e, path))?;
    if now == mode {
        return Ok(());
    }
    let detail = format!("journal mode {mode} cannot be had here, only {now}");
    Err(StoreError::io("open", path)(std::io::Error::other(detail)))
}

/// Refuses an empty file, which SQLite would take for a new database.
fn whole(path: &Path) -> Result<(), StoreError> {
    let len = std::fs::metadata(path).map_err(StoreError::io("look at", path))?.len();
    if len == 0 { Err(StoreError::corrupt(path, "the file is empty")) } else { Ok(()) }
}

/// Checks that a file is a database of this program and not cut short.
pub(super) fn ours(conn: &Connection, path: &Path) -> Result<(), StoreError> {
    let fail = |e| codec::error(e, path);
    let id: i32 = conn.query_row("PRAGMA application_id", [], |row| row.get(0)).map_err(fail)?;
    if id != APPLICATION_ID {
        return Err(StoreError::corrupt(path, "it is not a database of this program"));
    }
    conn.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(())).map_err(fail)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A page cache hides a missing flush from every test that reads, so the settings are checked.
    #[test]
    fn the_writer_flushes_its_log_at_each_commit() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir::database(dir.path());
        let conn = writer(dir.path(), &path).unwrap();
        let setting =
            |name| conn.pragma_query_value(None, name, |row| row.get::<_, i64>(0)).unwrap();
        assert_eq!(setting("synchronous"), 2, "FULL");
        let mode: String = conn.pragma_query_value(None, "journal_mode", |row| row.get(0)).unwrap();
        assert_eq!(mode, "wal");
        let reader = reader(&path).unwrap();
        assert!(reader.execute("DELETE FROM current", []).is_err(), "readers cannot write");
    }
}
