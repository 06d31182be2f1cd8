//! What the node says of itself: load, memory, disk, and whether its parts work.

use jiff::Timestamp;
use parking_lot::Mutex;
use serde_json::{Value, json};
use std::net::UdpSocket;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Figures younger than this are told again.
const FRESH: Duration = Duration::from_secs(5);
/// From this share of a resource on the node is in a state of warning.
///
/// Source: REST guides 21.5 to 22.5, health.
const WARNING_PERCENT: f64 = 95.0;

/// Shares in use, in percent; absent where the system does not tell.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Figures {
    /// Processors, since the last look.
    pub cpu: Option<f64>,
    /// Memory.
    pub memory: Option<f64>,
    /// The file system of the data directory.
    pub disk: Option<f64>,
}

/// Busy and all ticks of all processors since boot.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Ticks {
    busy: u64,
    all: u64,
}

struct Seen {
    at: Option<Instant>,
    ticks: Ticks,
    figures: Figures,
}

/// This host.
pub struct Node {
    /// The data directory.
    pub data_dir: PathBuf,
    started: Instant,
    /// When the server started.
    pub started_at: Timestamp,
    seen: Mutex<Seen>,
}

impl Node {
    /// The host as it is now; the data directory says which disk counts.
    pub fn new(data_dir: PathBuf, now: Timestamp) -> Self {
        let ticks = read("/proc/stat").and_then(|s| ticks(&s)).unwrap_or_default();
        let seen = Seen { at: None, ticks, figures: Figures::default() };
        Self { data_dir, started: Instant::now(), started_at: now, seen: Mutex::new(seen) }
    }

    /// Seconds since the server started.
    pub fn uptime_s(&self) -> u64 {
        self.started.elapsed().as_secs()
    }

    /// The figures of this moment, or of a few seconds ago.
    pub fn figures(&self) -> Figures {
        let mut seen = self.seen.lock();
        if seen.at.is_some_and(|at| at.elapsed() < FRESH) {
            return seen.figures;
        }
        let now = read("/proc/stat").and_then(|s| ticks(&s));
        let cpu = now.and_then(|now| share_since(seen.ticks, now)).or(seen.figures.cpu);
        let memory = read("/proc/meminfo").and_then(|s| memory(&s));
        seen.ticks = now.unwrap_or_default();
        seen.figures = Figures { cpu, memory, disk: self.disk() };
        seen.at = Some(Instant::now());
        seen.figures
    }

    fn disk(&self) -> Option<f64> {
        let stat = rustix::fs::statvfs(&self.data_dir).ok()?;
        let used = stat.f_blocks.saturating_sub(stat.f_bfree);
        percent(used, used.saturating_add(stat.f_bavail))
    }

    /// The answer of the health operation; `services` are names and whether each works.
    pub fn report(&self, fqdn: &str, services: &[(&str, bool)], now: &str) -> Value {
        let figures = self.figures();
        let shares = [figures.cpu, figures.memory, figures.disk];
        let full = shares.iter().flatten().any(|p| *p >= WARNING_PERCENT);
        let broken = services.iter().any(|(_, up)| !up);
        let status = match (broken, full) {
            (true, _) => "critical",
            (false, true) => "warning",
            (false, false) => "normal",
        };
        let mut node = json!({
            "hostname": fqdn,
            "ip_address": address(),
            "runlevel": 5,
            "uptime_seconds": self.uptime_s(),
            "services": {
                "status": if broken { "partial" } else { "running" },
                "running": named(services, true),
                "not_running": named(services, false),
                "partial": [],
                "optional": [],
                "unknown": [],
            },
            "metrics": [],
            "generated_at": now,
        });
        if let Value::Object(node) = &mut node {
            let entry = |p: Option<f64>| p.map(value);
            node.extend(entry(figures.cpu).map(|v| ("cpu".into(), v)));
            node.extend(entry(figures.memory).map(|v| ("memory".into(), v)));
            let location = self.data_dir.display().to_string();
            let disk = entry(figures.disk).map(|v| json!([{"location": location, "value": v}]));
            node.extend(disk.map(|v| ("disk".into(), v)));
        }
        json!([{
            "status": status,
            "type": "standalone",
            "fqdn": fqdn,
            "available_seconds": self.uptime_s(),
            "notifications": notifications(services, full),
            "listen_only_mode_enabled_at": null,
            "nodes": [node],
            "network": {"replication": []},
            "groups": [],
            "generated_at": now,
        }])
    }
}

fn named<'a>(services: &[(&'a str, bool)], wanted: bool) -> Vec<&'a str> {
    services.iter().filter(|(_, up)| *up == wanted).map(|(name, _)| *name).collect()
}

fn notifications(services: &[(&str, bool)], full: bool) -> Vec<Value> {
    let mut out: Vec<Value> = named(services, false)
        .iter()
        .map(|name| {
            let message = format!("{name} does not work: see the log of the server");
            json!({"status": "critical", "token": "service_not_running", "message": message})
        })
        .collect();
    if full {
        out.push(json!({
            "status": "warning",
            "token": "resource_usage_high",
            "message": format!("CPU, memory or disk is in use to {WARNING_PERCENT} % or more"),
        }));
    }
    out
}

fn value(percent: f64) -> Value {
    let status = if percent >= WARNING_PERCENT { "warning" } else { "normal" };
    json!({"status": status, "percent": (percent * 10.0).round() / 10.0})
}

/// The address by which this host would reach others; nothing is sent to find out.
fn address() -> Option<String> {
    // Addresses set aside for documentation: routed like any other, owned by nobody.
    let routes = [("0.0.0.0:0", "192.0.2.1:9"), ("[::]:0", "[2001:db8::1]:9")];
    routes.iter().find_map(|(from, to)| {
        let socket = UdpSocket::bind(from).ok()?;
        socket.connect(to).ok()?;
        let ip = socket.local_addr().ok()?.ip();
        (!ip.is_unspecified()).then(|| ip.to_string())
    })
}

fn read(path: &str) -> Option<String> {
    std::fs::read_to_string(path).ok()
}

fn percent(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| (part as f64 / whole as f64 * 100.0).clamp(0.0, 100.0))
}

fn share_since(then: Ticks, now: Ticks) -> Option<f64> {
    percent(now.busy.saturating_sub(then.busy), now.all.saturating_sub(then.all))
}

/// Reads the first line of `/proc/stat`: user, nice, system, idle, iowait, irq, softirq, steal.
fn ticks(stat: &str) -> Option<Ticks> {
    let line = stat.lines().find_map(|l| l.strip_prefix("cpu "))?;
    let n: Vec<u64> = line.split_whitespace().take(8).map_while(|w| w.parse().ok()).collect();
    let idle = n.get(3)? + n.get(4).copied().unwrap_or_default();
    let all: u64 = n.iter().sum();
    Some(Ticks { busy: all - idle, all })
}

/// The share of memory that new programs cannot have, from `/proc/meminfo`.
fn memory(info: &str) -> Option<f64> {
    let kib = |name: &str| -> Option<u64> {
        let line = info.lines().find_map(|l| l.strip_prefix(name)?.strip_prefix(':'))?;
        line.split_whitespace().next()?.parse().ok()
    };
    let (total, free) = (kib("MemTotal")?, kib("MemAvailable")?);
    percent(total.saturating_sub(free), total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_of_proc_are_read() {
        let then = ticks("cpu  100 0 50 800 50 0 0 0 0 0\ncpu0 1 2 3 4\n").unwrap();
        assert_eq!(then, Ticks { busy: 150, all: 1000 });
        let now = ticks("cpu  130 0 60 850 60 0 0 0 0 0\n").unwrap();
        assert_eq!(share_since(then, now), Some(40.0));
        assert_eq!(share_since(now, now), None);
        assert_eq!(
            memory("MemTotal:  1000 kB\nMemFree: 1 kB\nMemAvailable:  250 kB\n"),
            Some(75.0)
        );
        assert_eq!(memory("MemTotal: 0 kB\nMemAvailable: 0 kB\n"), None);
    }

    #[test]
    fn this_host_has_a_disk_and_a_report() {
        let node = Node::new(std::env::temp_dir(), Timestamp::UNIX_EPOCH);
        let disk = node.figures().disk.unwrap();
        assert!((0.0..=100.0).contains(&disk));
        let report = node.report("pce", &[("api", true), ("database", false)], "now");
        assert_eq!(report[0]["status"], "critical");
        assert_eq!(report[0]["nodes"][0]["services"]["not_running"], json!(["database"]));
    }
}
