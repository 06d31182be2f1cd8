//! The process: what a start, a stop, a second start and a backup promise.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test that cannot go on fails"
)]

use bulkhead_testkit::collections::snapshot;
use bulkhead_testkit::stage::Stage;
use bulkhead_testkit::{Client, Home, Launch, Server, run};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

const PCE: &str = env!("CARGO_BIN_EXE_bulkhead-pce");

fn label(value: &str) -> Value {
    json!({"key": "app", "value": value})
}

fn path(home: &Home) -> String {
    home.data().to_str().unwrap().to_owned()
}

#[test]
fn a_restart_keeps_everything() {
    let mut stage = Stage::seeded(PCE);
    let before = [0, 1].map(|n| snapshot(&stage.owners[n], &stage.made[n]));
    assert!(before.iter().all(|s| s.len() > 40), "{} collections", before[0].len());
    let session = stage.owners.clone();
    stage.server = stage.server.restart();
    // The listener has another port; keys made before the restart are still good.
    let base = stage.server.anonymous();
    let owners = session.map(|c| c.at(base.base()));
    let after = [0, 1].map(|n| snapshot(&owners[n], &stage.made[n]));
    for (before, after) in before.iter().zip(&after) {
        assert_same(before, after);
    }
}

#[track_caller]
fn assert_same(before: &BTreeMap<String, Value>, after: &BTreeMap<String, Value>) {
    for (path, want) in before {
        assert_eq!(after.get(path), Some(want), "{path}");
    }
    assert_eq!(before.len(), after.len());
}

#[test]
fn a_second_server_on_the_same_directory_is_refused() {
    let server = Server::start(PCE);
    let dir = path(server.home());
    let started = Instant::now();
    let out = run(PCE, &["serve", "--data-dir", &dir, "--http", "127.0.0.1:0"]);
    let text = String::from_utf8_lossy(&out.stderr);
    assert!(!out.status.success());
    assert!(text.contains("in use by another server") && text.contains(&dir), "unclear: {text}");
    assert!(started.elapsed() < Duration::from_secs(10), "it took {:?}", started.elapsed());
    let out =
        run(PCE, &["org", "add", "--data-dir", &dir, "--name", "x", "--email", "x@example.com"]);
    assert!(!out.status.success(), "an organisation was added below a running server");
    server.client().post("labels", &label("unharmed")).expect(201);
    server.stop();
}

#[test]
fn the_bootstrap_file_is_private_and_its_key_is_fresh() {
    let server = Server::start(PCE);
    let file = server.home().bootstrap();
    let mode = std::fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "{mode:o}");
    let data = std::fs::metadata(server.home().data()).unwrap().permissions().mode();
    assert_eq!(data & 0o077, 0, "{data:o}");
    let first = server.boot().clone();
    for name in ["http_url", "ca_file", "email", "password", "api_key", "api_secret"] {
        assert!(first[name].as_str().is_some_and(|s| !s.is_empty()), "{name}: {first}");
    }
    assert_eq!((&first["org_id"], &first["https_url"]), (&json!(1), &Value::Null));
    let ca = std::fs::read_to_string(first["ca_file"].as_str().unwrap()).unwrap();
    assert!(ca.contains("BEGIN CERTIFICATE"));
    let server = server.restart();
    let second = server.boot();
    assert_ne!(first["api_key"], second["api_key"]);
    assert_ne!(first["api_secret"], second["api_secret"]);
    assert_eq!(first["password"], second["password"]);
    let old = server
        .anonymous()
        .with(first["api_key"].as_str().unwrap(), first["api_secret"].as_str().unwrap());
    old.get("labels").expect(200);
    server.client().get("labels").expect(200);
    server.stop();
}

#[test]
fn secrets_are_not_logged() {
    let server = Server::start(PCE);
    let (boot, client) = (server.boot().clone(), server.client());
    client.get("labels").expect(200);
    let log = server.stop().log();
    for name in ["password", "api_secret"] {
        assert!(!log.contains(boot[name].as_str().unwrap()), "{name} is in the log");
    }
}

#[test]
fn a_request_in_flight_is_finished_after_sigterm() {
    let mut server = Server::start(PCE);
    let address = server.boot_str("http_url").trim_start_matches("http://").to_owned();
    let body = label("in flight").to_string();
    let mut stream = TcpStream::connect(&address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let head = format!(
        "POST /api/v2/orgs/1/labels HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n\
         Authorization: {}\r\nContent-Length: {}\r\n\r\n",
        server.client().authorization().unwrap(),
        body.len()
    );
    let (first, rest) = body.split_at(5);
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(first.as_bytes()).unwrap();
    thread::sleep(Duration::from_millis(200));
    server.terminate();
    // The listener closes; the open request stays.
    let started = Instant::now();
    while TcpStream::connect(&address).is_ok() {
        assert!(started.elapsed() < Duration::from_secs(10), "it still listens");
        thread::sleep(Duration::from_millis(10));
    }
    assert!(server.alive(), "it did not wait for the request");
    stream.write_all(rest.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 201 "), "{answer}");
    assert!(server.wait().success());
    let server = Launch::new(PCE).home(server.home()).start();
    assert!(server.client().get("labels?value=in%20flight").text.contains("in flight"));
}

/// Writers that count what was acknowledged, until the server stops answering or they are told to stop.
fn write_labels(client: &Client, stop: &AtomicBool, made: &Mutex<Vec<String>>, who: usize) {
    for n in 0.. {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        let reply = client.try_send("POST", "labels", Some(&label(&format!("w{who}-{n}"))));
        let Ok(reply) = reply else { return };
        made.lock().unwrap().push(reply.expect(201).href());
    }
}

#[test]
fn sigterm_among_writers_loses_nothing() {
    let server = Server::start(PCE);
    let (client, stop, made) = (server.client(), AtomicBool::new(false), Mutex::new(Vec::new()));
    let home = thread::scope(|scope| {
        for who in 0..8 {
            let (client, stop, made) = (&client, &stop, &made);
            scope.spawn(move || write_labels(client, stop, made, who));
        }
        thread::sleep(Duration::from_millis(400));
        server.stop()
    });
    let server = Launch::new(PCE).home(&home).start();
    let made = made.into_inner().unwrap();
    assert!(made.len() > 20, "only {} writes", made.len());
    for href in made {
        server.client().get(&href).expect(200);
    }
}

#[test]
fn a_backup_while_writing_is_whole() {
    let mut stage = Stage::seeded(PCE);
    let [owner, _] = stage.owners.clone();
    let home = stage.server.home().clone();
    let (stop, made) = (AtomicBool::new(false), Mutex::new(Vec::new()));
    let backup = |name: &str| {
        let file = home.join(name).to_str().unwrap().to_owned();
        let out = run(PCE, &["backup", "--data-dir", &path(&home), &file]);
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        file
    };
    let (during, before) = thread::scope(|scope| {
        for who in 0..4 {
            let (owner, stop, made) = (&owner, &stop, &made);
            scope.spawn(move || write_labels(owner, stop, made, who));
        }
        thread::sleep(Duration::from_millis(300));
        let before = made.lock().unwrap().clone();
        let file = backup("during");
        stop.store(true, Ordering::Relaxed);
        (file, before)
    });
    assert!(before.len() > 10, "only {} writes", before.len());
    let restored = restore(&during);
    let client = owner.at(restored.anonymous().base());
    for href in &before {
        client.get(href).expect(200);
    }
    drop(restored);
    // With nobody writing the copy is the same in every collection of both organisations.
    let quiet = backup("quiet");
    let want = [0, 1].map(|n| snapshot(&stage.owners[n], &stage.made[n]));
    let restored = restore(&quiet);
    let base = restored.anonymous();
    for (n, want) in want.iter().enumerate() {
        assert_same(want, &snapshot(&stage.owners[n].at(base.base()), &stage.made[n]));
    }
    restored.stop();
    stage.server = stage.server.restart();
}

#[track_caller]
fn restore(file: &str) -> Server {
    let home = Home::new();
    let out = run(PCE, &["restore", "--data-dir", &path(&home), file]);
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let again = run(PCE, &["restore", "--data-dir", &path(&home), file]);
    assert!(!again.status.success(), "a directory in use was overwritten");
    Launch::new(PCE).home(&home).start()
}

#[test]
fn a_damaged_backup_is_refused() {
    let home = Server::start(PCE).stop();
    let file = home.join("broken");
    std::fs::write(&file, b"SQLite format 3\0 and then nothing of the kind").unwrap();
    let target = Home::new();
    let out = run(PCE, &["restore", "--data-dir", &path(&target), file.to_str().unwrap()]);
    assert!(!out.status.success());
    assert!(!out.stderr.is_empty());
}
