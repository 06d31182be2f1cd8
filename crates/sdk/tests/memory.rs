//! A collection of 200,000 rows as a stream: memory for some rows, not for all.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a helper of tests fails the test that uses it"
)]

use bulkhead_sdk::Pce;
use futures_util::TryStreamExt;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::net::TcpListener;

/// Rows of the collection.
const ROWS: u64 = 200_000;
/// MiB that the process may grow by; the body is above 60.
const GROWTH_MIB_MAX: u64 = 50;

/// Answers every request with all rows, written as they are made.
fn serve(listener: TcpListener) -> std::io::Result<()> {
    for stream in listener.incoming() {
        let stream = stream?;
        for line in BufReader::new(stream.try_clone()?).lines() {
            if line?.is_empty() {
                break;
            }
        }
        let mut out = BufWriter::new(stream);
        out.write_all(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n[",
        )?;
        for n in 0..ROWS {
            let comma = if n == 0 { "" } else { "," };
            write!(
                out,
                "{comma}{{\"href\":\"/orgs/1/workloads/{n:032x}\",\"name\":\"workload-{n}\",\
                 \"hostname\":\"workload-{n}.example.com\",\"public_ip\":\"10.0.0.1\",\"online\":true,\
                 \"labels\":[{{\"href\":\"/orgs/1/labels/1\",\"key\":\"role\",\"value\":\"Web\"}}],\
                 \"enforcement_mode\":\"visibility_only\",\"managed\":false,\"newer_field\":{n}}}"
            )?;
        }
        out.write_all(b"]")?;
    }
    Ok(())
}

/// MiB of memory that the process holds, at most until now.
fn peak_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM")).unwrap();
    let kib: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    kib / 1024
}

#[test]
fn a_stream_holds_some_rows_and_not_all() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || serve(listener));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let pce = Pce::builder(&url).no_proxy().retry_count(0).build().unwrap();
        let before = peak_mib();
        let mut rows = pce.workloads().list().max_results(ROWS).all();
        let mut seen = 0;
        while let Some(workload) = rows.try_next().await.unwrap() {
            assert!(workload.extra.contains_key("newer_field"));
            seen += 1;
        }
        assert_eq!(seen, ROWS);
        let grown = peak_mib() - before;
        assert!(grown <= GROWTH_MIB_MAX, "grew by {grown} MiB");
    });
}
