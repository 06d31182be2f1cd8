//! Enforcement boundaries: deny statements without scope.

use super::refs::list;
use super::{Hooks, Predicate, rules, services};
use crate::http::{Cx, Handler, Reply};
use crate::txn::Txn;
use crate::world::{Obj, Side, World};
use bulkhead_api::ApiError;
use bulkhead_ids::Kind;
use http::StatusCode;
use serde_json::{Map, Value, json};

/// What EnforcementBoundary adds to the common mechanism.
pub const HOOKS: Hooks = Hooks { check: Some(check), filter: Some(filter), ..Hooks::NONE };

/// Handlers of the operations that are not standard.
pub fn handler(id: &str) -> Option<Handler> {
    match id {
        "enforcement_boundaries_has_any" => Some(|cx| Box::pin(has_any(cx))),
        _ => None,
    }
}

async fn has_any(cx: &Cx) -> Result<Reply, ApiError> {
    let (world, side) = (cx.world().await?, cx.side()?);
    let any = world.objects(side, Kind::EnforcementBoundary).next().is_some();
    Ok(Reply::json(StatusCode::OK, &json!({"has_any": any})))
}

fn check(txn: &mut Txn<'_>, doc: &mut Map<String, Value>, _: Option<&Obj>) -> Result<(), ApiError> {
    if list(doc, "ingress_services").is_empty() {
        let message = "a boundary needs at least one of ingress_services";
        return Err(ApiError::invalid("ingress_services_required", message));
    }
    rules::check(txn, doc)
}

/// `service_ports.port`: boundaries with an inline service that covers the port.
fn filter(_: &World, _: Side, name: &str, value: &str) -> Result<Predicate, ApiError> {
    let port: u16 =
        value.parse().map_err(|_| ApiError::input(format!("`{name}` is a port, 0 to 65535")))?;
    Ok(Box::new(move |_, o| {
        o.doc.list("ingress_services").iter().any(|e| services::covers(e, port.into()))
    }))
}
