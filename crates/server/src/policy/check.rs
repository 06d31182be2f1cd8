//! Policy check: which rules concern a flow.
//!
//! Source: REST API 25.2, `sec_policy/{pv}/allow` and `policy_check`. A rule counts when it matches at either
//! end, whatever else matches there.

use super::search::{list_of, rules_json};
use crate::compute::reasons::Names;
use crate::http::{Cx, Reply};
use crate::render::View;
use crate::x::{explain, with_engine};
use bulkhead_api::ApiError;
use bulkhead_engine::search::Found;
use bulkhead_ids::{AnyHref, Kind};
use bulkhead_model::{Direction, EssentialRule, Flow, FlowEnd, RuleRef, Snapshot};
use bulkhead_netset::{ProtoPorts, ServiceFields};
use http::StatusCode;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// What a check asks: the flow's ends, and its protocol and port or the service.
struct Asked {
    src: FlowEnd,
    dst: FlowEnd,
    service: Service,
}

enum Service {
    Entry(ProtoPorts),
    Object(bulkhead_ids::Id),
}

fn end(cx: &Cx, side: &str) -> Result<FlowEnd, ApiError> {
    for kind in ["container_workload", "kubernetes_workload"] {
        if cx.query(&format!("{side}_{kind}")).is_some() {
            let message = format!("`{side}_{kind}`: there are none on this server");
            return Err(ApiError::input(message));
        }
    }
    let (workload, ip) = (format!("{side}_workload"), format!("{side}_external_ip"));
    match (cx.query(&workload), cx.query(&ip)) {
        (Some(href), None) => {
            let id = explain::workload(&cx.world, href);
            let id = id.map_err(|bad| bad.at(&workload))?;
            Ok(FlowEnd { workload: Some(id), ip: None })
        }
        (None, Some(text)) => {
            let bad = |_| ApiError::input(format!("`{ip}`: `{text}` is no IP address"));
            Ok(FlowEnd { workload: None, ip: Some(text.parse().map_err(bad)?) })
        }
        _ => Err(ApiError::input(format!("give one of `{workload}` and `{ip}`"))),
    }
}

fn service(cx: &Cx) -> Result<Service, ApiError> {
    let number = |name: &str| -> Result<Option<i64>, ApiError> {
        let Some(text) = cx.query(name) else { return Ok(None) };
        let value = text.parse::<i64>();
        value.map(Some).map_err(|_| ApiError::input(format!("`{name}` is a number")))
    };
    if let Some(href) = cx.query("service") {
        let parsed = href.parse::<AnyHref>().ok();
        let here = parsed.filter(|h| h.kind == Kind::Service && h.org == Some(cx.org));
        let id = here.map(|h| h.id).filter(|id| cx.world.row(Kind::Service, *id).is_some());
        let missing = || ApiError::input(format!("`service`: there is no service `{href}`"));
        return id.map(Service::Object).ok_or_else(missing);
    }
    let missing = || ApiError::input("give `protocol` with `port`, or `service`");
    let fields = ServiceFields {
        proto: number("protocol")?.ok_or_else(missing)?,
        port: number("port")?.filter(|p| *p != -1),
        ..ServiceFields::default()
    };
    let entry = ProtoPorts::from_fields(&fields);
    entry.map(Service::Entry).map_err(|e| ApiError::input(format!("`protocol`, `port`: {e}")))
}

fn flows(asked: &Asked, snapshot: &Snapshot) -> Vec<Flow> {
    let flow = |service| Flow::new(asked.src, asked.dst, service);
    match &asked.service {
        Service::Entry(entry) => vec![flow(*entry)],
        Service::Object(id) => {
            let service = snapshot.services.get(id);
            let entries = service.into_iter().flat_map(|s| &s.entries);
            entries.flat_map(|e| e.ports.entries()).map(flow).collect()
        }
    }
}

/// The rules that concern the flow which the query asks for, in the lists of the answer.
async fn found(cx: &Cx) -> Result<[Vec<u8>; 4], ApiError> {
    let asked = Asked { src: end(cx, "src")?, dst: end(cx, "dst")?, service: service(cx)? };
    let brn = match cx.query("network_type") {
        None | Some("brn" | "any") => true,
        Some("non_brn") => false,
        Some(other) => {
            let message = format!("`network_type`: `{other}` is none of brn, non_brn, any");
            return Err(ApiError::input(message));
        }
    };
    let (pv, side) = (cx.pv()?, cx.side()?);
    let rules: BTreeSet<Found> = with_engine(cx, pv, move |engine| {
        // Servers are on the corporate network: nothing of theirs is for another one.
        let flows = flows(&asked, engine.snapshot()).into_iter().filter(|_| brn);
        flows.flat_map(|flow| engine.matching(&flow)).map(|(_, rule)| Found::Rule(rule)).collect()
    })
    .await?;
    let world = cx.world().await?;
    let caps = [Kind::SecRule, Kind::DenyRule].map(|kind| cx.caps(kind));
    let [allow, deny] = caps.map(|caps| View { world: &world, pv, caps, usage: false });
    let mut lists: [Vec<u8>; 4] = Default::default();
    for found in &rules {
        let n = list_of(&world, side, found);
        let view = if n == 0 { &allow } else { &deny };
        rules_json(&mut lists, n, view, (side, found));
    }
    Ok(lists)
}

/// The allow rules, as a list.
pub(super) async fn allow(cx: &Cx) -> Result<Reply, ApiError> {
    let [allow, ..] = found(cx).await?;
    Ok(Reply::ok([b"[", &*allow, b"]"].concat()))
}

/// The rules of each effect.
pub(super) async fn policy_check(cx: &Cx) -> Result<Reply, ApiError> {
    let [allow, deny, overriding, _] = found(cx).await?;
    let body = [
        &b"{\"sec_rules\":["[..],
        &allow,
        b"],\"deny_rules\":[",
        &deny,
        b"],\"override_deny_rules\":[",
        &overriding,
        b"]}",
    ];
    Ok(Reply::ok(body.concat()))
}

/// The built-in rules above all others, which are the same in every version.
pub(super) async fn essential(cx: &Cx) -> Result<Reply, ApiError> {
    let names = Names { org: cx.org, pv: cx.pv()? };
    let rule = |(id, rule): (&bulkhead_ids::Id, &std::sync::Arc<EssentialRule>)| {
        let direction = match rule.direction {
            Direction::Inbound => "inbound",
            Direction::Outbound => "outbound",
        };
        let services = rule.services.entries().map(|e| e.to_string());
        json!({
            "href": names.rule(RuleRef::Essential(*id)),
            "name": &*rule.name,
            "direction": direction,
            "services": services.collect::<Vec<String>>(),
        })
    };
    let rules: Vec<Value> = EssentialRule::standard(None).iter().map(rule).collect();
    Ok(Reply::json(StatusCode::OK, &rules.into()))
}
