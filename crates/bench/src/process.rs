//! The server as a process.

use crate::BenchError;
use base64::Engine;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tokio::process::{Child, Command};

/// What to measure, and with what.
pub(crate) struct Plan {
    pub(crate) only: String,
    pub(crate) workloads: usize,
    pub(crate) rules: usize,
    pub(crate) server: Option<PathBuf>,
}

impl Plan {
    /// Whether a row is asked for.
    pub(crate) fn wants(&self, id: &str) -> bool {
        id.starts_with(&self.only)
    }

    /// The server's binary.
    pub(crate) fn server(&self) -> Result<PathBuf, BenchError> {
        if let Some(p) = &self.server {
            return Ok(p.clone());
        }
        let own = own()?;
        Ok(own.with_file_name("bulkhead-pce"))
    }
}

/// This program's binary.
pub(crate) fn own() -> Result<PathBuf, BenchError> {
    std::env::current_exe().map_err(|e| BenchError::Io("cannot find this program".into(), e))
}

/// A running server.
pub(crate) struct Server {
    child: Child,
    /// Where it answers.
    pub(crate) addr: std::net::SocketAddr,
    /// Its `Authorization` header.
    pub(crate) authorization: String,
    /// From start to the bootstrap file.
    pub(crate) started_in: Duration,
}

impl Server {
    /// Starts the server on a data directory.
    pub(crate) async fn start(plan: &Plan, data: &Path) -> Result<Self, BenchError> {
        let out = data.with_extension("bootstrap.json");
        // What an earlier start left is of no use.
        let _ = std::fs::remove_file(&out);
        let began = Instant::now();
        let child = Command::new(plan.server()?)
            .args(["serve", "--rate-limit", "0", "--http", "127.0.0.1:0", "--data-dir"])
            .arg(data)
            .arg("--bootstrap-out")
            .arg(&out)
            .env("BULKHEAD_LOG", "warn")
            .stderr(std::process::Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .map_err(|e| BenchError::Io("cannot start the server".into(), e))?;
        while !out.exists() {
            if began.elapsed() > Duration::from_secs(120) {
                return Err(BenchError::Server("the server did not start in 120 s".into()));
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        let started_in = began.elapsed();
        let text = std::fs::read(&out)
            .map_err(|e| BenchError::Io("cannot read the bootstrap file".into(), e))?;
        let json: Value = serde_json::from_slice(&text).unwrap_or_default();
        let s = |k: &str| json.get(k).and_then(Value::as_str).unwrap_or_default().to_owned();
        let addr = s("http_url")
            .trim_start_matches("http://")
            .parse()
            .map_err(|_| BenchError::Server("the bootstrap file has no address".into()))?;
        let basic = base64::engine::general_purpose::STANDARD.encode(format!(
            "{}:{}",
            s("api_key"),
            s("api_secret")
        ));
        Ok(Self { child, addr, authorization: format!("Basic {basic}"), started_in })
    }

    /// Most memory it ever had resident, in MiB.
    pub(crate) fn peak_mib(&self) -> f64 {
        let status = self
            .child
            .id()
            .and_then(|pid| std::fs::read_to_string(format!("/proc/{pid}/status")).ok())
            .unwrap_or_default();
        let kib = status
            .lines()
            .find_map(|l| l.strip_prefix("VmHWM:"))
            .and_then(|l| l.split_whitespace().next()?.parse::<f64>().ok());
        kib.unwrap_or(f64::NAN) / 1024.0
    }

    /// Kills it.
    pub(crate) async fn stop(mut self) {
        // It may have ended by itself.
        let _ = self.child.kill().await;
    }
}
