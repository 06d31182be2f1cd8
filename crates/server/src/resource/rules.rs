//! What allow rules, deny rules and enforcement boundaries check alike.

use super::refs::list;
use super::{crud, ports};
use crate::txn::Txn;
use bulkhead_api::{Action, ApiError, operations};
use bulkhead_ids::Kind;
use bulkhead_store::UpdateType;
use serde_json::{Map, Value, json};

type Body = Map<String, Value>;

/// The two lists of actors.
pub const SIDES: [&str; 2] = ["providers", "consumers"];

/// What an actor entry selects by: the name of its only member beside `exclusion`.
pub fn selector(entry: &Value) -> &str {
    let members = entry.as_object().into_iter().flatten();
    members.map(|(k, _)| k.as_str()).find(|k| *k != "exclusion").unwrap_or_default()
}

/// Checks actors, services and network type of a rule; entries for services by their external reference
/// become references.
///
/// # Errors
/// 406 with the token of the check that failed.
pub fn check(txn: &mut Txn<'_>, doc: &mut Body) -> Result<(), ApiError> {
    for side in SIDES {
        for (n, entry) in list(doc, side).iter().enumerate() {
            let excluded = entry.get("exclusion").is_some_and(|v| *v == true);
            let name = selector(entry);
            if excluded && !matches!(name, "label" | "label_group") {
                let message = format!("{side}[{n}]: only labels and label groups can be excluded");
                return Err(ApiError::input(message));
            }
        }
    }
    services(txn, doc)?;
    let network = doc.get("network_type").and_then(Value::as_str).unwrap_or("brn");
    let by_list = SIDES.iter().any(|s| list(doc, s).iter().any(|e| selector(e) == "ip_list"));
    if network != "brn" && !by_list {
        return Err(ApiError::invalid(
            "non_brn_must_use_ip_list",
            format!("with network_type `{network}` one side must be an IP list"),
        ));
    }
    Ok(())
}

fn services(txn: &mut Txn<'_>, doc: &mut Body) -> Result<(), ApiError> {
    let Some(Value::Array(entries)) = doc.get_mut("ingress_services") else { return Ok(()) };
    for (n, entry) in entries.iter_mut().enumerate() {
        if entry.get("href").is_some() {
            continue;
        }
        if entry.get("external_data_set").is_some() {
            *entry = external(txn, entry)?;
        } else {
            ports::check_entry(entry, &format!("ingress_services[{n}]"))?;
        }
    }
    Ok(())
}

/// Refuses to create an object on the side that the caller could not create by itself.
fn may_create(txn: &Txn<'_>, kind: Kind) -> Result<(), ApiError> {
    let post = operations().iter().find(|o| o.kind == Some(kind) && o.action == Action::Create);
    let allowed = |roles| post.is_some_and(|o| o.access.roles.meets(roles));
    if txn.origin.roles.is_none_or(allowed) {
        return Ok(());
    }
    let name = kind.name();
    Err(ApiError::Forbidden(format!(
        "no {name} has this external reference, and your roles make none"
    )))
}

/// The service with the external reference of an entry, made where there is none.
fn external(txn: &mut Txn<'_>, entry: &Value) -> Result<Value, ApiError> {
    let text = |name: &str| entry.get(name).and_then(Value::as_str).unwrap_or_default();
    let (set, reference) = (text("external_data_set"), text("external_data_reference"));
    let service = match txn.world.by_external(Kind::Service, set, reference) {
        Some(id) => {
            let row = txn.world.row(Kind::Service, id);
            let row = row.filter(|r| r.pending != Some(UpdateType::Delete));
            row.and_then(|r| r.draft.clone()).ok_or_else(|| {
                let message = format!("the service `{set}`, `{reference}` is pending deletion");
                ApiError::invalid("reference_not_found", message)
            })?
        }
        None => {
            may_create(txn, Kind::Service)?;
            let body = entry.as_object().cloned().unwrap_or_default();
            crud::create(txn, Kind::Service, None, body)?
        }
    };
    Ok(json!({"href": crate::audit::href_of(&txn.world, &service).to_string()}))
}
