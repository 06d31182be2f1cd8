//! Virtual services: services with labels of their own.

use super::refs::{list, users};
use super::{Hooks, bulk, labels, ports};
use crate::http::{Handler, standard::boxed};
use crate::render::{Out, View};
use crate::txn::Txn;
use crate::world::Obj;
use bulkhead_api::ApiError;
use bulkhead_ids::Kind;
use serde_json::{Map, Value, json};

/// What VirtualService adds to the common mechanism.
pub const HOOKS: Hooks = Hooks { check: Some(check), usage: Some(usage), ..Hooks::NONE };

/// Handlers of the operations that are not standard.
pub fn handler(id: &str) -> Option<Handler> {
    match id {
        "virtual_services_bulk_create" => Some(|cx| boxed(bulk::create(cx, Kind::VirtualService))),
        "virtual_services_bulk_update" => Some(|cx| boxed(bulk::update(cx, Kind::VirtualService))),
        _ => None,
    }
}

fn check(
    txn: &mut Txn<'_>,
    doc: &mut Map<String, Value>,
    old: Option<&Obj>,
) -> Result<(), ApiError> {
    // The schema lets a body name one of the two: the other one is left from before.
    if doc.contains_key("service") && doc.contains_key("service_ports") {
        let before = old.is_some_and(|o| o.doc.get("service").is_some());
        doc.remove(if before { "service" } else { "service_ports" });
    }
    labels::one_per_key(&txn.world, doc, "labels")?;
    for (n, entry) in list(doc, "service_ports").iter().enumerate() {
        let int = |name: &str| entry.get(name).and_then(Value::as_i64);
        // -1 is any port.
        let port = int("port").filter(|p| *p != -1);
        ports::check_range(port, int("to_port"), &format!("service_ports[{n}]"))?;
    }
    Ok(())
}

fn usage(view: &View<'_>, obj: &Obj, out: &mut Out<'_>) {
    let kinds: Vec<Kind> = users(view.world, obj.kind, obj.id).map(|(k, _)| k).collect();
    let flags = json!({
        "rule": kinds.contains(&Kind::SecRule),
        "service_binding": kinds.contains(&Kind::ServiceBinding),
    });
    out.member("usage", &flags);
}
