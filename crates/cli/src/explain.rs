//! Verdicts on connections: check, explain, expectations, rule search and coverage.

use crate::context::Context;
use crate::error::{Failure, Result, code};
use crate::noun::body;
use crate::output::Printer;
use bulkhead_sdk::{Pce, convert_protocol};
use serde_json::{Value, json};

/// A connection and the side of the policy that is asked.
pub(crate) struct Query {
    source: String,
    destination: String,
    port: Option<i32>,
    proto: i32,
    side: &'static str,
}

impl Query {
    /// `port` is `443/tcp`, or a protocol alone.
    pub(crate) fn new(source: &str, destination: &str, port: &str, draft: bool) -> Result<Self> {
        let (port, proto) = match port.split_once('/') {
            Some((port, proto)) => {
                let number = port.parse().ok().filter(|n| (0..=bulkhead_sdk::PORT_MAX).contains(n));
                let wrong = || Failure::usage(format!("`{port}` is no port; write 443/tcp"));
                (Some(number.ok_or_else(wrong)?), proto)
            }
            None => (None, port),
        };
        let side = if draft { "draft" } else { "active" };
        let (source, destination) = (source.to_owned(), destination.to_owned());
        Ok(Self { source, destination, port, proto: convert_protocol(proto)?, side })
    }

    fn flow(&self) -> Value {
        let end = |text: &str| match text.starts_with('/') {
            true => json!({"workload": {"href": text}}),
            false => json!({ "ip": text }),
        };
        let mut flow =
            json!({"src": end(&self.source), "dst": end(&self.destination), "proto": self.proto});
        if let (Some(port), Value::Object(map)) = (self.port, &mut flow) {
            map.insert("port".to_owned(), json!(port));
        }
        flow
    }
}

/// The results of flows, in order.
async fn ask(pce: &Pce, side: &str, flows: &[Value]) -> Result<Vec<Value>> {
    let body = json!({"pversion": side, "flows": flows});
    let answer: Value = pce.post("/x/explain").json(&body).await?.json()?;
    match answer.get("results").and_then(Value::as_array) {
        Some(results) if results.len() == flows.len() => Ok(results.clone()),
        _ => Err(Failure::failed("the server did not answer for every connection")),
    }
}

fn decision(result: &Value) -> &str {
    result.get("decision").and_then(Value::as_str).unwrap_or("unknown")
}

/// The verdict that a decision comes down to.
fn verdict(decision: &str) -> &'static str {
    match decision {
        d if d.starts_with("potentially_blocked") => "potentially_blocked",
        d if d.starts_with("blocked") => "blocked",
        d if d.starts_with("allowed") => "allowed",
        _ => "unknown",
    }
}

fn exit(decision: &str) -> Result {
    match verdict(decision) {
        "allowed" => Ok(()),
        "blocked" => Err(Failure::Code(code::BLOCKED)),
        "potentially_blocked" => Err(Failure::Code(code::POTENTIALLY_BLOCKED)),
        _ => Err(Failure::failed("there is no verdict on this connection")),
    }
}

pub(crate) async fn check(cx: &Context, pce: &Pce, query: &Query) -> Result {
    let result = ask(pce, query.side, &[query.flow()]).await?.pop().unwrap_or_default();
    let shown = json!({"decision": decision(&result)});
    Printer::new(&cx.style, &["decision"]).object(&shown)?;
    exit(decision(&result))
}

pub(crate) async fn explain(cx: &Context, pce: &Pce, query: &Query) -> Result {
    let result = ask(pce, query.side, &[query.flow()]).await?.pop().unwrap_or_default();
    Printer::new(&cx.style, &["decision", "source", "destination", "near_misses"]).object(&result)
}

pub(crate) async fn test(cx: &Context, pce: &Pce, file: &str, draft: bool) -> Result {
    let Value::Array(cases) = body::parse(file, &body::text(file)?)? else {
        return Err(Failure::usage(format!("{file} holds no list of expectations")));
    };
    let mut flows = Vec::new();
    for (n, case) in cases.iter().enumerate() {
        let text = |name: &str| {
            let missing =
                || Failure::usage(format!("{file}: expectation {n} has no text `{name}`"));
            case.get(name).and_then(Value::as_str).ok_or_else(missing)
        };
        if !["allowed", "blocked", "potentially_blocked"].contains(&text("expect")?) {
            return Err(Failure::usage(format!("{file}: expectation {n} expects no verdict")));
        }
        flows.push(Query::new(text("from")?, text("to")?, text("port")?, draft)?.flow());
    }
    let side = if draft { "draft" } else { "active" };
    let results = ask(pce, side, &flows).await?;
    let mut printer =
        Printer::new(&cx.style, &["pass", "from", "to", "port", "expect", "decision"]);
    let mut failed = 0;
    for (case, result) in cases.into_iter().zip(&results) {
        let pass = case.get("expect").and_then(Value::as_str) == Some(verdict(decision(result)));
        failed += usize::from(!pass);
        let mut row = json!({"pass": pass, "decision": decision(result)});
        if let (Value::Object(row), Value::Object(case)) = (&mut row, case) {
            row.extend(case);
        }
        printer.row(&row)?;
    }
    printer.finish()?;
    match failed {
        0 => Ok(()),
        n => Err(Failure::failed(format!("{n} of {} expectations fail", results.len()))),
    }
}

/// Rules that match a search in the form of the API; a server answers with a list, or one for each kind.
pub(crate) async fn search(cx: &Context, pce: &Pce, side: &str, body: &Value) -> Result {
    let path = format!("/sec_policy/{side}/rule_search");
    let found: Value = pce.post(&path).json(body).await?.json()?;
    let lists: Vec<(&str, &Value)> = match &found {
        Value::Object(kinds) => kinds.iter().map(|(kind, list)| (kind.as_str(), list)).collect(),
        list => vec![("sec_rules", list)],
    };
    let columns =
        ["kind", "rule_set", "providers", "consumers", "ingress_services", "enabled", "href"];
    let mut printer = Printer::new(&cx.style, &columns);
    for (kind, list) in lists {
        for rule in list.as_array().into_iter().flatten() {
            let mut row = rule.clone();
            if let Value::Object(row) = &mut row {
                row.insert("kind".to_owned(), json!(kind));
            }
            printer.row(&row)?;
        }
    }
    printer.finish()
}

/// Which rules cover connections, in the form of the API.
pub(crate) async fn coverage(cx: &Context, pce: &Pce, side: &str, body: &Value) -> Result {
    let path = format!("/sec_policy/{side}/rule_coverage");
    let found: Value = pce.post(&path).json(body).await?.json()?;
    Printer::new(&cx.style, &["edges", "rules"]).object(&found)
}
