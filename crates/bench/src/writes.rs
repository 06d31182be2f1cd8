//! Row A2: durable writes, beside append and fdatasync on the same disk.

use crate::BenchError;
use crate::load::Connection;
use crate::process::{Plan, Server};
use crate::report::{Report, Row, median};
use bytes::Bytes;
use http::Method;
use serde_json::{Value, json};
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

const CLIENTS: usize = 16;
const ROUNDS: usize = 5;
const TIME: Duration = Duration::from_secs(2);

pub(crate) async fn measure(
    plan: &Plan,
    data: &Path,
    report: &mut Report,
) -> Result<(), BenchError> {
    let server = Server::start(plan, data).await?;
    let (mut creates, mut syncs, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    let (mut bulk, mut bulk_ratios) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let (c, s) = (labels(&server, round).await?, fsyncs(data)?);
        ratios.push(c / s);
        creates.push(c);
        let (b, s2) = (bulk_create(&server, round).await?, fsyncs(data)?);
        bulk_ratios.push(b * s2);
        bulk.push(b * 1000.0);
        syncs.extend([s, s2]);
    }
    let fsyncs = median(syncs);
    let ratio = median(ratios);
    report.add(Row {
        id: "A2",
        what: format!("durable label creates, {CLIENTS} clients"),
        ours: (median(creates), "creates/s"),
        peer: Some((fsyncs, "append+fdatasync/s")),
        ratio: Some(ratio),
        goal: Some((">= 4 creates per fsync", ratio >= 4.0)),
    });
    let ratio = median(bulk_ratios);
    report.add(Row {
        id: "A2",
        what: "bulk_create of 1,000 workloads".into(),
        ours: (median(bulk), "ms"),
        peer: Some((1000.0 / fsyncs, "ms of one append+fdatasync")),
        ratio: Some(ratio),
        goal: Some(("<= 150 fsyncs' time", ratio <= 150.0)),
    });
    server.stop().await;
    Ok(())
}

/// Creates a second by concurrent clients.
async fn labels(server: &Server, round: usize) -> Result<f64, BenchError> {
    let began = Instant::now();
    let mut tasks = tokio::task::JoinSet::new();
    for client in 0..CLIENTS {
        let mut connection = Connection::open(server.addr, &server.authorization).await?;
        tasks.spawn(async move {
            let mut n = 0_u32;
            while began.elapsed() < TIME {
                let value = format!("bench {round} {client} {n}");
                let body = json!({"key": "app", "value": value}).to_string();
                let path = "/orgs/1/labels";
                let (status, _) = connection.call(Method::POST, path, body.into()).await?;
                if status != 201 {
                    return Err(BenchError::Server(format!("label create: status {status}")));
                }
                n += 1;
            }
            Ok(n)
        });
    }
    let mut done = 0.0;
    while let Some(result) = tasks.join_next().await {
        done += f64::from(result.map_err(|e| BenchError::Server(e.to_string()))??);
    }
    Ok(done / began.elapsed().as_secs_f64())
}

/// Seconds for one bulk call of 1,000 workloads.
async fn bulk_create(server: &Server, round: usize) -> Result<f64, BenchError> {
    let mut connection = Connection::open(server.addr, &server.authorization).await?;
    let items: Vec<Value> = (0..1000)
        .map(|n| {
            json!({
                "name": format!("bulk-{round}-{n}"),
                "hostname": format!("bulk-{round}-{n}.example.com"),
                "interfaces": [{"name": "eth0", "address": format!("10.200.{}.{}", n / 250, n % 250 + 1)}],
                "labels": [{"href": "/orgs/1/labels/1"}],
            })
        })
        .collect();
    let body: Bytes = Value::from(items).to_string().into();
    let began = Instant::now();
    let (status, answer) =
        connection.call(Method::PUT, "/orgs/1/workloads/bulk_create", body).await?;
    let took = began.elapsed().as_secs_f64();
    let answer: Value = serde_json::from_slice(&answer).unwrap_or_default();
    let made = answer.as_array().into_iter().flatten();
    let made = made.filter(|r| r.get("status") == Some(&json!("created"))).count();
    if status != 200 || made != 1000 {
        return Err(BenchError::Server(format!("bulk_create: status {status}, {made} created")));
    }
    Ok(took)
}

/// Appends of 1 KiB, each followed by fdatasync, a second; on the disk of the data directory.
fn fsyncs(data: &Path) -> Result<f64, BenchError> {
    let io = |e| BenchError::Io("append and fdatasync".into(), e);
    let mut file = tempfile::tempfile_in(data.parent().unwrap_or(data)).map_err(io)?;
    let block = [7_u8; 1024];
    let began = Instant::now();
    let mut n = 0_u32;
    while began.elapsed() < TIME {
        file.write_all(&block).map_err(io)?;
        file.sync_data().map_err(io)?;
        n += 1;
    }
    Ok(f64::from(n) / began.elapsed().as_secs_f64())
}
