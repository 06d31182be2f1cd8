//! Past and present versions of policy objects, as validity intervals.

use super::codec::{self, opt_id};
use crate::{Key, Modified, UpdateType, VersionRow};
use bulkhead_ids::{Id, Kind};
use rusqlite::{Connection, OptionalExtension, Row, ToSql, params};
use std::collections::BTreeMap;

/// Open rows of a kind that were active in a version. Most open rows began by any version asked for,
/// so the index on `from_version` would be a scan; the planner has no statistics to know that.
const OPEN_OF_KIND: &str = "SELECT id, parent, from_version, doc
    FROM active INDEXED BY active_key
    WHERE org = ?1 AND kind = ?2 AND from_version <= ?3";

/// Closed rows of a kind that were active in a version.
const CLOSED_OF_KIND: &str = "SELECT id, parent, from_version, doc FROM history
    WHERE org = ?1 AND kind = ?2 AND until_version > ?3 AND from_version <= ?3";

/// As [`OPEN_OF_KIND`], under one object.
const OPEN_UNDER: &str = "SELECT id, parent, from_version, doc
    FROM active INDEXED BY active_parent
    WHERE org = ?1 AND kind = ?2 AND from_version <= ?3 AND parent = ?4";

/// As [`CLOSED_OF_KIND`], under one object.
const CLOSED_UNDER: &str = "SELECT id, parent, from_version, doc FROM history
    WHERE org = ?1 AND kind = ?2 AND until_version > ?3 AND from_version <= ?3 AND parent = ?4";

/// The open row of an object, if it was active in a version.
const OPEN_ONE: &str = "SELECT id, parent, from_version, doc FROM active
    WHERE org = ?1 AND kind = ?2 AND id = ?3 AND from_version <= ?4";

/// The last row of an object that began by a version and is closed; it may have ended before.
const CLOSED_ONE: &str = "SELECT id, parent, from_version, doc, until_version
    FROM history WHERE org = ?1 AND kind = ?2 AND id = ?3 AND from_version <= ?4
    ORDER BY from_version DESC LIMIT 1";

/// Rows that ended in a version.
const ENDED: &str =
    "SELECT kind, id, parent, doc FROM history WHERE org = ?1 AND until_version = ?2";

/// Rows that began in a version.
const BEGUN: &str = "SELECT kind, id, parent, doc FROM active WHERE org = ?1 AND from_version = ?2
     UNION ALL
     SELECT kind, id, parent, doc FROM history WHERE org = ?1 AND from_version = ?2";

/// Which version rows are wanted.
pub(super) struct Wanted {
    pub(super) org: u32,
    pub(super) version: u64,
    pub(super) parent: Option<Id>,
}

/// The objects active in a version, of one kind or of every kind.
pub(super) fn rows(
    conn: &Connection,
    wanted: &Wanted,
    kind: Option<Kind>,
) -> rusqlite::Result<Vec<VersionRow>> {
    let mut out = Vec::new();
    match kind {
        Some(kind) => of_kind(conn, wanted, kind, &mut out)?,
        None => Kind::ALL.iter().try_for_each(|k| of_kind(conn, wanted, *k, &mut out))?,
    }
    out.sort_unstable_by_key(|row| row.key);
    Ok(out)
}

fn of_kind(
    conn: &Connection,
    wanted: &Wanted,
    kind: Kind,
    out: &mut Vec<VersionRow>,
) -> rusqlite::Result<()> {
    let (org, name, version) = (wanted.org, kind.name(), codec::version(wanted.version));
    let mut collect = |sql: &str, params: &[&dyn ToSql]| -> rusqlite::Result<()> {
        let mut statement = conn.prepare_cached(sql)?;
        let mut rows = statement.query(params)?;
        while let Some(row) = rows.next()? {
            out.push(version_row(row, org, kind)?);
        }
        Ok(())
    };
    match wanted.parent.map(Id::to_bytes) {
        Some(parent) => {
            collect(OPEN_UNDER, params![org, name, version, parent])?;
            collect(CLOSED_UNDER, params![org, name, version, parent])
        }
        None => {
            collect(OPEN_OF_KIND, params![org, name, version])?;
            collect(CLOSED_OF_KIND, params![org, name, version])
        }
    }
}

fn version_row(row: &Row<'_>, org: u32, kind: Kind) -> rusqlite::Result<VersionRow> {
    let key = Key { org, kind, id: codec::id(row, 0)? };
    Ok(VersionRow { key, parent: opt_id(row, 1)?, from: row.get(2)?, doc: row.get(3)? })
}

/// One object as it was active in a version.
pub(super) fn row(
    conn: &Connection,
    key: &Key,
    version: u64,
) -> rusqlite::Result<Option<VersionRow>> {
    let version = codec::version(version);
    let at = (key.org, key.kind.name(), key.id.to_bytes(), version);
    let mut open = conn.prepare_cached(OPEN_ONE)?;
    let open = open.query_row(at, |row| version_row(row, key.org, key.kind)).optional()?;
    if open.is_some() {
        return Ok(open);
    }
    let mut closed = conn.prepare_cached(CLOSED_ONE)?;
    let closed = closed.query_row(at, |row| {
        let until: i64 = row.get(4)?;
        (until > version).then(|| version_row(row, key.org, key.kind)).transpose()
    });
    closed.optional().map(Option::flatten)
}

/// What a version changed: ended and begun rows, brought together by object.
pub(super) fn modified(
    conn: &Connection,
    org: u32,
    version: u64,
) -> rusqlite::Result<Vec<Modified>> {
    let mut changes = BTreeMap::<Key, Modified>::new();
    let mut ended = conn.prepare_cached(ENDED)?;
    let mut rows = ended.query((org, codec::version(version)))?;
    while let Some(row) = rows.next()? {
        let change = change(row, org, UpdateType::Delete)?;
        changes.insert(change.key, change);
    }
    let mut begun = conn.prepare_cached(BEGUN)?;
    let mut rows = begun.query((org, codec::version(version)))?;
    while let Some(row) = rows.next()? {
        let mut change = change(row, org, UpdateType::Create)?;
        if changes.contains_key(&change.key) {
            change.update = UpdateType::Update;
        }
        changes.insert(change.key, change);
    }
    Ok(changes.into_values().collect())
}

fn change(row: &Row<'_>, org: u32, update: UpdateType) -> rusqlite::Result<Modified> {
    let key = Key { org, kind: codec::kind(row, 0)?, id: codec::id(row, 1)? };
    Ok(Modified { key, parent: opt_id(row, 2)?, update, doc: row.get(3)? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sqlite::testing::{golden, plan};

    #[test]
    fn every_query_searches_an_index() {
        let plans: String = [
            ("open of kind", OPEN_OF_KIND),
            ("closed of kind", CLOSED_OF_KIND),
            ("open under", OPEN_UNDER),
            ("closed under", CLOSED_UNDER),
            ("open one", OPEN_ONE),
            ("closed one", CLOSED_ONE),
            ("ended", ENDED),
            ("begun", BEGUN),
        ]
        .iter()
        .map(|(name, sql)| format!("{name}:\n{}", plan(sql)))
        .collect();
        golden("version_plans.txt", &plans);
    }
}
