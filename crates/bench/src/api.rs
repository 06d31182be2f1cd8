//! Row A1: reads, beside a bare handler that returns the same bytes.

use crate::BenchError;
use crate::load::{Connection, gets};
use crate::process::{Plan, Server, own};
use crate::report::{Report, Row, median};
use bytes::Bytes;
use http::Method;
use std::path::Path;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

const CONNECTIONS: usize = 8;
const ROUNDS: usize = 5;
const TIME: Duration = Duration::from_secs(2);

pub(crate) async fn measure(
    plan: &Plan,
    data: &Path,
    report: &mut Report,
) -> Result<(), BenchError> {
    let server = Server::start(plan, data).await?;
    let labels = "%5B%5B%22%2Forgs%2F1%2Flabels%2F1%22%5D%5D";
    let filtered = format!("/orgs/1/workloads?labels={labels}");
    for (what, path) in [
        ("GET one label", "/orgs/1/labels/1"),
        ("GET 500 workloads", "/orgs/1/workloads"),
        ("GET 500 workloads by label", &filtered),
    ] {
        row(&server, (what, path), report).await?;
    }
    server.stop().await;
    Ok(())
}

async fn row(
    server: &Server,
    (what, path): (&str, &str),
    report: &mut Report,
) -> Result<(), BenchError> {
    let mut first = Connection::open(server.addr, &server.authorization).await?;
    let (_, body) = first.call(Method::GET, path, Bytes::new()).await?;
    let (mut bare, addr) = start_bare(&body).await?;
    let (mut ours, mut limit) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let us = (server.addr, server.authorization.as_str());
        ours.push(gets(us, path, CONNECTIONS, TIME).await?);
        limit.push(gets((addr, &server.authorization), path, CONNECTIONS, TIME).await?);
    }
    // It may have ended by itself.
    let _ = bare.kill().await;
    let ratio = median(ours.iter().zip(&limit).map(|(a, b)| a / b).collect());
    report.add(Row {
        id: "A1",
        what: format!("{what} ({} bytes)", body.len()),
        ours: (median(ours), "req/s"),
        peer: Some((median(limit), "bare handler")),
        ratio: Some(ratio),
        goal: Some((">= 0.6", ratio >= 0.6)),
    });
    Ok(())
}

async fn start_bare(body: &Bytes) -> Result<(Child, std::net::SocketAddr), BenchError> {
    let io = |e| BenchError::Io("bare server".into(), e);
    let file = tempfile::NamedTempFile::new().map_err(io)?;
    std::fs::write(file.path(), body).map_err(io)?;
    let mut child = Command::new(own()?)
        .arg("bare")
        .arg(file.path())
        .stdout(std::process::Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(io)?;
    let out = child.stdout.take().ok_or_else(|| BenchError::Server("no output".into()))?;
    let line = BufReader::new(out).lines().next_line().await.map_err(io)?.unwrap_or_default();
    let addr = line.parse().map_err(|_| BenchError::Server(format!("bare server: {line}")))?;
    Ok((child, addr))
}
