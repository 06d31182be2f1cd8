//! The cases in `cases/api`, one after the other on one real server.
//!
//! Each body that is accepted and names objects is also sent with another organisation's objects in
//! their place, one at a time, and must then be refused.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test that cannot go on fails"
)]

use bulkhead_api::operations;
use bulkhead_testkit::cases::{Auth, Case, Step, fits, load, operation};
use bulkhead_testkit::stage::{Stage, cases_dir, kinds_of};
use bulkhead_testkit::template::{Vars, fill};
use bulkhead_testkit::{Client, assert_list};
use serde_json::Value;
use std::collections::BTreeSet;

const PCE: &str = env!("CARGO_BIN_EXE_bulkhead-pce");

/// Operations on objects that nothing can make yet: agents come with pairing, events of the PCE itself
/// with failures. A case of their refusals is all there can be.
const OUT_OF_REACH: &[&str] = &["ven_get", "ven_update", "system_events_get"];

/// Runs the steps of a case until one is not answered as it must be.
fn run(
    case: &Case,
    client: &Client,
    mut vars: Vars,
    foreign: &Vars,
) -> Result<BTreeSet<String>, String> {
    let mut done = BTreeSet::new();
    for (n, step) in case.steps.iter().enumerate() {
        let fault = |text: String| format!("step {} ({} {}): {text}", n + 1, step.op, step.why);
        let path = step.full_path(client, &vars);
        if !fits(&operation(&step.op).path, &path) {
            return Err(fault(format!("{path} is not {}", operation(&step.op).path)));
        }
        if (200..300).contains(&step.status) {
            refuses_foreign(step, client, &vars, foreign).map_err(fault)?;
        }
        let mut reply = step.send(client, &vars).map_err(fault)?;
        for _ in 0..step.retries {
            if step.check(&reply, &vars).is_empty() {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(50));
            reply = step.send(client, &vars).map_err(fault)?;
        }
        let wrong = step.check(&reply, &vars);
        if !wrong.is_empty() {
            return Err(fault(wrong.join("; ")));
        }
        step.remember(&reply, &mut vars).map_err(fault)?;
        if reply.status < 300 || OUT_OF_REACH.contains(&step.op.as_str()) {
            done.insert(step.op.clone());
        }
    }
    Ok(done)
}

/// Sends the body of a step with each href replaced by that of organisation 2.
fn refuses_foreign(
    step: &Step,
    client: &Client,
    vars: &Vars,
    foreign: &Vars,
) -> Result<(), String> {
    let Some(body) = step.body.as_ref().map(|b| fill(b, vars)) else { return Ok(()) };
    if !step.foreign || !matches!(step.auth, Auth::Owner) {
        return Ok(());
    }
    let mut hrefs = Vec::new();
    places(&body, "", &mut hrefs);
    for (place, href) in hrefs {
        let Some(other) = counterpart(&href, foreign) else { continue };
        let mut changed = body.clone();
        if let Some(v) = changed.pointer_mut(&place) {
            *v = other.clone().into();
        }
        let reply = step.send_body(client, vars, Some(changed))?;
        let items = reply.body.as_array().map(Vec::as_slice).unwrap_or_default();
        let refused = match reply.status {
            // Some calls on many objects wrap the token in the message.
            406 => reply.text.contains("invalid_uri"),
            // Bulk calls answer for each item.
            200 => items
                .iter()
                .any(|i| i.get("token").or_else(|| i.pointer("/errors/0/token")).is_some()),
            _ => false,
        };
        if !refused {
            return Err(format!(
                "{place} with {other} of another organisation: {} {}",
                reply.status, reply.text
            ));
        }
    }
    Ok(())
}

/// The places of hrefs of organisation 1 in a body, as JSON pointers.
fn places(value: &Value, at: &str, out: &mut Vec<(String, String)>) {
    match value {
        Value::String(s) if s.starts_with("/orgs/1/") => out.push((at.to_owned(), s.clone())),
        Value::Array(list) => {
            list.iter().enumerate().for_each(|(n, v)| places(v, &format!("{at}/{n}"), out));
        }
        Value::Object(map) => map.iter().for_each(|(k, v)| places(v, &format!("{at}/{k}"), out)),
        _ => {}
    }
}

/// The object of organisation 2 of the same kind.
fn counterpart(href: &str, foreign: &Vars) -> Option<String> {
    let mut parts = href.rsplit('/');
    let id = parts.next()?;
    let collection = parts.next()?;
    if collection == "roles" {
        return Some(format!("/orgs/2/roles/{id}"));
    }
    let of = |kind: bulkhead_ids::Kind| foreign.get(kind.name())?.as_str().map(str::to_owned);
    kinds_of(collection).find_map(of)
}

#[test]
fn every_case_is_answered_as_it_says() {
    let stage = Stage::seeded(PCE);
    let [owner, _] = &stage.owners;
    let [own, foreign] = &stage.made;
    // What the seeds made is provisioned, so that a case that reverts all that is pending leaves it.
    owner.post("sec_policy", &serde_json::json!({"update_description": "seeds"})).expect(201);
    let mut vars: Vars = own.iter().map(|(k, v)| (format!("seed.{k}"), v.clone())).collect();
    for name in ["email", "password", "api_key", "api_secret"] {
        vars.insert(name.to_owned(), stage.server.boot_str(name).into());
    }
    let cases = load(&cases_dir().join("api"));
    assert!(!cases.is_empty());
    let (mut covered, mut wrong) = (BTreeSet::new(), Vec::new());
    for (file, case) in &cases {
        match run(case, owner, vars.clone(), foreign) {
            Ok(done) => covered.extend(done),
            Err(e) => wrong.push(format!("{} ({}): {e}", file.display(), case.title)),
        }
    }
    assert!(wrong.is_empty(), "{} of {} cases:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
    let missing: Vec<&str> =
        operations().iter().map(|o| o.id.as_str()).filter(|id| !covered.contains(*id)).collect();
    assert_list("operations_without_golden_case.txt", &missing);
}
