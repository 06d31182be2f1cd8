//! Service bindings: workloads bound to virtual services.

use super::refs::{list, target};
use super::{Hooks, bulk, crud, ports};
use crate::doc;
use crate::http::{Cx, Handler, Reply, standard::boxed};
use crate::render::{Out, View};
use crate::txn::Txn;
use crate::world::{Obj, Side};
use bulkhead_api::ApiError;
use bulkhead_ids::{Id, Kind, PolicyVersion};
use bulkhead_store::UpdateType;
use http::StatusCode;
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// What ServiceBinding adds to the common mechanism.
pub const HOOKS: Hooks = Hooks { check: Some(check), derive: Some(derive), ..Hooks::NONE };

/// Handlers of the operations that are not standard.
pub fn handler(id: &str) -> Option<Handler> {
    match id {
        "service_binding_create" => Some(|cx| boxed(create(cx))),
        "service_bindings_delete" => Some(|cx| boxed(bulk::delete(cx, Kind::ServiceBinding))),
        _ => None,
    }
}

/// Creates all bindings of the body or none.
async fn create(cx: &Cx) -> Result<Reply, ApiError> {
    let (made, world) = cx
        .write("service_binding.create", |txn| {
            let bodies = cx.items().iter().map(|b| b.as_object().cloned().unwrap_or_default());
            bodies
                .map(|b| crud::create(txn, Kind::ServiceBinding, None, b))
                .collect::<Result<Vec<Arc<Obj>>, ApiError>>()
        })
        .await?;
    let outcomes = made
        .iter()
        .map(|o| bulk::Outcome {
            href: Some(crate::audit::href_of(&world, o).to_string()),
            error: None,
            malformed: false,
        })
        .collect();
    Ok(Reply::json(StatusCode::CREATED, &bulk::answer(bulk::Deed::Create, outcomes)))
}

fn check(txn: &mut Txn<'_>, doc: &mut Map<String, Value>, _: Option<&Obj>) -> Result<(), ApiError> {
    let world = &txn.world;
    let named = |name: &str| doc.get(name).and_then(target);
    let (Some(service), Some(workload)) = (named("virtual_service"), named("workload")) else {
        return Err(ApiError::input("a binding needs `virtual_service` and `workload`"));
    };
    let row = world.row(service.0, service.1);
    if !row.is_some_and(|r| r.active.is_some() && r.pending != Some(UpdateType::Delete)) {
        let message = "provision the virtual service before you bind workloads to it";
        return Err(ApiError::invalid("virtual_service_not_provisioned", message));
    }
    let mut bound = world.referrers_of(Side::Draft, workload, Kind::ServiceBinding);
    let same = |id: Id| {
        let binding = world.get(Kind::ServiceBinding, id);
        binding.and_then(|b| b.doc.get("virtual_service")?.target()) == Some(service)
    };
    if bound.any(same) {
        let message = "the workload is bound to this virtual service already";
        return Err(ApiError::invalid("service_binding_already_exists", message));
    }
    for (n, entry) in list(doc, "port_overrides").iter().enumerate() {
        let int = |name: &str| entry.get(name).and_then(Value::as_i64);
        ports::check_range(int("new_port"), int("new_to_port"), &format!("port_overrides[{n}]"))?;
    }
    Ok(())
}

/// Answers name the virtual service a second time, as the schema of answers does.
fn derive(view: &View<'_>, obj: &Obj, out: &mut Out<'_>) {
    if let Some((kind, id)) = obj.doc.get("virtual_service").and_then(|v| v.target()) {
        let href = doc::href(view.world.org, PolicyVersion::Active, kind, id).to_string();
        out.member("bound_service", &json!({"href": href}));
    }
}

/// Removes the bindings of a workload that is being deleted.
///
/// # Errors
/// As [`crud::delete`].
pub fn unbind_workload(txn: &mut Txn<'_>, workload: Id) -> Result<(), ApiError> {
    let node = (Kind::Workload, workload);
    let bound: Vec<Arc<Obj>> = txn
        .world
        .referrers_of(Side::Draft, node, Kind::ServiceBinding)
        .filter_map(|id| txn.world.get(Kind::ServiceBinding, id).cloned())
        .collect();
    bound.iter().try_for_each(|binding| crud::delete(txn, binding))
}
