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
