//! Every operation of the table against callers who may not call it, and the roles that may.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test that cannot go on fails"
)]

use bulkhead_api::{Action, Operation, Role, operations};
use bulkhead_testkit::stage::{Stage, fill_path, job, kinds_of};
use bulkhead_testkit::template::fill;
use bulkhead_testkit::{Client, Reply, assert_list};
use serde_json::{Value, json};
use std::collections::BTreeSet;

const PCE: &str = env!("CARGO_BIN_EXE_bulkhead-pce");

/// Objects that look the same in every organisation: their ids say nothing about whose they are.
const ALIKE: &[&str] = &["role", "sec_policy"];

/// What went wrong, by operation, and which operations were called.
#[derive(Default)]
struct Findings {
    wrong: Vec<(String, String)>,
    walked: BTreeSet<&'static str>,
}

impl Findings {
    /// The operations to call that pass a condition; all of them count as called.
    fn walk(&mut self, of: impl Fn(&Operation) -> bool) -> Vec<&'static Operation> {
        let all: Vec<&Operation> = operations().iter().filter(|o| of(o)).collect();
        self.walked.extend(all.iter().map(|o| o.id.as_str()));
        all
    }

    fn add(&mut self, op: &Operation, who: &str, reply: &Reply, want: &str) {
        let body: String = reply.text.chars().take(200).collect();
        let text = format!("{} {who}: {} {body}, expected {want}", op.path, reply.status);
        self.wrong.push((op.id.clone(), text));
    }

    #[track_caller]
    fn none(&self) {
        let lines: Vec<String> =
            self.wrong.iter().map(|(op, text)| format!("{op}: {text}")).collect();
        assert!(lines.is_empty(), "{} findings:\n{}", lines.len(), lines.join("\n"));
    }
}

/// Sends an operation with a body that is well-formed but may be refused later.
fn call(client: &Client, op: &Operation, path: &str) -> Reply {
    let body = op.request.as_ref().map(|schema| match schema["type"] == "array" {
        true => json!([]),
        false => json!({}),
    });
    client.send(op.method.as_str(), path, body.as_ref())
}

/// The path with ids that nothing has, in an organisation.
fn nobody_path(op: &Operation, org: u32) -> String {
    fill_path(&op.path.replace("/orgs/{id}", "/orgs/{org}"), org, &|_| None)
}

/// Whether an answer carries nothing but errors.
fn no_data(reply: &Reply) -> bool {
    match &reply.body {
        Value::Null => true,
        Value::Array(items) => {
            items.iter().all(|i| i.get("token").is_some() && i.get("href").is_none())
        }
        _ => false,
    }
}

/// A credential of every role in organisation 1, by way of service accounts.
fn credentials(owner: &Client) -> Vec<(Role, Client)> {
    let account = |role: &Role| {
        let body = json!({
            "name": format!("as {}", role.name()),
            "permissions": [{"role": {"href": format!("/orgs/1/roles/{}", role.name())}, "scope": []}],
            "api_key": {"expires_in_seconds": -1},
        });
        let made = owner.post("service_accounts", &body).expect(201);
        let text =
            |p: &str| made.body.pointer(p).and_then(Value::as_str).unwrap_or_default().to_owned();
        (*role, owner.with(&text("/api_key/auth_username"), &text("/api_key/secret")))
    };
    Role::ALL.iter().map(account).collect()
}

/// Every operation has a case without credentials, with each role, and from another organisation where it
/// is of one. Those without stand in a file, so that each is a decision.
#[test]
fn every_operation_refuses_whom_it_must() {
    let walks = [without_credentials, with_each_role, from_another_organisation];
    let found: Vec<Findings> = std::thread::scope(|s| {
        let all = walks.map(|walk| s.spawn(walk));
        all.into_iter().map(|w| w.join().unwrap()).collect()
    });
    found.iter().for_each(Findings::none);
    let of_one = |op: &Operation| op.path.starts_with("/orgs/{");
    let walked = |op: &&Operation| {
        let needed = if of_one(op) { &found[..] } else { &found[..2] };
        needed.iter().all(|f| f.walked.contains(op.id.as_str()))
    };
    let missing: Vec<&str> =
        operations().iter().filter(|o| !walked(o)).map(|o| o.id.as_str()).collect();
    assert_list("operations_without_permission_case.txt", &missing);
}

/// Without credentials nothing is answered.
fn without_credentials() -> Findings {
    let stage = Stage::empty(PCE);
    let base = stage.server.anonymous();
    let callers = [
        ("without credentials", base.clone()),
        ("with a wrong secret", base.with(stage.server.boot_str("api_key"), "x")),
        ("with an unknown key", base.with("api_1000000000000000f", "x")),
        ("with an unknown session", base.with("user_1", "x")),
    ];
    let mut found = Findings::default();
    for op in found.walk(|_| true) {
        for (who, client) in &callers {
            let reply = call(client, op, &nobody_path(op, 1));
            let ok = if op.access.anonymous { reply.status != 403 } else { reply.status == 401 };
            if !ok || reply.status >= 500 || reply.status == 401 && !no_data(&reply) {
                found.add(op, who, &reply, "401");
            }
        }
    }
    found
}

/// Each role may what the table says.
fn with_each_role() -> Findings {
    let stage = Stage::empty(PCE);
    let [owner, _] = &stage.owners;
    let roles = credentials(owner);
    let mut found = Findings::default();
    for op in found.walk(|_| true) {
        for (role, client) in &roles {
            let access = &op.access;
            let mut path = nobody_path(op, 1);
            if access.job_owner {
                path = job(owner).and_then(|j| j.as_str().map(str::to_owned)).unwrap_or(path);
            }
            let may = access.roles.has(*role) || access.authenticated || access.anonymous;
            let reply = call(client, op, &path);
            let refused = reply.status == 403
                || reply.status == 401 && !op.access.anonymous
                || reply.status >= 500;
            if may && refused {
                found.add(op, role.name(), &reply, "it may");
            } else if !may && (reply.status != 403 || !no_data(&reply)) {
                found.add(op, role.name(), &reply, "403");
            }
        }
    }
    found
}

/// What belongs to one user: that user may, others may not.
#[test]
fn users_call_what_is_their_own() {
    let stage = Stage::empty(PCE);
    let [owner, second] = &stage.owners;
    let users = owner.get("/users").expect(200);
    let id = users.body.as_array().into_iter().flatten().find_map(|u| {
        let own = u["username"].as_str() == Some(stage.server.boot_str("email"));
        own.then(|| u["href"].as_str()?.rsplit('/').next().map(str::to_owned)).flatten()
    });
    let id = id.expect("the owner among the users");
    let mut found = Findings::default();
    for op in found.walk(|o| o.access.this_user) {
        let path = fill_path(&op.path, 1, &|before| (before == "users").then(|| id.clone()));
        let reply = call(second, op, &path);
        if !matches!(reply.status, 403 | 404) || !no_data(&reply) {
            found.add(op, "another user", &reply, "403 or 404");
        }
        // A key cannot log out; the cases in `cases/api/users` do so with a session.
        if op.id == "users_logout" {
            continue;
        }
        let reply = call(owner, op, &path);
        if matches!(reply.status, 401 | 403 | 500..) {
            found.add(op, "the user", &reply, "it may");
        }
    }
    found.none();
}

/// The ids of what was made in one organisation, for paths.
fn ids_of<'a>(stage: &'a Stage, which: usize) -> impl Fn(&str) -> Option<String> + 'a {
    move |before| {
        let href = kinds_of(before).find_map(|k| stage.href(which, k.name()))?;
        href.rsplit('/').next().map(str::to_owned)
    }
}

/// Another organisation is out of reach.
fn from_another_organisation() -> Findings {
    let stage = Stage::seeded(PCE);
    let [owner, second] = &stage.owners;
    let mut found = Findings::default();
    for op in found.walk(|o| o.path.starts_with("/orgs/{")) {
        let template = op.path.replace("/orgs/{id}", "/orgs/{org}");
        // The path of organisation 1 with ids that exist there, and one of nobody's organisation.
        for path in
            [fill_path(&template, 1, &ids_of(&stage, 0)), fill_path(&template, 77, &|_| None)]
        {
            let reply = call(second, op, &path);
            if !matches!(reply.status, 403 | 404) || !no_data(&reply) {
                found.add(op, &format!("the other owner on {path}"), &reply, "403 or 404");
            }
        }
        // The own organisation's path with the other's id.
        let alike = op.kind.is_some_and(|k| ALIKE.contains(&k.name()));
        let path = fill_path(&template, 1, &ids_of(&stage, 1));
        if alike || path == nobody_path(op, 1) || !template.contains("id}") {
            continue;
        }
        let body = body_of(&stage, op);
        let reply = owner.send(op.method.as_str(), &path, body.as_ref());
        if !matches!(reply.status, 403 | 404) || !no_data(&reply) {
            found.add(op, &format!("the owner on {path}"), &reply, "404");
        }
    }
    // After all of this, nothing of either organisation has changed or gone.
    for (which, client) in stage.owners.iter().enumerate() {
        for seed in &stage.seeds {
            let Some(href) = stage.href(which, &seed.name) else { continue };
            let readable = operations()
                .iter()
                .any(|o| o.action == Action::Get && o.kind.is_some_and(|k| k.name() == seed.name));
            if readable && client.get(href).status != 200 {
                found.wrong.push((seed.name.clone(), format!("{href} is gone")));
            }
        }
    }
    found.wrong.extend(stage.failed.iter().map(|f| ("seeds".to_owned(), f.clone())));
    found
}

/// A body that the operation would accept for the object of organisation 2.
fn body_of(stage: &Stage, op: &Operation) -> Option<Value> {
    op.request.as_ref()?;
    let [_, vars] = &stage.made;
    let seed = stage.seeds.iter().find(|s| op.kind.is_some_and(|k| k.name() == s.name));
    match op.action {
        Action::Update => seed?.update.as_ref().map(|b| fill(b, vars)),
        Action::Create => seed.map(|s| fill(&s.body, vars)),
        _ => Some(match op.request.as_ref()?["type"] == "array" {
            true => json!([]),
            false => json!({}),
        }),
    }
}
