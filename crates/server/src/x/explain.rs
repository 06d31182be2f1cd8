//! `POST /orgs/:org/x/explain`: what happens to given flows, at each end, and why.
//!
//! The form of question and answer is kept stable: scripts rely on it.

use crate::compute::reasons::Names;
use crate::http::{Cx, Reply};
use crate::resource::refs;
use crate::world::World;
use bulkhead_api::ApiError;
use bulkhead_ids::{Id, Kind, PolicyVersion};
use bulkhead_model::{ByMode, Decision, EndDecision, Flow, FlowEnd, Mode};
use bulkhead_netset::{ProtoPorts, ServiceFields};
use http::StatusCode;
use rayon::prelude::*;
use serde_json::{Value, json};
use std::net::IpAddr;

/// Answers the flows of the body in their order.
pub(super) async fn explain(cx: &Cx) -> Result<Reply, ApiError> {
    let pv = super::version(cx, PolicyVersion::Draft)?;
    let flows = flows(&cx.world, cx.body.get("flows").unwrap_or(&Value::Null))?;
    let names = Names { org: cx.org, pv };
    let results = super::with_engine(cx, pv, move |engine| {
        let decided = flows.par_iter().map(|f| engine.explain(f)).collect::<Vec<_>>();
        decided.iter().map(|d| result(&names, d)).collect::<Vec<Value>>()
    })
    .await?;
    Ok(Reply::json(StatusCode::OK, &json!({"results": results})))
}

/// The flows of a request.
///
/// # Errors
/// `input_validation_error` that names the index of the first bad flow.
pub fn flows(world: &World, list: &Value) -> Result<Vec<Flow>, ApiError> {
    let list = list.as_array().map(Vec::as_slice).unwrap_or_default();
    let bad = |n: usize, why: Bad| ApiError::invalid(why.0, format!("flows[{n}]: {}", why.1));
    list.iter().enumerate().map(|(n, f)| flow(world, f).map_err(|r| bad(n, r))).collect()
}

/// What is wrong with a part of a request: token and reason.
pub struct Bad(pub &'static str, pub String);

impl Bad {
    fn input(reason: impl Into<String>) -> Self {
        Self("input_validation_error", reason.into())
    }

    /// The refusal, with the part named in front.
    pub fn at(self, part: &str) -> ApiError {
        ApiError::invalid(self.0, format!("`{part}`: {}", self.1))
    }
}

fn flow(world: &World, flow: &Value) -> Result<Flow, Bad> {
    let text = |name: &str| flow.get(name).and_then(Value::as_str).map(Into::into);
    let end = |name: &str| {
        end(world, flow.get(name).unwrap_or(&Value::Null))
            .map_err(|Bad(token, r)| Bad(token, format!("`{name}`: {r}")))
    };
    Ok(Flow {
        process: text("process_name"),
        windows_service: text("windows_service_name"),
        ..Flow::new(end("src")?, end("dst")?, service(flow)?)
    })
}

fn end(world: &World, end: &Value) -> Result<FlowEnd, Bad> {
    if let Some(ip) = end.get("ip").and_then(Value::as_str) {
        let ip: IpAddr = ip.parse().map_err(|_| Bad::input(format!("`{ip}` is no IP address")))?;
        return Ok(FlowEnd { workload: None, ip: Some(ip) });
    }
    let href = end.pointer("/workload/href").and_then(Value::as_str).unwrap_or_default();
    Ok(FlowEnd { workload: Some(workload(world, href)?), ip: None })
}

/// The workload that an href of this organisation names.
///
/// # Errors
/// What is wrong with the href, for a message.
pub fn workload(world: &World, href: &str) -> Result<Id, Bad> {
    match refs::find(world, href) {
        Ok((Kind::Workload, id)) => Ok(id),
        _ => Err(Bad("invalid_uri", format!("there is no workload `{href}`"))),
    }
}

const TCP: i64 = 6;
const UDP: i64 = 17;

fn service(flow: &Value) -> Result<ProtoPorts, Bad> {
    let int = |name: &str| flow.get(name).and_then(Value::as_i64);
    let proto = int("proto").unwrap_or(-1);
    if [TCP, UDP].contains(&proto) && int("port").is_none() {
        return Err(Bad::input("TCP and UDP need a `port`"));
    }
    let fields = ServiceFields {
        proto,
        port: int("port"),
        to_port: None,
        icmp_type: int("icmp_type"),
        icmp_code: int("icmp_code"),
    };
    ProtoPorts::from_fields(&fields).map_err(|e| {
        let detail = std::error::Error::source(&e).map(|s| format!(": {s}")).unwrap_or_default();
        Bad::input(format!("{e}{detail}"))
    })
}

fn result(names: &Names, decision: &Decision) -> Value {
    let near = decision.near_misses.iter();
    let near: Vec<Value> =
        near.map(|m| json!({"href": names.rule(m.rule), "reason": m.reason.as_str()})).collect();
    json!({
        "decision": decision.decision.as_str(),
        "source": shown(names, &decision.source),
        "destination": shown(names, &decision.destination),
        "near_misses": near,
    })
}

fn shown(names: &Names, end: &EndDecision) -> Value {
    let rules: Vec<Value> = end
        .rules
        .iter()
        .map(|(rule, effect)| json!({"href": names.rule(*rule), "effect": effect.as_str()}))
        .collect();
    json!({
        "workload": end.workload.map(|id| json!({"href": names.workload(id)})),
        "enforcement_mode": end.mode.map(Mode::as_str),
        "verdict": end.verdict.map(|v| v.as_str()),
        "by_mode": end.by_mode.map(by_mode),
        "rules": rules,
    })
}

fn by_mode(modes: ByMode) -> Value {
    json!({
        "visibility_only": modes.visibility_only.as_str(),
        "selective": modes.selective.as_str(),
        "full": modes.full.as_str(),
    })
}
