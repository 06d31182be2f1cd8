//! Reading the current state and the results of jobs.

use super::codec;
use crate::{Key, Loaded};
use bulkhead_ids::Id;
use rusqlite::{Connection, OptionalExtension, Row};

/// Streams revisions, counters, current rows and open version rows.
pub(super) fn all(conn: &Connection, sink: &mut dyn FnMut(Loaded<'_>)) -> rusqlite::Result<()> {
    each(conn, "SELECT org, revision FROM org_state", |row| {
        sink(Loaded::Revision { org: row.get(0)?, revision: row.get(1)? });
        Ok(())
    })?;
    each(conn, "SELECT org, value, name FROM counter", |row| {
        let name: String = row.get(2)?;
        sink(Loaded::Counter { org: row.get(0)?, name: &name, value: row.get(1)? });
        Ok(())
    })?;
    each(conn, "SELECT org, kind, id, parent, pending, doc FROM current", |row| {
        let (key, parent) = (key(row)?, codec::opt_id(row, 3)?);
        let (pending, doc) = (codec::pending(row, 4)?, codec::bytes(row, 5)?);
        sink(Loaded::Current { key, parent, pending, doc });
        Ok(())
    })?;
    each(conn, "SELECT org, kind, id, parent, from_version, doc FROM active", |row| {
        let (key, parent) = (key(row)?, codec::opt_id(row, 3)?);
        sink(Loaded::Active { key, parent, from: row.get(4)?, doc: codec::bytes(row, 5)? });
        Ok(())
    })
}

fn each(
    conn: &Connection,
    sql: &str,
    mut f: impl FnMut(&Row<'_>) -> rusqlite::Result<()>,
) -> rusqlite::Result<()> {
    let mut statement = conn.prepare(sql)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        f(row)?;
    }
    Ok(())
}

/// The key in the first three columns.
fn key(row: &Row<'_>) -> rusqlite::Result<Key> {
    Ok(Key { org: row.get(0)?, kind: codec::kind(row, 1)?, id: codec::id(row, 2)? })
}

/// The packed result of a job, with its unpacked size.
pub(super) fn blob(
    conn: &Connection,
    org: u32,
    id: Id,
) -> rusqlite::Result<Option<(usize, Vec<u8>)>> {
    let mut q = conn.prepare_cached("SELECT size, body FROM blob WHERE org = ?1 AND id = ?2")?;
    q.query_row((org, id.to_bytes()), |row| Ok((row.get(0)?, row.get(1)?))).optional()
}
