//! `GET /orgs/:org/x/effect`: what provisioning everything that is pending would change.

use super::intent::{entries, hex};
use crate::compute::reasons::Names;
use crate::http::request::whole_number;
use crate::http::{Cx, Reply};
use bulkhead_api::{ApiError, limits};
use bulkhead_engine::Engine;
use bulkhead_engine::effect::{Comparison, Effect};
use bulkhead_ids::{Id, PolicyVersion};
use http::StatusCode;
use serde_json::{Value, json};

pub(super) async fn effect(cx: &Cx) -> Result<Reply, ApiError> {
    let number = |name: &str| cx.query(name).map(|text| whole_number(name, text)).transpose();
    let skip = number("skip")?.unwrap_or(0);
    let rows = number("max_results")?.unwrap_or(limits::LIST_ROWS_DEFAULT);
    let rows = rows.min(limits::LIST_ROWS_DEFAULT);
    let (app, world, org) = (cx.app.clone(), cx.world.clone(), cx.org);
    let shown = super::blocking(move || {
        app.compute.ask(&world, |sides| page(org, (&sides.active, &sides.draft), (skip, rows)))
    })
    .await?;
    Ok(Reply::json(StatusCode::OK, &shown))
}

fn page(org: u32, (active, draft): (&Engine, &Engine), (skip, rows): (usize, usize)) -> Value {
    let mut comparison = Comparison::new(active, draft);
    let affected = comparison.affected();
    let shown = affected.iter().skip(skip).take(rows);
    let workloads: Vec<Value> =
        shown.map(|id| workload(org, *id, &comparison.on(*id), (active, draft))).collect();
    json!({"workloads_affected": affected.len(), "skip": skip, "workloads": workloads})
}

fn workload(org: u32, id: Id, effect: &Effect, (active, draft): (&Engine, &Engine)) -> Value {
    let lists = |pv, engine: &Engine, [inbound, outbound]: &[Vec<_>; 2]| {
        let names = Names { org, pv };
        let list = |list: &[std::sync::Arc<_>]| entries(&names, engine, list.iter().map(|e| &**e));
        json!({"inbound": list(inbound), "outbound": list(outbound)})
    };
    json!({
        "workload": {"href": Names { org, pv: PolicyVersion::Draft }.workload(id)},
        "added": lists(PolicyVersion::Draft, draft, &effect.added),
        "removed": lists(PolicyVersion::Active, active, &effect.removed),
        "sets_changed": effect.sets.iter().map(|s| Value::from(hex(s.0))).collect::<Vec<_>>(),
    })
}
