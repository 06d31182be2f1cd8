//! The files of the embedded back end: lock, durability, damage, backup and restore.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may fail loudly"
)]

mod common;

use bulkhead_ids::Kind;
use bulkhead_store::{SqliteStore, Store, StoreError, backup, restore};
use common::{add_event, changes, close, event, key, open, put, snapshot, version_docs};
use std::fs::{self, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

fn fill(store: &SqliteStore, rows: u64) {
    let doc = "x".repeat(500);
    let ops = (0..rows).map(|n| put(key(1, Kind::Workload, n), &doc)).collect();
    store.commit(&[changes(1, ops)]).unwrap();
}

fn open_error(dir: &Path) -> StoreError {
    match SqliteStore::open(dir) {
        Err(e) => e,
        Ok(_) => panic!("opened"),
    }
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn a_directory_is_made_and_private() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("a/b");
    let store = SqliteStore::open(&data).unwrap();
    fill(&store, 1);
    assert_eq!(mode(&data), 0o700);
    for file in ["store.db", "store.db-wal", "store.db-shm", "store.lock"] {
        assert_eq!(mode(&data.join(file)), 0o600, "{file}");
    }
}

#[test]
fn what_is_committed_is_there_after_reopening() {
    let dir = tempfile::tempdir().unwrap();
    for round in 1..4 {
        let store = SqliteStore::open(dir.path()).unwrap();
        fill(&store, round);
        assert_eq!(snapshot(&store).len() as u64, round + 1);
        assert_eq!(snapshot(&store).last().unwrap(), &format!("revision 1 {round}"));
    }
    assert!(!dir.path().join("store.db-wal").exists(), "a clean end folds the log in");
}

/// The files as a crash leaves them: copied while the store is open, log not folded in.
#[test]
fn what_is_committed_is_there_after_a_crash() {
    let (dir, crashed) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let store = SqliteStore::open(dir.path()).unwrap();
    fill(&store, 10);
    for file in ["store.db", "store.db-wal"] {
        fs::copy(dir.path().join(file), crashed.path().join(file)).unwrap();
    }
    fs::write(crashed.path().join("store.db.new"), "left by a crash while it was made").unwrap();
    let again = SqliteStore::open(crashed.path()).unwrap();
    assert_eq!(snapshot(&again), snapshot(&store));
}

#[test]
fn a_torn_last_write_of_the_log_is_dropped_whole() {
    let (dir, crashed) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let store = SqliteStore::open(dir.path()).unwrap();
    fill(&store, 10);
    let before = snapshot(&store);
    let log = dir.path().join("store.db-wal");
    let acknowledged = fs::metadata(&log).unwrap().len();
    fill(&store, 300);
    let grown = fs::metadata(&log).unwrap().len();
    fs::copy(dir.path().join("store.db"), crashed.path().join("store.db")).unwrap();
    let torn = crashed.path().join("store.db-wal");
    fs::copy(&log, &torn).unwrap();
    OpenOptions::new()
        .write(true)
        .open(&torn)
        .unwrap()
        .set_len((acknowledged + grown) / 2)
        .unwrap();
    assert_eq!(snapshot(&SqliteStore::open(crashed.path()).unwrap()), before);
}

#[test]
fn a_second_open_is_refused_until_the_first_ends() {
    let dir = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(dir.path()).unwrap();
    let error = open_error(dir.path());
    let text = error.to_string();
    assert!(matches!(error, StoreError::InUse { .. }), "{text}");
    assert!(text.contains(&dir.path().display().to_string()), "{text}");
    assert!(text.contains(&format!("(process {})", std::process::id())), "{text}");
    assert!(matches!(restore(Path::new("x"), dir.path()), Err(StoreError::InUse { .. })));
    drop(store);
    SqliteStore::open(dir.path()).unwrap();
}

/// Opens and loads a database that was tampered with, and returns the complaint.
fn damage(tamper: impl Fn(&Path)) -> String {
    let dir = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(dir.path()).unwrap();
    fill(&store, 2000);
    drop(store);
    let path = dir.path().join("store.db");
    tamper(&path);
    let before = fs::read(&path).unwrap();
    let loaded = SqliteStore::open(dir.path()).and_then(|store| store.load(&mut |_| {}));
    let error = loaded.unwrap_err();
    assert!(matches!(error, StoreError::Corrupt { .. }), "{error:?}");
    assert!(!error.retryable());
    assert_eq!(fs::read(&path).unwrap(), before, "a damaged database is left as it is");
    let text = error.to_string();
    assert!(text.contains(&path.display().to_string()) && text.contains("backup"), "{text}");
    text
}

fn overwrite(path: &Path, at: u64, len: usize) {
    let mut file = OpenOptions::new().write(true).open(path).unwrap();
    file.seek(SeekFrom::Start(at)).unwrap();
    file.write_all(&vec![0xa5; len]).unwrap();
}

#[test]
fn damage_is_named() {
    damage(|path| overwrite(path, 0, 100));
    damage(|path| overwrite(path, 4096, 1 << 19));
    damage(|path| fs::write(path, "no database at all, but some text").unwrap());
    let empty = damage(|path| fs::write(path, "").unwrap());
    assert!(empty.contains("the file is empty"), "{empty}");
    for part in [2, 4] {
        damage(|path| {
            let file = OpenOptions::new().write(true).open(path).unwrap();
            file.set_len(file.metadata().unwrap().len() / part).unwrap();
        });
    }
}

#[test]
fn a_log_without_its_database_is_not_taken_for_a_new_store() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("store.db-wal"), "x").unwrap();
    let text = open_error(dir.path()).to_string();
    assert!(text.contains("it is missing, but its log is there"), "{text}");
}

#[test]
fn a_foreign_database_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store.db");
    rusqlite::Connection::open(&path).unwrap().execute_batch("CREATE TABLE t (a)").unwrap();
    let text = open_error(dir.path()).to_string();
    assert!(text.contains("not a database of this program"), "{text}");
    assert!(matches!(restore(&path, &dir.path().join("new")), Err(StoreError::Corrupt { .. })));
}

#[test]
fn a_newer_schema_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    drop(SqliteStore::open(dir.path()).unwrap());
    let path = dir.path().join("store.db");
    let conn = rusqlite::Connection::open(&path).unwrap();
    conn.execute("INSERT INTO schema_migration VALUES (99, '0099_later', x'00')", []).unwrap();
    drop(conn);
    let error = open_error(dir.path());
    assert!(matches!(error, StoreError::NewerSchema { found: 99, known: 1 }), "{error}");
    let into = dir.path().join("new");
    assert!(matches!(restore(&path, &into), Err(StoreError::NewerSchema { .. })));
    assert!(!into.join("store.db").exists());
}

#[test]
fn a_backup_holds_everything() {
    let dir = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(&dir.path().join("data")).unwrap();
    let list = key(1, Kind::IpList, 1);
    store
        .commit(&[changes(
            1,
            vec![
                put(key(0, Kind::User, 1), "user"),
                open(list, None, 1, "a"),
                close(list, 2),
                open(list, None, 2, "b"),
                add_event(event(1, 7)),
            ],
        )])
        .unwrap();
    let file = dir.path().join("backup.db");
    fs::write(&file, "an older backup").unwrap();
    store.backup_to(&file).unwrap();
    assert_eq!(mode(&file), 0o600);
    let names = |dir: &Path| -> Vec<_> {
        let entries = fs::read_dir(dir).unwrap();
        let mut names: Vec<_> = entries.map(|e| e.unwrap().file_name()).collect();
        names.sort();
        names
    };
    assert_eq!(names(dir.path()), ["backup.db", "data"]);

    let into = dir.path().join("restored");
    restore(&file, &into).unwrap();
    assert_eq!(names(&into), ["store.db", "store.lock"]);
    let restored = SqliteStore::open(&into).unwrap();
    assert_eq!(snapshot(&restored), snapshot(&store));
    assert_eq!(version_docs(&restored, 1, None, None), ["a@1"]);
    assert_eq!(restored.event(1, common::id(7)).unwrap().unwrap(), b"event 7");
}

/// A writer replaces two rows together while backups are taken, inside and from outside: each is
/// whole, and none is older than what was acknowledged before it began.
#[test]
fn backups_while_writing_are_consistent() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let store = SqliteStore::open(&data).unwrap();
    fill(&store, 2000);
    let both = |n: u32| {
        let doc = n.to_string();
        let set = |org| changes(org, vec![put(key(org, Kind::Label, 1), &doc)]);
        store.commit(&[set(1), set(2)]).unwrap();
    };
    let number = |store: &SqliteStore| -> u32 {
        let rows = snapshot(store);
        let mut labels = rows.iter().filter(|row| row.starts_with("current label"));
        let mut next = || labels.next().unwrap().rsplit(' ').next().unwrap().parse().unwrap();
        let (a, b): (u32, u32) = (next(), next());
        assert_eq!(a, b);
        a
    };
    both(0);
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let running = || !stop.load(Ordering::Acquire);
            (1..).take_while(|_| running()).for_each(both);
        });
        for round in 0..6 {
            let (file, into) = (dir.path().join("b"), dir.path().join(round.to_string()));
            let before = number(&store);
            if round % 2 == 0 {
                store.backup_to(&file).unwrap();
            } else {
                backup(&data, &file).unwrap();
            }
            let after = number(&store);
            restore(&file, &into).unwrap();
            let restored = number(&SqliteStore::open(&into).unwrap());
            assert!((before..=after).contains(&restored), "{before} {restored} {after}");
        }
        stop.store(true, Ordering::Release);
    });
    assert!(number(&store) > 0, "nothing was written meanwhile");
}

#[test]
fn a_backup_does_not_overwrite_the_store() {
    let dir = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(dir.path()).unwrap();
    for file in ["store.db", "store.lock", "sub/../store.db-wal"] {
        fs::create_dir_all(dir.path().join("sub")).unwrap();
        let error = store.backup_to(&dir.path().join(file)).unwrap_err();
        assert!(matches!(error, StoreError::BackupTarget { .. }), "{error}");
    }
    store.backup_to(&dir.path().join("backup.db")).unwrap();
    let missing = store.backup_to(&dir.path().join("none/backup.db")).unwrap_err();
    assert!(matches!(missing, StoreError::Io { .. }), "{missing}");
    fill(&store, 1);
}

#[test]
fn restore_goes_only_where_no_database_is() {
    let dir = tempfile::tempdir().unwrap();
    let (data, file) = (dir.path().join("data"), dir.path().join("b"));
    let store = SqliteStore::open(&data).unwrap();
    fill(&store, 3);
    store.backup_to(&file).unwrap();
    let expected = snapshot(&store);
    fill(&store, 4);
    drop(store);
    assert!(matches!(restore(&file, &data), Err(StoreError::NotEmpty { .. })));
    assert_eq!(snapshot(&SqliteStore::open(&data).unwrap()).len(), 5, "left as it was");

    let with_certificate = dir.path().join("other");
    fs::create_dir(&with_certificate).unwrap();
    fs::write(with_certificate.join("ca.pem"), "pem").unwrap();
    restore(&file, &with_certificate).unwrap();
    assert_eq!(snapshot(&SqliteStore::open(&with_certificate).unwrap()), expected);
    assert_eq!(fs::read(with_certificate.join("ca.pem")).unwrap(), b"pem");
}

#[test]
fn a_damaged_backup_is_refused_and_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (file, into) = (dir.path().join("b"), dir.path().join("into"));
    let store = SqliteStore::open(&dir.path().join("data")).unwrap();
    fill(&store, 2000);
    store.backup_to(&file).unwrap();
    let len = fs::metadata(&file).unwrap().len();
    let whole = fs::read(&file).unwrap();
    for at in [0, 50 * 4096, len - 4096] {
        fs::write(&file, &whole).unwrap();
        overwrite(&file, at, 4096);
        let error = restore(&file, &into).unwrap_err();
        assert!(matches!(error, StoreError::Corrupt { .. }), "{at}: {error:?}");
        assert!(error.to_string().contains(&file.display().to_string()), "{error}");
    }
    fs::write(&file, &whole[..whole.len() / 2]).unwrap();
    let error = restore(&file, &into).unwrap_err();
    assert!(matches!(error, StoreError::Corrupt { .. }), "{error:?}");
    assert!(matches!(restore(&dir.path().join("none"), &into), Err(StoreError::Io { .. })));
    let left: Vec<_> = fs::read_dir(&into).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(left, ["store.lock"]);
}

/// A backup of a store that crashed and was not started since holds what its log holds.
#[test]
fn a_backup_of_a_stopped_store_includes_its_log() {
    let (dir, crashed) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let store = SqliteStore::open(dir.path()).unwrap();
    fill(&store, 10);
    for file in ["store.db", "store.db-wal"] {
        fs::copy(dir.path().join(file), crashed.path().join(file)).unwrap();
    }
    let (file, into) = (dir.path().join("b"), dir.path().join("restored"));
    backup(crashed.path(), &file).unwrap();
    restore(&file, &into).unwrap();
    assert_eq!(snapshot(&SqliteStore::open(&into).unwrap()), snapshot(&store));
    assert_eq!(snapshot(&SqliteStore::open(crashed.path()).unwrap()), snapshot(&store));
}
