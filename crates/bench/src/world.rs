//! The sample organisation: believable, of any size, the same on every run.

use crate::BenchError;
use crate::process::{Plan, own};
use crate::report::say;
use bulkhead_ids::{Id, Kind};
use bulkhead_server::boot;
use bulkhead_server::clock::SystemClock;
use bulkhead_server::policy;
use bulkhead_server::resource::crud;
use bulkhead_server::state::State;
use bulkhead_server::txn::{Origin, Txn};
use bulkhead_store::SqliteStore;
use serde_json::{Map, Value, json};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;
use tempfile::TempDir;

/// Rule sets of the sample organisation.
const RULE_SETS: usize = 650;
/// Applications.
const APPS: u64 = 3000;
const ROLES: u64 = 40;
const ENVS: u64 = 6;
const LOCS: u64 = 20;
const SERVICES: u64 = 200;
/// Objects of one change.
const CHUNK: usize = 1000;

/// Numbers that look random and are the same on every run (splitmix64).
pub(crate) struct Numbers(pub(crate) u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Below `n`, small numbers more often: a few applications have most hosts.
    fn skewed(&mut self, n: u64) -> u64 {
        let (a, b) = (self.next() % n, self.next() % n);
        a.min(b)
    }
}

/// Makes a data directory in a process of its own, which lets go of it at its end; the directory goes
/// away with the handle.
pub(crate) fn build(plan: &Plan) -> Result<TempDir, BenchError> {
    let dir = TempDir::new().map_err(|e| BenchError::Io("no place for the sample".into(), e))?;
    let began = Instant::now();
    let ended = std::process::Command::new(own()?)
        .arg("make")
        .arg(dir.path())
        .args([plan.workloads.to_string(), plan.rules.to_string()])
        .status()
        .map_err(|e| BenchError::Io("cannot make the sample".into(), e))?;
    if !ended.success() {
        return Err(BenchError::Server(format!("the sample could not be made: {ended}")));
    }
    say(&format!(
        "sample organisation of {} workloads and {} rules made in {:.1} s",
        plan.workloads,
        plan.rules,
        began.elapsed().as_secs_f64()
    ));
    Ok(dir)
}

/// Fills a data directory.
pub(crate) fn make(dir: &Path, workloads: usize, rules: usize) -> Result<(), BenchError> {
    let failed = |e: &dyn std::fmt::Display| BenchError::Server(format!("sample: {e}"));
    let store = SqliteStore::open(dir).map_err(|e| failed(&e))?;
    let state = State::load(Arc::new(store), Arc::new(SystemClock)).map_err(|e| failed(&e))?;
    boot::ensure(&state).map_err(|e| failed(&e))?;
    let mut numbers = Numbers(42);
    write(&state, labels)?;
    write(&state, services)?;
    for chunk in chunks(workloads) {
        write(&state, |txn| chunk.clone().try_for_each(|n| workload(txn, &mut numbers, n)))?;
    }
    let per_set = rules.div_ceil(RULE_SETS);
    let mut left = rules;
    for n in 0..RULE_SETS {
        let rules = per_set.min(left);
        left -= rules;
        write(&state, |txn| rule_set(txn, &mut numbers, n, rules))?;
    }
    write(&state, |txn| policy::provision_all(txn, "sample"))
}

fn chunks(total: usize) -> impl Iterator<Item = std::ops::Range<usize>> {
    (0..total).step_by(CHUNK).map(move |from| from..(from + CHUNK).min(total))
}

fn write(
    state: &State,
    change: impl FnOnce(&mut Txn<'_>) -> Result<(), bulkhead_api::ApiError>,
) -> Result<(), BenchError> {
    state
        .write_blocking(1, &Origin::default(), change)
        .map(|_| ())
        .map_err(|e| BenchError::Server(format!("sample: {:?}", e.items())))
}

fn object(v: Value) -> Map<String, Value> {
    match v {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

type Made = Result<(), bulkhead_api::ApiError>;

fn labels(txn: &mut Txn<'_>) -> Made {
    for (key, count) in [("role", ROLES), ("env", ENVS), ("loc", LOCS), ("app", APPS)] {
        for n in 0..count {
            let body = json!({"key": key, "value": format!("{key}-{n}")});
            crud::create(txn, Kind::Label, None, object(body))?;
        }
    }
    Ok(())
}

/// The href of the nth label of a key; labels were made in this order from 1 on.
fn label(key: &str, n: u64) -> Value {
    let before = match key {
        "role" => 0,
        "env" => ROLES,
        "loc" => ROLES + ENVS,
        _ => ROLES + ENVS + LOCS,
    };
    json!({"href": format!("/orgs/1/labels/{}", before + n + 1)})
}

fn services(txn: &mut Txn<'_>) -> Made {
    for n in 0..SERVICES {
        let body = json!({
            "name": format!("service {n}"),
            "service_ports": [{"proto": 6, "port": 1000 + n}, {"proto": 17, "port": 1000 + n}],
        });
        crud::create(txn, Kind::Service, None, object(body))?;
    }
    Ok(())
}

fn workload(txn: &mut Txn<'_>, numbers: &mut Numbers, n: usize) -> Made {
    let (role, app) = (numbers.skewed(ROLES), numbers.skewed(APPS));
    let (env, loc) = (numbers.skewed(ENVS), numbers.skewed(LOCS));
    let address = format!("10.{}.{}.{}", n / 65_536, n / 256 % 256, n % 256);
    let body = json!({
        "name": format!("host-{n}"),
        "hostname": format!("host-{n}.dc{loc}.example.com"),
        "description": "sample host",
        "interfaces": [{"name": "eth0", "address": address, "cidr_block": 24}],
        "labels": [label("role", role), label("app", app), label("env", env), label("loc", loc)],
        "os_id": "debian-x86_64-12",
        "os_detail": "6.1.0-30-amd64 #1 SMP Debian 12 (bookworm)",
        "public_ip": address,
        "enforcement_mode": "visibility_only",
    });
    crud::create(txn, Kind::Workload, None, object(body)).map(|_| ())
}

fn rule_set(txn: &mut Txn<'_>, numbers: &mut Numbers, n: usize, rules: usize) -> Made {
    let app = numbers.skewed(APPS);
    let scope =
        json!([[{"label": label("app", app)}, {"label": label("env", numbers.skewed(ENVS))}]]);
    let body = json!({"name": format!("rule set {n}"), "enabled": true, "scopes": scope});
    let set = crud::create(txn, Kind::RuleSet, None, object(body))?;
    (0..rules).try_for_each(|_| rule(txn, numbers, set.id))
}

fn rule(txn: &mut Txn<'_>, numbers: &mut Numbers, set: Id) -> Made {
    let service = numbers.skewed(SERVICES) + 2;
    let body = json!({
        "enabled": true,
        "description": "sample rule",
        "providers": [{"label": label("role", numbers.skewed(ROLES))}],
        "consumers": [
            {"label": label("role", numbers.skewed(ROLES))},
            {"label": label("loc", numbers.skewed(LOCS))},
        ],
        "ingress_services": [{"href": format!("/orgs/1/sec_policy/draft/services/{service}")}],
        "resolve_labels_as": {"providers": ["workloads"], "consumers": ["workloads"]},
        "unscoped_consumers": numbers.next().is_multiple_of(4),
    });
    crud::create(txn, Kind::SecRule, Some(set), object(body)).map(|_| ())
}
