//! A disk that fails: what was acknowledged stays, nothing more is taken.
//!
//! A program of its own: it starts processes, which until they have started hold copies of every
//! open file, so locks of stores in other threads would seem held.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may fail loudly")]

mod common;

use bulkhead_ids::Kind;
use bulkhead_store::{SqliteStore, Store, StoreError};
use common::{changes, key, put, snapshot};
use std::path::Path;

/// Names the data directory for [`writes_until_the_disk_refuses`].
const DATA_DIR: &str = "STORE_TEST_DATA_DIR";

/// Not a test by itself: [`a_failed_write_stops_the_store_and_loses_nothing`] runs it in a process
/// whose files may not grow far. Prints how many commits were acknowledged.
#[test]
fn writes_until_the_disk_refuses() {
    let Some(dir) = std::env::var_os(DATA_DIR) else { return };
    let store = SqliteStore::open(Path::new(&dir)).unwrap();
    let doc = "x".repeat(20_000);
    let one = |n| store.commit(&[changes(1, vec![put(key(1, Kind::Workload, n), &doc)])]);
    let (acknowledged, error) =
        (0..1000).find_map(|n| one(n).err().map(|e| (n, e))).expect("the limit was reached");
    assert!(matches!(error, StoreError::Unsure { .. }), "{error:?}");
    assert!(!error.retryable());
    let again = one(0).unwrap_err();
    assert!(matches!(again, StoreError::Unsure { .. }), "{again:?}");
    assert_eq!(snapshot(&store).len(), acknowledged as usize + 1, "reads go on");
    println!("acknowledged {acknowledged}.");
}

#[test]
fn a_failed_write_stops_the_store_and_loses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    drop(SqliteStore::open(dir.path()).unwrap());
    // A file that would grow past 1 MiB is a write error, as of a failing disk.
    let script = "trap '' XFSZ; ulimit -f 2048; exec \"$0\" --exact \"$1\" --nocapture";
    let child = std::process::Command::new("sh")
        .args(["-c", script])
        .arg(std::env::current_exe().unwrap())
        .arg("writes_until_the_disk_refuses")
        .env(DATA_DIR, dir.path())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&child.stdout);
    assert!(child.status.success(), "{text}{}", String::from_utf8_lossy(&child.stderr));
    let (_, count) = text.split_once("acknowledged ").unwrap();
    let acknowledged: usize = count.split_once('.').unwrap().0.parse().unwrap();
    assert!(acknowledged > 10, "{acknowledged}");
    let store = SqliteStore::open(dir.path()).unwrap();
    assert_eq!(snapshot(&store).len(), acknowledged + 1);
    store.commit(&[changes(1, vec![put(key(1, Kind::Workload, 0), "again")])]).unwrap();
}
