//! IP lists: addresses, ranges and names of hosts.

use super::refs::list;
use super::{Hooks, Predicate, bulk};
use crate::doc::Val;
use crate::http::{Handler, standard::boxed};
use crate::txn::Txn;
use crate::world::{Obj, Side, World};
use bulkhead_api::{ApiError, limits};
use bulkhead_ids::Kind;
use bulkhead_netset::{IpRange, IpSet, IpSetBuilder};
use serde_json::{Map, Value};

/// What IpList adds to the common mechanism.
pub const HOOKS: Hooks =
    Hooks { check: Some(check), deletable: Some(deletable), filter: Some(filter), ..Hooks::NONE };

/// Handlers of the operations that are not standard.
pub fn handler(id: &str) -> Option<Handler> {
    match id {
        "ip_lists_delete" => Some(|cx| boxed(bulk::delete(cx, Kind::IpList))),
        _ => None,
    }
}

fn deletable(_: &Txn<'_>, obj: &Obj) -> Result<(), ApiError> {
    changeable(obj)
}

/// Refuses changes of the built-in list.
fn changeable(obj: &Obj) -> Result<(), ApiError> {
    if obj.doc.is("_builtin") {
        let message = "this IP list is built in and stays as it is";
        return Err(ApiError::invalid("ip_list_referenced", message));
    }
    Ok(())
}

fn check(_: &mut Txn<'_>, doc: &mut Map<String, Value>, old: Option<&Obj>) -> Result<(), ApiError> {
    if let Some(old) = old {
        changeable(old)?;
    }
    if doc.get("ip_list_attribute_id").is_some_and(|v| !v.is_null()) {
        let message = "no IP list attribute has this id";
        return Err(ApiError::invalid("ip_list_attribute_not_found", message));
    }
    let ranges = list(doc, "ip_ranges");
    if ranges.len() + list(doc, "fqdns").len() > limits::IP_LIST_ENTRIES_MAX {
        let message = format!("an IP list has at most {} entries", limits::IP_LIST_ENTRIES_MAX);
        return Err(ApiError::input(message));
    }
    let mut set = IpSetBuilder::new();
    for (n, entry) in ranges.iter().enumerate() {
        let text = |name: &str| entry.get(name).and_then(Value::as_str);
        let range = IpRange::from_fields(text("from_ip").unwrap_or_default(), text("to_ip"))
            .map_err(|e| ApiError::invalid("invalid_ip_range", format!("ip_ranges[{n}]: {e}")))?;
        match entry.get("exclusion") {
            Some(Value::Bool(true)) => set.exclude(range),
            _ => set.include(range),
        };
    }
    set.build()
        .map(|_| ())
        .map_err(|e| ApiError::invalid("ip_list_exclusion_outside_ranges", e.to_string()))
}

/// The addresses of a list: its ranges without its exclusions.
pub fn addresses(list: &Val) -> IpSet {
    let mut set = IpSetBuilder::new();
    for entry in list.list("ip_ranges") {
        let from = entry.str("from_ip").unwrap_or_default();
        match IpRange::from_fields(from, entry.str("to_ip")) {
            Ok(range) if entry.is("exclusion") => set.exclude(range),
            Ok(range) => set.include(range),
            // Stored lists were checked; one that does not parse covers nothing.
            Err(_) => continue,
        };
    }
    set.effective()
}

fn filter(_: &World, _: Side, name: &str, value: &str) -> Result<Predicate, ApiError> {
    match name {
        "ip_address" => {
            let wanted = IpRange::from_fields(value, None).map_err(|e| {
                ApiError::invalid("invalid_ip_address", format!("`ip_address`: {e}"))
            })?;
            Ok(Box::new(move |_, o| addresses(&o.doc).contains_range(&wanted)))
        }
        // Lists have no attributes yet, so only "without" selects any.
        _ => {
            let wanted = super::list::boolean(name, value)?;
            Ok(Box::new(move |_, _| !wanted))
        }
    }
}
