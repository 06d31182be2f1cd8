//! How long provisioning takes at full size; run by hand with `--release -- --ignored --nocapture`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a measurement prints, and may fail loudly"
)]

use bulkhead_ids::{Id, Kind};
use bulkhead_server::clock::{SystemClock, new_uuid};
use bulkhead_server::compute::engine_of;
use bulkhead_server::doc::Val;
use bulkhead_server::policy::affected::affected;
use bulkhead_server::policy::closure::{Deed, all_pending, missing};
use bulkhead_server::policy::{provision, versions};
use bulkhead_server::state::State;
use bulkhead_server::txn::{Origin, Txn};
use bulkhead_server::world::{Obj, Side};
use bulkhead_store::SqliteStore;
use serde_json::json;
use std::sync::Arc;
use std::time::Instant;

const ORG: u32 = 7;
const APPS: u64 = 3_000;
const RULES_PER_SET: u64 = 25;
const WORKLOADS: u64 = 100_000;

fn put(txn: &mut Txn<'_>, kind: Kind, id: Id, (parent, doc): (Option<Id>, serde_json::Value)) {
    txn.save(Obj::new(kind, id, parent, Val::from_json(&doc)));
}

fn label(id: u64) -> serde_json::Value {
    json!({"href": format!("/orgs/{ORG}/labels/{id}")})
}

fn fill(txn: &mut Txn<'_>) {
    for app in 1..=APPS {
        let doc = json!({"key": "app", "value": format!("app {app}")});
        put(txn, Kind::Label, Id::int(app), (None, doc));
    }
    for role in 1..=20 {
        let doc = json!({"key": "role", "value": format!("role {role}")});
        put(txn, Kind::Label, Id::int(10_000 + role), (None, doc));
    }
    for n in 0..WORKLOADS {
        let labels = json!([label(1 + n % APPS), label(10_001 + n / APPS % 20)]);
        let doc = json!({"name": format!("w{n}"), "labels": labels});
        put(txn, Kind::Workload, Id::uuid(new_uuid()), (None, doc));
    }
    for set in 1..=APPS {
        let scopes = json!([[{"label": label(set)}]]);
        let doc = json!({"name": format!("set {set}"), "enabled": true, "scopes": scopes});
        put(txn, Kind::RuleSet, Id::int(set), (None, doc));
        for rule in 0..RULES_PER_SET {
            let role = |n: u64| json!([{"label": label(10_001 + n % 20)}]);
            let doc = json!({
                "enabled": true,
                "providers": role(rule),
                "consumers": role(rule + set),
                "ingress_services": [{"proto": 6, "port": 1000 + rule}],
                "resolve_labels_as": {"providers": ["workloads"], "consumers": ["workloads"]},
            });
            let id = Id::int(set * RULES_PER_SET + rule);
            put(txn, Kind::SecRule, id, (Some(Id::int(set)), doc));
        }
    }
}

#[test]
#[ignore = "a measurement of half a minute"]
fn first_provisioning_of_75_000_rules() {
    let dir = tempfile::tempdir().unwrap();
    let store = Arc::new(SqliteStore::open(dir.path()).unwrap());
    let state = State::load(store, Arc::new(SystemClock)).unwrap();
    state.add_org(ORG);
    let origin = Origin::default();
    let timed = |what: &str, f: &mut dyn FnMut()| {
        let start = Instant::now();
        f();
        println!("{what}: {:?}", start.elapsed());
    };
    timed("fill", &mut || {
        let change = |txn: &mut Txn<'_>| {
            fill(txn);
            Ok(())
        };
        state.write_blocking(ORG, &origin, change).unwrap();
    });
    let world = state.world(ORG).unwrap();
    let set = all_pending(&world);
    timed("closure", &mut || assert!(missing(&world, Deed::Commit, &set).unwrap().is_empty()));
    let engines = [Side::Active, Side::Draft].map(|side| engine_of(&world, side));
    let [before, after] = &engines;
    timed("affected", &mut || println!("{:?}", affected(&world, &set, (before, after))));
    timed("change and commit", &mut || {
        let change = |txn: &mut Txn<'_>| {
            let start = Instant::now();
            provision(txn, &set, None, 0);
            println!("  change: {:?}", start.elapsed());
            Ok(())
        };
        state.write_blocking(ORG, &origin, change).unwrap();
    });
    timed("restore of what is active", &mut || {
        let rows = state.store.version_rows(ORG, 1, None, None).unwrap();
        let wanted = versions::objects(&rows).unwrap();
        state.write_blocking(ORG, &origin, |txn| versions::restore(txn, &wanted)).unwrap();
    });
    assert_eq!(state.world(ORG).unwrap().pending().count(), 0);
}
