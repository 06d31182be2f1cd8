//! The sample organisation: what a start with `--demo` shows, on an empty directory and on others.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails"
)]

use bulkhead_testkit::{Client, Home, Launch, Server, run};
use serde_json::{Value, json};
use std::collections::BTreeSet;

const PCE: &str = env!("CARGO_BIN_EXE_bulkhead-pce");

fn list(client: &Client, path: &str) -> Vec<Value> {
    client.get(path).expect(200).body.as_array().unwrap().clone()
}

fn names(objects: &[Value]) -> BTreeSet<&str> {
    objects.iter().filter_map(|o| o["name"].as_str()).collect()
}

#[test]
fn an_empty_directory_is_filled() {
    let server = Launch::new(PCE).arg("--demo").start();
    let client = server.client();
    let count = |path: &str| list(&client, path).len();
    let workloads = list(&client, "workloads");
    assert_eq!(workloads.len(), 301);
    assert!(workloads.iter().all(|w| w["interfaces"].as_array().is_some_and(|i| !i.is_empty())));
    assert_eq!(workloads.iter().filter(|w| w["labels"] == json!([])).count(), 5);
    let versions = list(&client, "sec_policy");
    assert_eq!(versions.len(), 4, "{versions:?}");
    assert!(versions.iter().all(|v| v["commit_message"].is_string()));
    for (path, least) in [
        ("labels", 50),
        ("label_dimensions", 5),
        ("sec_policy/active/ip_lists", 10),
        ("sec_policy/active/services", 30),
        ("sec_policy/active/label_groups", 6),
        ("sec_policy/active/rule_sets", 25),
        ("sec_policy/active/enforcement_boundaries", 1),
        ("sec_policy/active/virtual_services", 2),
        ("service_bindings", 5),
        ("pairing_profiles", 3),
    ] {
        assert!(count(path) >= least, "{path}: {}", count(path));
    }
    let sets = list(&client, "sec_policy/active/rule_sets");
    let rules = |of: &str| -> Vec<Value> {
        sets.iter().flat_map(|s| s[of].as_array().cloned().unwrap_or_default()).collect()
    };
    assert!(rules("rules").len() > 60);
    let denies = rules("deny_rules");
    assert!(
        denies.iter().any(|r| r["override"] == true)
            && denies.iter().any(|r| r["override"] == false)
    );
    let quarantined = workloads
        .iter()
        .filter(|w| w["labels"].as_array().unwrap().iter().any(|l| l["value"] == "Quarantine"));
    assert_eq!(quarantined.count(), 2);
}

#[test]
fn changes_wait_to_be_provisioned_and_can_be() {
    let server = Launch::new(PCE).arg("--demo").start();
    let client = server.client();
    let pending = client.get("sec_policy/pending").expect(200).body;
    let of = |kind: &str| pending[kind].as_array().cloned().unwrap_or_default();
    assert_eq!(names(&of("ip_lists")), BTreeSet::from(["Partner EDI gateways"]));
    let sets = of("rule_sets");
    let want = ["HR | Production", "Legacy FTP", "Remote access", "Tracking | Production"];
    assert_eq!(names(&sets), BTreeSet::from(want));
    let kinds: BTreeSet<&str> = sets.iter().filter_map(|s| s["update_type"].as_str()).collect();
    assert_eq!(kinds, BTreeSet::from(["create", "delete", "update"]));
    let made = client.post("sec_policy", &json!({"update_description": "all"})).expect(201);
    assert_eq!(made.body["version"], 5);
    assert!(made.body["workloads_affected"].as_u64().unwrap() > 0);
}

#[test]
fn every_object_has_its_event() {
    let server = Launch::new(PCE).arg("--demo").start();
    let client = server.client();
    let events = list(&client, "events?max_results=10000");
    let of = |kind: &str| events.iter().filter(|e| e["event_type"] == kind).count();
    assert_eq!(of("label.create"), list(&client, "labels").len());
    assert_eq!(of("rule_set.delete"), 1);
    assert_eq!(of("workloads.bulk_create"), 1);
    assert_eq!(of("sec_policy.create"), 3);
    let label = events.iter().find(|e| e["event_type"] == "label.create").unwrap();
    assert_eq!(label["created_by"]["user"]["username"], "owner@bulkhead.local");
}

#[test]
fn a_directory_that_holds_something_goes_on_as_it_is() {
    let home = Server::start(PCE).stop();
    let server = Launch::new(PCE).home(&home).arg("--demo").start();
    assert_eq!(list(&server.client(), "workloads").len(), 0);
    assert!(server.log().contains("`--demo` is ignored"), "{}", server.log());
    // And a sample that was changed is kept.
    let server = Launch::new(PCE).arg("--demo").start();
    server.client().post("labels", &json!({"key": "app", "value": "Mine"})).expect(201);
    let count = list(&server.client(), "labels").len();
    let home = server.stop();
    let server = Launch::new(PCE).home(&home).arg("--demo").start();
    assert_eq!(list(&server.client(), "labels").len(), count);
}

#[test]
fn a_sample_that_was_cut_off_is_refused() {
    let home = Home::new();
    std::fs::create_dir_all(home.data()).unwrap();
    std::fs::write(home.data().join("demo-unfinished"), "").unwrap();
    let dir = home.data().to_str().unwrap().to_owned();
    for more in [&["--demo"][..], &[]] {
        let arguments = [&["serve", "--data-dir", &dir, "--http", "127.0.0.1:0"], more].concat();
        let out = run(PCE, &arguments);
        let text = String::from_utf8_lossy(&out.stderr);
        assert!(!out.status.success());
        assert!(text.contains("cut off") && text.contains(&dir), "unclear: {text}");
    }
}
