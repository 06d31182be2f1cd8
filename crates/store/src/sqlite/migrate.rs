//! Numbered migrations, each applied once and recorded with a checksum.

use super::codec;
use crate::StoreError;
use bulkhead_ids::Id;
use rusqlite::{Connection, OptionalExtension};
use std::path::Path;

/// One step of the schema. Never edited once released.
struct Migration {
    name: &'static str,
    sql: &'static str,
}

impl Migration {
    /// The version 5 UUID (SHA-1) of the text.
    fn checksum(&self) -> [u8; 16] {
        Id::text(self.sql).to_bytes()
    }
}

/// All migrations; the number of one is its position, from 1.
const ALL: &[Migration] =
    &[Migration { name: "0001_base", sql: include_str!("../../migrations/0001_base/up.sql") }];

/// Where it is recorded what was applied.
const RECORD: &str = "CREATE TABLE IF NOT EXISTS schema_migration (
    number INTEGER PRIMARY KEY, name TEXT NOT NULL, checksum BLOB NOT NULL) STRICT";

/// The newest schema that this version knows.
fn known() -> u32 {
    u32::try_from(ALL.len()).unwrap_or(u32::MAX)
}

/// Checks that the schema of a database is one that this version can use, perhaps after migration,
/// and returns its number; 0 where nothing was applied yet.
pub(super) fn check(conn: &Connection, path: &Path) -> Result<u32, StoreError> {
    let fail = |e| codec::error(e, path);
    let found = if has_record(conn).map_err(fail)? { newest(conn).map_err(fail)? } else { 0 };
    if found > known() {
        return Err(StoreError::NewerSchema { found, known: known() });
    }
    for (number, migration) in (1..=found).zip(ALL) {
        let checksum = recorded(conn, number).map_err(fail)?;
        if checksum != Some(migration.checksum()) {
            return Err(StoreError::MigrationChanged { name: migration.name.to_owned() });
        }
    }
    Ok(found)
}

/// Applies what is missing, each migration and its record in one transaction.
pub(super) fn run(conn: &mut Connection, path: &Path) -> Result<(), StoreError> {
    let found = check(conn, path)?;
    for (number, migration) in (1..).zip(ALL).filter(|(number, _)| *number > found) {
        apply(conn, number, migration).map_err(|e| codec::error(e, path))?;
        tracing::info!(migration = migration.name, "schema migrated");
    }
    Ok(())
}

fn apply(conn: &mut Connection, number: u32, migration: &Migration) -> rusqlite::Result<()> {
    let tx = conn.transaction()?;
    tx.execute_batch(RECORD)?;
    tx.execute_batch(migration.sql)?;
    tx.execute(
        "INSERT INTO schema_migration (number, name, checksum) VALUES (?1, ?2, ?3)",
        (number, migration.name, migration.checksum()),
    )?;
    tx.commit()
}

fn has_record(conn: &Connection) -> rusqlite::Result<bool> {
    conn.query_row(
        "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = 'schema_migration'",
        [],
        |row| row.get(0),
    )
}

fn newest(conn: &Connection) -> rusqlite::Result<u32> {
    conn.query_row("SELECT coalesce(max(number), 0) FROM schema_migration", [], |row| row.get(0))
}

fn recorded(conn: &Connection, number: u32) -> rusqlite::Result<Option<[u8; 16]>> {
    let sql = "SELECT checksum FROM schema_migration WHERE number = ?1";
    conn.query_row(sql, [number], |row| row.get(0)).optional()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sqlite::testing::{database, golden, schema};

    #[test]
    fn the_list_holds_every_directory_in_order() {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations");
        let names = std::fs::read_dir(dir).unwrap().map(|e| e.unwrap().file_name());
        let mut names: Vec<_> = names.map(|n| n.into_string().unwrap()).collect();
        names.sort();
        assert_eq!(names, ALL.iter().map(|m| m.name).collect::<Vec<_>>());
        for (number, migration) in (1..).zip(ALL) {
            assert!(migration.name.starts_with(&format!("{number:04}_")), "{}", migration.name);
        }
    }

    #[test]
    fn migrations_add_up_to_the_schema() {
        golden("schema.sql", &schema(&database()));
    }

    #[test]
    fn each_migration_applied_twice_changes_nothing() {
        let conn = database();
        let before = schema(&conn);
        for migration in ALL {
            conn.execute_batch(migration.sql).unwrap();
        }
        assert_eq!(schema(&conn), before);
    }

    #[test]
    fn running_again_applies_nothing() {
        let mut conn = database();
        run(&mut conn, Path::new(":memory:")).unwrap();
        assert_eq!(newest(&conn).unwrap(), known());
    }

    #[test]
    fn a_newer_or_changed_schema_is_refused() {
        let conn = database();
        conn.execute("INSERT INTO schema_migration VALUES (?1, 'later', x'00')", [known() + 1])
            .unwrap();
        let newer = check(&conn, Path::new("x"));
        assert!(
            matches!(newer, Err(StoreError::NewerSchema { found, .. }) if found == known() + 1)
        );
        let conn = database();
        conn.execute("UPDATE schema_migration SET checksum = zeroblob(16)", []).unwrap();
        let changed = check(&conn, Path::new("x"));
        assert!(
            matches!(changed, Err(StoreError::MigrationChanged { name }) if name == "0001_base")
        );
    }
}
