//! Helpers of the tests beside the code.

use super::migrate;
use rusqlite::Connection;
use std::path::Path;

/// A database in memory with the newest schema.
pub(super) fn database() -> Connection {
    let mut conn = Connection::open_in_memory().unwrap();
    migrate::run(&mut conn, Path::new(":memory:")).unwrap();
    conn
}

/// How the engine would run a query, one step a line.
pub(super) fn plan(sql: &str) -> String {
    let conn = database();
    let mut statement = conn.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
    let count = statement.parameter_count();
    let mut rows = statement.query(rusqlite::params_from_iter(vec![0; count])).unwrap();
    let mut out = String::new();
    while let Some(row) = rows.next().unwrap() {
        out += &format!("  {}\n", row.get::<_, String>(3).unwrap());
    }
    assert!(!out.contains("SCAN"), "{sql} scans:\n{out}");
    out
}

/// Compares with a golden file, or writes it where `UPDATE_GOLDEN` is set.
pub(super) fn golden(name: &str, found: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, found).unwrap();
    }
    assert_eq!(found, std::fs::read_to_string(&path).unwrap(), "{}", path.display());
}

/// The schema as SQLite keeps it, one statement after another in the order of names.
pub(super) fn schema(conn: &Connection) -> String {
    let sql = "SELECT sql || ';' FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY name";
    let mut statement = conn.prepare(sql).unwrap();
    let rows = statement.query_map([], |row| row.get::<_, String>(0)).unwrap();
    rows.map(|sql| sql.unwrap() + "\n").collect()
}
