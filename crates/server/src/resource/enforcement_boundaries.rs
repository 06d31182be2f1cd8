//! Enforcement boundaries: deny statements without scope.

use super::refs::list;
use super::{Hooks, Predicate, rules, services};
use crate::http::Handler;
use crate::txn::Txn;
use crate::world::{Obj, Side, World};
use bulkhead_api::ApiError;
use serde_json::{Map, Value};

/// What EnforcementBoundary adds to the common mechanism.
pub const HOOKS: Hooks = Hooks { check: Some(check), filter: Some(filter), ..Hooks::NONE };

/// Handlers of the operations that are not standard.
pub fn handler(_id: &str) -> Option<Handler> {
    None
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
