//! `kill -9` in the middle of many writers: what was acknowledged is there, and nothing is torn.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test that cannot go on fails"
)]

use bulkhead_testkit::{Client, Launch, Reply, Rng};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

const PCE: &str = env!("CARGO_BIN_EXE_bulkhead-pce");
const ROUNDS: u64 = 20;
const WRITERS: u64 = 16;
/// Workloads of one bulk call.
const BULK: usize = 7;
/// Rules of one rule set.
const RULES: usize = 3;
/// No single list may be longer than this.
const ALL: &str = "max_results=1000000";

/// What the server acknowledged, by the name that the writer gave it.
#[derive(Default)]
struct Acknowledged {
    labels: BTreeMap<String, String>,
    ip_lists: BTreeMap<String, String>,
    renamed: BTreeMap<String, String>,
    gone: BTreeSet<String>,
    bulks: BTreeSet<String>,
    rule_sets: BTreeMap<String, String>,
    versions: BTreeMap<u64, String>,
}

/// A writer of one kind of thing; ends when the server no longer answers.
struct Writer<'a> {
    client: Client,
    name: String,
    n: u64,
    acknowledged: &'a Mutex<Acknowledged>,
}

impl Writer<'_> {
    /// Sends a request; `None` once the server is gone. Any refusal is a fault, since nothing here is
    /// wrong, but for bulk calls, which are told to wait while others run.
    fn send(&self, method: &str, path: &str, body: &Value, status: u16) -> Option<Reply> {
        let body = (method != "DELETE").then_some(body);
        loop {
            let reply = self.client.try_send(method, path, body).ok()?;
            if reply.status != 429 {
                return Some(reply.expect(status));
            }
            thread::sleep(Duration::from_millis(20));
        }
    }

    fn run(mut self, which: u64) {
        let step = match which % 4 {
            0 => Self::single,
            1 => Self::bulk,
            2 => Self::rule_set,
            _ => Self::provision,
        };
        while step(&self).is_some() {
            self.n += 1;
        }
    }

    fn key(&self) -> String {
        format!("{}-{}", self.name, self.n)
    }

    /// A label; an IP list that gets another name; one that is deleted.
    fn single(&self) -> Option<()> {
        let key = self.key();
        let body = json!({"key": "app", "value": key});
        let label = self.send("POST", "labels", &body, 201)?.href();
        self.acknowledged.lock().unwrap().labels.insert(key.clone(), label.clone());
        if self.n.is_multiple_of(3) {
            self.send("DELETE", &label, &Value::Null, 204)?;
            self.acknowledged.lock().unwrap().gone.insert(label);
        }
        let list = self.ip_list(&key)?;
        self.acknowledged.lock().unwrap().ip_lists.insert(key.clone(), list.clone());
        let body = json!({"description": format!("described {key}")});
        self.send("PUT", &list, &body, 204)?;
        self.acknowledged.lock().unwrap().renamed.insert(key, list);
        Some(())
    }

    fn ip_list(&self, name: &str) -> Option<String> {
        let body = json!({"name": name, "ip_ranges": [{"from_ip": "192.0.2.1"}]});
        Some(self.send("POST", "sec_policy/draft/ip_lists", &body, 201)?.href())
    }

    fn bulk(&self) -> Option<()> {
        let key = self.key();
        let item =
            |i| json!({"name": format!("{key}/{i}"), "hostname": format!("{key}-{i}.example.com")});
        let items: Value = (0..BULK).map(item).collect();
        let reply = self.send("PUT", "workloads/bulk_create", &items, 200)?;
        let made = reply.body.as_array().map(Vec::as_slice).unwrap_or_default();
        assert!(made.iter().all(|i| i["status"] == "created"), "{}", reply.text);
        self.acknowledged.lock().unwrap().bulks.insert(key);
        Some(())
    }

    fn rule_set(&self) -> Option<()> {
        let key = self.key();
        let rule = json!({
            "enabled": true,
            "providers": [{"actors": "ams"}],
            "consumers": [{"actors": "ams"}],
            "ingress_services": [{"proto": 6, "port": 443}],
            "resolve_labels_as": {"providers": ["workloads"], "consumers": ["workloads"]},
        });
        let rules = vec![rule; RULES];
        let body = json!({"name": key, "enabled": true, "scopes": [[]], "rules": rules});
        let href = self.send("POST", "sec_policy/draft/rule_sets", &body, 201)?.href();
        self.acknowledged.lock().unwrap().rule_sets.insert(key, href);
        Some(())
    }

    /// Two IP lists that are provisioned together, so that one without the other would show.
    fn provision(&self) -> Option<()> {
        let key = format!("pair {}", self.key());
        let pair = [self.ip_list(&format!("{key} a"))?, self.ip_list(&format!("{key} b"))?];
        let subset: Vec<Value> = pair.iter().map(|h| json!({"href": h})).collect();
        let body = json!({"update_description": key, "change_subset": {"ip_lists": subset}});
        let reply = self.send("POST", "sec_policy", &body, 201)?;
        let version = reply.body["version"].as_u64().expect("a version number");
        let earlier = self.acknowledged.lock().unwrap().versions.insert(version, key);
        assert_eq!(earlier, None, "version {version} was given out twice");
        Some(())
    }
}

/// Lets the writers write until the server is killed.
fn write_until_killed(
    launch: &Launch,
    round: u64,
    rng: &mut Rng,
    acknowledged: &Mutex<Acknowledged>,
) {
    let server = launch.start();
    let client = server.client();
    thread::scope(|scope| {
        for w in 0..WRITERS {
            let client = client.clone();
            let writer = Writer { client, name: format!("r{round}-w{w}"), n: 0, acknowledged };
            scope.spawn(move || writer.run(w));
        }
        thread::sleep(Duration::from_millis(rng.between(100, 1500)));
        server.kill();
    });
}

/// Kills the server while it starts, at some moment from the first instruction to serving.
fn kill_while_starting(launch: &Launch, rng: &mut Rng) {
    let server = launch.spawn();
    thread::sleep(Duration::from_millis(rng.between(0, 250)));
    server.kill();
}

fn all(client: &Client, path: &str) -> Vec<Value> {
    match client.get(&format!("{path}?{ALL}")).expect(200).body {
        Value::Array(list) => list,
        other => panic!("no list: {other}"),
    }
}

fn text<'a>(v: &'a Value, name: &str) -> &'a str {
    v[name].as_str().unwrap_or_default()
}

fn check(client: &Client, known: &Acknowledged) {
    let labels = all(client, "labels");
    let live: BTreeSet<&str> = labels.iter().map(|l| text(l, "href")).collect();
    for (value, href) in &known.labels {
        let there = live.contains(href.as_str());
        if known.gone.contains(href) {
            assert!(!there, "deleted label {href} is back");
        } else if !there {
            // The delete may have been carried out without its answer.
            let left = client.get(href).expect(200);
            assert_eq!(left.body["deleted"], true, "acknowledged label {value} {href} is lost");
        }
    }
    check_policy_objects(client, known);
    check_bulks(client, known);
    check_versions(client, known);
}

fn check_policy_objects(client: &Client, known: &Acknowledged) {
    let lists = all(client, "sec_policy/draft/ip_lists");
    let by_href: BTreeMap<&str, &Value> = lists.iter().map(|l| (text(l, "href"), l)).collect();
    assert_eq!(by_href.len(), lists.len(), "an IP list is listed twice");
    for (name, href) in &known.ip_lists {
        let list = by_href.get(href.as_str());
        assert_eq!(list.map(|l| text(l, "name")), Some(name.as_str()), "acknowledged IP list");
    }
    for (name, href) in &known.renamed {
        let want = format!("described {name}");
        assert_eq!(text(by_href[href.as_str()], "description"), want, "acknowledged change");
    }
    let sets = all(client, "sec_policy/draft/rule_sets");
    let by_href: BTreeMap<&str, &Value> = sets.iter().map(|l| (text(l, "href"), l)).collect();
    for (name, href) in &known.rule_sets {
        assert!(by_href.contains_key(href.as_str()), "acknowledged rule set {name} is lost");
    }
    for set in sets.iter().filter(|s| text(s, "name").starts_with('r')) {
        let rules = set["rules"].as_array().map(Vec::len);
        assert_eq!(rules, Some(RULES), "torn rule set {}", text(set, "name"));
    }
}

fn check_bulks(client: &Client, known: &Acknowledged) {
    let mut found: BTreeMap<String, usize> = BTreeMap::new();
    for w in all(client, "workloads") {
        let key = text(&w, "name").split('/').next().unwrap_or_default();
        *found.entry(key.to_owned()).or_default() += 1;
    }
    for (key, n) in &found {
        assert_eq!(*n, BULK, "torn bulk call {key}");
    }
    for key in &known.bulks {
        assert!(found.contains_key(key), "acknowledged bulk call {key} is lost");
    }
}

fn check_versions(client: &Client, known: &Acknowledged) {
    let mut active: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for list in all(client, "sec_policy/active/ip_lists") {
        if let Some((pair, side)) = text(&list, "name").rsplit_once(' ')
            && pair.starts_with("pair ")
        {
            active.entry(pair.to_owned()).or_default().insert(side.to_owned());
        }
    }
    let both: BTreeSet<String> = ["a".to_owned(), "b".to_owned()].into();
    for (pair, sides) in &active {
        assert_eq!(*sides, both, "torn provisioning of {pair}");
    }
    let versions: BTreeMap<u64, Value> = all(client, "sec_policy")
        .into_iter()
        .filter_map(|v| Some((v["version"].as_u64()?, v)))
        .collect();
    for (version, pair) in &known.versions {
        assert!(active.contains_key(pair), "acknowledged version {version} is not active");
        let message = versions.get(version).map(|v| text(v, "commit_message"));
        assert_eq!(message, Some(pair.as_str()), "acknowledged version {version}");
    }
}

#[test]
fn acknowledged_writes_survive_kill_9() {
    let mut rng = Rng::announced("kill -9");
    let launch = Launch::new(PCE);
    let acknowledged = Mutex::new(Acknowledged::default());
    let started = Instant::now();
    for round in 0..ROUNDS {
        write_until_killed(&launch, round, &mut rng, &acknowledged);
        for _ in 0..round % 3 {
            kill_while_starting(&launch, &mut rng);
        }
        let server = launch.start();
        check(&server.client(), &acknowledged.lock().unwrap());
        match round % 2 {
            0 => server.kill(),
            _ => server.stop(),
        };
    }
    let known = acknowledged.into_inner().unwrap();
    let counts = [
        known.labels.len(),
        known.renamed.len(),
        known.bulks.len(),
        known.rule_sets.len(),
        known.versions.len(),
    ];
    println!("acknowledged labels, changes, bulk calls, rule sets, versions: {counts:?}");
    println!("{ROUNDS} rounds took {:?}", started.elapsed());
    let least = usize::try_from(ROUNDS / 2).unwrap();
    assert!(counts.iter().all(|n| *n >= least), "hardly anything was written: {counts:?}");
}
