//! A server with two organisations that hold an object of every kind each.

use crate::template::{Vars, fill, fill_text};
use crate::{Client, Home, Launch, Server, run};
use bulkhead_ids::{IdStyle, Kind};
use serde::Deserialize;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// How often the second organisation makes each object, so that its last integer id is one that the
/// first organisation does not have.
const SECOND_TIMES: u32 = 4;

/// How to make an object of a kind.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Seed {
    /// Name of the kind.
    pub name: String,
    /// Path of the POST.
    pub path: String,
    /// Body of the POST.
    pub body: Value,
    /// Body of a PUT that changes it, for kinds that have one.
    pub update: Option<Value>,
}

/// The server, a client for the owner of each organisation, and what was made.
pub struct Stage {
    /// The server.
    pub server: Server,
    /// The owners of organisations 1 and 2.
    pub owners: [Client; 2],
    /// Hrefs in each of them, by name of the kind; `n`, `org` and the server's `fqdn` besides.
    pub made: [Vars; 2],
    /// Kinds that could not be made, with the answer.
    pub failed: Vec<String>,
    /// The seeds.
    pub seeds: Vec<Seed>,
}

/// The directory of the cases, at the root of the repository.
pub fn cases_dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../cases")
}

/// Adds an organisation to a stopped server; returns what the command prints.
#[track_caller]
pub fn add_org(bin: &str, home: &Home, name: &str, email: &str) -> Value {
    let dir = home.data();
    let dir = dir.to_str().expect("a path in UTF-8");
    let out = run(bin, &["org", "add", "--data-dir", dir, "--name", name, "--email", email]);
    assert!(out.status.success(), "org add: {}", String::from_utf8_lossy(&out.stderr));
    serde_json::from_slice(&out.stdout).expect("JSON from `org add`")
}

impl Stage {
    /// Starts a server with two organisations; both are empty but for what is built in.
    #[track_caller]
    pub fn empty(bin: &str) -> Self {
        let home = Server::start(bin).stop();
        let second = add_org(bin, &home, "Second", "second@example.com");
        let server = Launch::new(bin).home(&home).start();
        let text = |name: &str| second.get(name).and_then(Value::as_str).unwrap_or_default();
        let org = second.get("org_id").and_then(Value::as_u64).and_then(|n| u32::try_from(n).ok());
        let org = org.expect("the organisation's number");
        let other = server.anonymous().with(text("api_key"), text("api_secret")).in_org(org);
        let owners = [server.client(), other];
        let file = cases_dir().join("seeds.json");
        let seeds = std::fs::read_to_string(&file).expect("readable seeds");
        let seeds = serde_json::from_str(&seeds).expect("well-formed seeds");
        Self { server, owners, made: [Vars::new(), Vars::new()], failed: Vec::new(), seeds }
    }

    /// [`Stage::empty`], then an object of every kind in both.
    #[track_caller]
    pub fn seeded(bin: &str) -> Self {
        let mut stage = Self::empty(bin);
        stage.seed(0, 1);
        for n in 0..SECOND_TIMES {
            stage.seed(1, 100 + n);
        }
        stage.failed.sort();
        stage.failed.dedup();
        stage
    }

    fn seed(&mut self, which: usize, n: u32) {
        let (Some(client), Some(vars)) = (self.owners.get(which), self.made.get_mut(which)) else {
            return;
        };
        vars.insert("n".into(), json!(n));
        vars.insert("org".into(), json!(client.org()));
        let fqdn = client.get("/health").body.pointer("/0/fqdn").cloned();
        vars.extend(fqdn.map(|name| ("fqdn".to_owned(), name)));
        for seed in &self.seeds {
            let reply = client.post(&fill_text(&seed.path, vars), &fill(&seed.body, vars));
            // Rules may be answered in the list that they were sent in.
            let href = reply.body.pointer("/href").or_else(|| reply.body.pointer("/0/href"));
            match href {
                Some(href) if reply.status == 201 => {
                    vars.insert(seed.name.clone(), href.clone());
                }
                _ => self.failed.push(format!("{}: {} {}", seed.name, reply.status, reply.text)),
            }
        }
        let event = client.get("events").body.pointer("/0/href").cloned();
        vars.extend(event.map(|href| ("event".to_owned(), href)));
        vars.extend(job(client).map(|href| ("job".to_owned(), href)));
    }

    /// The href of the object of a kind in an organisation (0 or 1).
    pub fn href(&self, which: usize, kind: &str) -> Option<&str> {
        self.made.get(which)?.get(kind)?.as_str()
    }
}

/// Starts a job and returns its href.
pub fn job(client: &Client) -> Option<Value> {
    let path = client.path("labels");
    let reply = client.try_send_raw("GET", &path, &[("Prefer", "respond-async")], None).ok()?;
    reply.header("location").map(Value::from)
}

/// Fills the parameters of a path template: `{org}`, `{pv}` with draft, and each id with what `id` says
/// for the collection before it, or with one that no object has.
pub fn fill_path(template: &str, org: u32, id: &dyn Fn(&str) -> Option<String>) -> String {
    let mut before = "";
    let mut out = Vec::new();
    for part in template.split('/') {
        out.push(match part {
            "{org}" => org.to_string(),
            "{pv}" => "draft".to_owned(),
            p if p.starts_with('{') => id(before).unwrap_or_else(|| nobody(before).to_owned()),
            p => p.to_owned(),
        });
        before = part;
    }
    out.join("/")
}

/// The kinds whose collection ends with a path segment.
pub fn kinds_of(segment: &str) -> impl Iterator<Item = Kind> {
    Kind::ALL.iter().copied().filter(move |k| k.collection().rsplit('/').next() == Some(segment))
}

/// An id that no object of a collection has.
pub fn nobody(segment: &str) -> &'static str {
    match kinds_of(segment).next().map(Kind::id_style) {
        Some(IdStyle::Uuid) => "00000000-0000-4000-8000-00000000f00d",
        Some(IdStyle::Text) => "nobody",
        _ if segment == "system_events" => "00000000-0000-4000-8000-00000000f00d",
        _ => "4000000001",
    }
}
