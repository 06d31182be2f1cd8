//! What a workload must be before it is saved.

use super::interfaces;
use super::modes::{AGENT_STATUS, LOG_TRAFFIC, REFUSED, legacy_of};
use crate::txn::Txn;
use crate::world::{Obj, World};
use bulkhead_api::ApiError;
use bulkhead_ids::{AnyHref, Kind};
use serde_json::{Map, Value, json};

type Body = Map<String, Value>;

/// Fields that the agent reports, so that nobody else sets them where there is one.
const REPORTED: &[&str] = &["hostname", "distinguished_name", "os_id", "os_detail", "online"];

/// Checks and completes a workload.
///
/// # Errors
/// 406 with the token of the first fault.
pub(super) fn check(txn: &mut Txn<'_>, doc: &mut Body, old: Option<&Obj>) -> Result<(), ApiError> {
    if let Some(Value::String(why)) = doc.remove(REFUSED) {
        return Err(ApiError::input(why));
    }
    own_href(txn.world.org, doc, old)?;
    doc.retain(|k, v| !v.is_null() || k.ends_with("_by"));
    named(doc)?;
    public_ip(doc)?;
    if let Some(Value::Array(list)) = doc.get_mut("interfaces") {
        interfaces::all(list)?;
    }
    one_label_of_a_key(&txn.world, doc.get("labels"), "a workload")?;
    match old.filter(|o| o.doc.is("managed")) {
        Some(old) => managed(txn.world.org, doc, old)?,
        None => unmanaged(doc)?,
    }
    agent(doc);
    Ok(())
}

/// The href in a body, where clients send whole objects back: it must be the workload's own.
fn own_href(org: u32, doc: &mut Body, old: Option<&Obj>) -> Result<(), ApiError> {
    let Some(href) = doc.remove("href") else { return Ok(()) };
    let href = href.as_str().unwrap_or_default();
    let named = href.parse::<AnyHref>().ok();
    let own = named.zip(old).is_some_and(|(h, o)| {
        (h.org, h.kind, h.id, h.parent) == (Some(org), Kind::Workload, o.id, None)
    });
    if own { Ok(()) } else { Err(ApiError::invalid_uri(href)) }
}

fn named(doc: &Body) -> Result<(), ApiError> {
    let empty = |name: &str| doc.get(name).and_then(Value::as_str).is_none_or(str::is_empty);
    if empty("name") && empty("hostname") {
        return Err(ApiError::input("a workload needs a `name` or a `hostname`"));
    }
    Ok(())
}

fn public_ip(doc: &mut Body) -> Result<(), ApiError> {
    match doc.get("public_ip").and_then(Value::as_str) {
        Some("") => {
            doc.remove("public_ip");
            Ok(())
        }
        Some(ip) => interfaces::address("public_ip", ip).map(|_| ()),
        None => Ok(()),
    }
}

/// Refuses two labels of one key in a list of references.
///
/// # Errors
/// 406 `input_validation_error`.
pub fn one_label_of_a_key(world: &World, labels: Option<&Value>, of: &str) -> Result<(), ApiError> {
    let list = labels.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let mut keys: Vec<&str> = Vec::with_capacity(list.len());
    for label in list {
        let href = label.get("href").and_then(Value::as_str).unwrap_or_default();
        let id = href.parse::<AnyHref>().map_err(|_| ApiError::invalid_uri(href))?.id;
        let label = world.get(Kind::Label, id).ok_or_else(|| ApiError::invalid_uri(href))?;
        let key = label.doc.str("key").unwrap_or_default();
        if keys.contains(&key) {
            return Err(ApiError::input(format!("{of} has one label of the key `{key}` at most")));
        }
        keys.push(key);
    }
    Ok(())
}

fn managed(org: u32, doc: &mut Body, old: &Obj) -> Result<(), ApiError> {
    let before = super::super::crud::document(org, old);
    if let Some(name) = REPORTED.iter().find(|n| doc.get(**n) != before.get(**n)) {
        return Err(ApiError::input(format!("`{name}` comes from the agent of this workload")));
    }
    let text = |name: &str| doc.get(name).and_then(Value::as_str).unwrap_or_default();
    if text("visibility_level") == "flow_off" && text("enforcement_mode") != "full" {
        return Err(ApiError::input("`visibility_level` flow_off needs `enforcement_mode` full"));
    }
    if let Some(status) = doc.remove(AGENT_STATUS)
        && let Some(Value::Object(agent)) = doc.get_mut("agent")
        && let Some(Value::Object(of)) = agent.get_mut("status")
    {
        of.insert("status".into(), status);
    }
    Ok(())
}

fn unmanaged(doc: &mut Body) -> Result<(), ApiError> {
    if doc.remove(AGENT_STATUS).is_some() {
        return Err(ApiError::input("`agent.status` needs a workload with an agent"));
    }
    if doc.get("datacenter_nat_1to1").and_then(Value::as_bool) == Some(true) {
        return Err(ApiError::input("`datacenter_nat_1to1` needs a workload with an agent"));
    }
    Ok(())
}

/// Brings the older view of the agent up to date with the newer fields.
fn agent(doc: &mut Body) {
    let given = doc.remove(LOG_TRAFFIC).and_then(|v| v.as_bool());
    let mut agent = match doc.remove("agent") {
        Some(Value::Object(agent)) => agent,
        _ => Map::new(),
    };
    let mut config = match agent.remove("config") {
        Some(Value::Object(config)) => config,
        _ => Map::new(),
    };
    let mode = doc.get("enforcement_mode").and_then(Value::as_str).unwrap_or("visibility_only");
    let log = given.or_else(|| config.get("log_traffic").and_then(Value::as_bool));
    config.insert("mode".into(), legacy_of(mode).into());
    config.insert("log_traffic".into(), log.unwrap_or(false).into());
    config.insert(
        "visibility_level".into(),
        doc.get("visibility_level").cloned().unwrap_or_else(|| json!("flow_summary")),
    );
    agent.insert("config".into(), config.into());
    doc.insert("agent".into(), agent.into());
}
