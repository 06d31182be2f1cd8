//! Before a write is acknowledged it is flushed to the disk: shown by the system calls themselves,
//! since a crash of the process alone leaves the page cache and would not tell.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test that cannot go on fails"
)]

use bulkhead_testkit::{Home, Launch};
use serde_json::json;
use std::collections::HashMap;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

const PCE: &str = env!("CARGO_BIN_EXE_bulkhead-pce");
const CALLS: &str =
    "trace=read,recvfrom,recvmsg,write,writev,sendto,sendmsg,pwrite64,fsync,fdatasync";

/// One finished system call.
#[derive(Debug)]
struct Call {
    name: String,
    /// The file or socket, as the first argument shows it.
    target: String,
    arguments: String,
    /// Positions in the trace.
    started: usize,
    ended: usize,
}

/// Reads a trace of several threads, joining calls that were interrupted in the listing.
fn calls(trace: &str) -> Vec<Call> {
    let mut open: HashMap<&str, (usize, String)> = HashMap::new();
    let mut out = Vec::new();
    for (n, line) in trace.lines().enumerate() {
        let Some((pid, rest)) = line.split_once(' ') else { continue };
        let rest = rest.trim_start();
        let (started, text) = if let Some(head) = rest.strip_suffix(" <unfinished ...>") {
            open.insert(pid, (n, head.to_owned()));
            continue;
        } else if let Some((_, tail)) =
            rest.strip_prefix("<... ").and_then(|r| r.split_once("resumed>"))
        {
            let Some((started, head)) = open.remove(pid) else { continue };
            (started, head + tail)
        } else {
            (n, rest.to_owned())
        };
        let failed = text.contains(" = -1 ");
        let (Some((name, arguments)), false) = (text.split_once('('), failed) else { continue };
        let target = arguments.split([',', ')']).next().unwrap_or_default().to_owned();
        out.push(Call {
            name: name.to_owned(),
            target,
            arguments: arguments.to_owned(),
            started,
            ended: n,
        });
    }
    out
}

/// Why tracing is not possible here; `None` where it is.
fn no_tracing() -> Option<String> {
    let home = Home::new();
    let file = home.join("probe");
    let out = Command::new("strace").args(["-f", "-D", "-o"]).arg(&file).arg("true").output();
    match out {
        Err(e) => Some(format!("strace cannot be run: {e}")),
        Ok(o) if !o.status.success() => Some(String::from_utf8_lossy(&o.stderr).into_owned()),
        Ok(_) => None,
    }
}

/// The whole trace, once the tracer has seen the server end.
fn finished(home: &Home) -> String {
    let started = Instant::now();
    loop {
        let trace = std::fs::read(home.join("trace")).unwrap_or_default();
        let trace = String::from_utf8_lossy(&trace).into_owned();
        if trace.trim_end().ends_with("+++ exited with 0 +++") {
            return trace;
        }
        assert!(started.elapsed() < Duration::from_secs(20), "the trace has no end");
        thread::sleep(Duration::from_millis(20));
    }
}

/// The flush that covers a create: of the log or database, after the request came and something was
/// written there, and over before the answer left.
fn flush_between<'a>(calls: &'a [Call], mark: &str) -> Result<&'a Call, String> {
    let socket = |c: &&Call| c.target.contains("socket:") || c.target.contains("TCP");
    let got = |c: &&Call| {
        matches!(c.name.as_str(), "read" | "recvfrom" | "recvmsg") && c.arguments.contains(mark)
    };
    let sent = |c: &&Call| {
        matches!(c.name.as_str(), "write" | "writev" | "sendto" | "sendmsg")
            && c.arguments.contains("HTTP/1.1 201")
            && c.arguments.contains(mark)
    };
    let request = calls.iter().filter(socket).find(got).ok_or("the request is not in the trace")?;
    let answer = calls.iter().filter(socket).find(sent).ok_or("the answer is not in the trace")?;
    let database = |c: &&Call| c.target.contains(".db") && !c.target.contains("-shm");
    let written = calls
        .iter()
        .filter(database)
        .find(|c| c.name == "pwrite64" && c.started > request.ended)
        .ok_or("nothing was written after the request")?;
    calls
        .iter()
        .filter(database)
        .filter(|c| matches!(c.name.as_str(), "fsync" | "fdatasync"))
        .find(|c| c.started > written.ended && c.ended < answer.started)
        .ok_or_else(|| format!("no flush between lines {} and {}", request.ended, answer.started))
}

#[test]
fn every_acknowledged_create_was_flushed_before() {
    if let Some(why) = no_tracing() {
        println!("SKIPPED: system calls cannot be traced here: {}", why.trim());
        return;
    }
    let home = Home::new();
    let trace = home.join("trace");
    let file = trace.to_str().unwrap();
    let strace = ["strace", "-f", "-D", "-y", "-s", "8192", "-o", file, "-e", CALLS];
    let server = Launch::new(PCE).home(&home).wrapper(&strace).start();
    let client = server.client();
    let create = |mark: &str| {
        let body = json!({"key": "app", "value": mark});
        client.post("labels", &body).expect(201);
    };
    let alone: Vec<String> = (0..10).map(|n| format!("traced-{n}-end")).collect();
    alone.iter().for_each(|m| create(m));
    // Writers that share a flush must still each have had one.
    let together: Vec<Vec<String>> =
        (0..8).map(|w| (0..5).map(|n| format!("shared-{w}-{n}-end")).collect()).collect();
    thread::scope(|scope| {
        for marks in &together {
            scope.spawn(|| marks.iter().for_each(|m| create(m)));
        }
    });
    server.stop();
    let calls = calls(&finished(&home));
    for mark in alone.iter().chain(together.iter().flatten()) {
        let flush = flush_between(&calls, mark);
        assert!(flush.is_ok(), "{mark}: {}", flush.unwrap_err());
    }
}

#[test]
fn a_missing_flush_would_be_noticed() {
    let good = "\
7 recvfrom(9<socket:[1]>, \"POST /x {mark-1}\", 99, 0, NULL, NULL) = 16
8 pwrite64(5</d/x.db-wal>, \"a\", 1, 0 <unfinished ...>
7 read(3</x>, \"\", 1) = 0
8 <... pwrite64 resumed>) = 1
8 fdatasync(5</d/x.db-wal>) = 0
7 writev(9<socket:[1]>, [{iov_base=\"HTTP/1.1 201 Created mark-1\"}], 1) = 9
";
    assert!(flush_between(&calls(good), "mark-1").is_ok());
    for bad in [
        good.replace("8 fdatasync(5</d/x.db-wal>) = 0\n", ""),
        good.replace("fdatasync(5</d/x.db-wal>) = 0", "fdatasync(5</d/x.db-wal>) = -1 EIO (x)"),
        good.replace("fdatasync(5</d/x.db-wal>)", "fdatasync(6</d/other>)"),
        good.replace("8 pwrite64(5</d/x.db-wal>", "8 pwrite64(5</d/x.db-shm>"),
    ] {
        assert!(flush_between(&calls(&bad), "mark-1").is_err(), "{bad}");
    }
}
