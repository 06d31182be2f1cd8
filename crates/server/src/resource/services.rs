//! Services: ports, protocols and processes with a name.

use super::refs::list;
use super::{Hooks, Predicate, bulk, ports};
use crate::doc::Val;
use crate::http::{Handler, standard::boxed};
use crate::txn::Txn;
use crate::world::{Obj, Side, World};
use bulkhead_api::ApiError;
use bulkhead_ids::Kind;
use serde_json::{Map, Value, json};

/// What Service adds to the common mechanism.
pub const HOOKS: Hooks =
    Hooks { check: Some(check), deletable: Some(deletable), filter: Some(filter), ..Hooks::NONE };

/// Handlers of the operations that are not standard.
pub fn handler(id: &str) -> Option<Handler> {
    match id {
        "services_delete" => Some(|cx| boxed(bulk::delete(cx, Kind::Service))),
        _ => None,
    }
}

fn deletable(_: &Txn<'_>, obj: &Obj) -> Result<(), ApiError> {
    changeable(obj)
}

/// Refuses changes of the built-in service.
fn changeable(obj: &Obj) -> Result<(), ApiError> {
    if obj.doc.is("_builtin") {
        let message = "this service is built in and stays as it is";
        return Err(ApiError::invalid("service_referenced", message));
    }
    Ok(())
}

fn check(_: &mut Txn<'_>, doc: &mut Map<String, Value>, old: Option<&Obj>) -> Result<(), ApiError> {
    if let Some(old) = old {
        changeable(old)?;
    }
    for field in ["service_ports", "windows_services"] {
        ports::check_entries(list(doc, field), field)?;
    }
    // Entries of ICMP show both members in every answer.
    if let Some(Value::Array(entries)) = doc.get_mut("service_ports") {
        for entry in entries.iter_mut().filter_map(Value::as_object_mut) {
            if matches!(entry.get("proto").and_then(Value::as_i64), Some(1 | 58)) {
                entry.entry("icmp_type").or_insert(Value::Null);
                entry.entry("icmp_code").or_insert(Value::Null);
            }
        }
    }
    if let Some(risk) = doc.get_mut("risk_details") {
        let complete = risk.get("ransomware").filter(|r| {
            ["category", "severity", "os_platforms"].iter().all(|name| r.get(name).is_some())
        });
        *risk = json!({"ransomware": complete});
    }
    Ok(())
}

/// Whether an entry of a service covers a port; -1 asks for entries without a port.
pub fn covers(entry: &Val, wanted: i64) -> bool {
    match entry.int("port") {
        None => wanted == -1,
        Some(first) => (first..=entry.int("to_port").unwrap_or(first)).contains(&wanted),
    }
}

fn entries(service: &Obj) -> impl Iterator<Item = &Val> {
    let windows = service.doc.list("windows_services");
    service.doc.list("service_ports").iter().chain(windows)
}

fn filter(_: &World, _: Side, name: &str, value: &str) -> Result<Predicate, ApiError> {
    let number =
        || value.parse::<i64>().map_err(|_| ApiError::input(format!("`{name}` is a whole number")));
    Ok(match name {
        "port" => {
            let wanted = number()?;
            if !(-1..=65_535).contains(&wanted) {
                return Err(ApiError::input("`port` is -1 to 65535"));
            }
            Box::new(move |_, o| entries(o).any(|e| covers(e, wanted)))
        }
        "proto" => {
            let wanted = number()?;
            Box::new(move |_, o| entries(o).any(|e| e.int("proto") == Some(wanted)))
        }
        "is_ransomware" => {
            let wanted = super::list::boolean(name, value)?;
            let rated = |o: &Obj| {
                let risk = o.doc.get("risk_details").and_then(|r| r.get("ransomware"));
                risk.is_some_and(|r| *r != Val::Null)
            };
            Box::new(move |_, o| rated(o) == wanted)
        }
        // Protection is worked out from agents; without any there is nothing to add.
        _ => {
            super::list::boolean(name, value)?;
            Box::new(|_, _| true)
        }
    })
}
