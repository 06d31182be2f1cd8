//! Agents (VENs). They appear by pairing, never by POST.

use super::{Hooks, Predicate, list, workloads};
use crate::doc::Val;
use crate::http::Handler;
use crate::txn::Txn;
use crate::world::{Obj, Side, World};
use bulkhead_api::ApiError;
use bulkhead_ids::Kind;
use jiff::Timestamp;
use serde_json::{Map, Value};
use std::cmp::Ordering;

/// What Ven adds to the common mechanism.
pub const HOOKS: Hooks = Hooks { check: Some(check), filter: Some(filter), ..Hooks::NONE };

/// Handlers of the operations that are not standard: none.
pub fn handler(_id: &str) -> Option<Handler> {
    None
}

fn check(
    _txn: &mut Txn<'_>,
    doc: &mut Map<String, Value>,
    old: Option<&Obj>,
) -> Result<(), ApiError> {
    let text = |name: &str| doc.get(name).and_then(Value::as_str);
    if text("target_pce_fqdn").is_some_and(|s| !is_host_name(s)) {
        return Err(ApiError::input("`target_pce_fqdn` is a host name"));
    }
    let before = old.and_then(|o| o.doc.str("status"));
    if let Some(before @ ("stopped" | "uninstalled")) = before
        && text("status") != Some(before)
    {
        return Err(ApiError::input(format!("this agent is {before}: its `status` cannot be set")));
    }
    Ok(())
}

fn is_host_name(s: &str) -> bool {
    let label = |l: &str| {
        (1..=63).contains(&l.len())
            && !l.starts_with('-')
            && !l.ends_with('-')
            && l.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    s.len() <= 253 && s.split('.').all(label)
}

fn filter(world: &World, _side: Side, name: &str, value: &str) -> Result<Predicate, ApiError> {
    workloads::one_of(Kind::Ven, name, value)?;
    Ok(match name {
        "os" => {
            let needle = value.to_lowercase();
            Box::new(move |_, o| {
                let mut texts = ["os_id", "os_detail"].iter().filter_map(|f| o.doc.str(f));
                texts.any(|t| t.to_lowercase().contains(&needle))
            })
        }
        "health" => {
            let wanted = value.to_owned();
            Box::new(move |_, o| healthy(&o.doc, &wanted))
        }
        "container_clusters" => workloads::in_clusters(world, name, value)?,
        "disconnected_before" => {
            let before: Timestamp = value
                .parse()
                .map_err(|_| ApiError::input(format!("`{name}` is a full RFC 3339 time")))?;
            Box::new(move |w, o| {
                let beat = o.doc.str("last_heartbeat_at").and_then(|t| t.parse::<Timestamp>().ok());
                offline(w, o) && beat.is_some_and(|t| t < before)
            })
        }
        "upgrade_pending" => {
            let wanted = list::boolean(name, value)?;
            Box::new(move |_, o| o.doc.str("upgrade_target_version").is_some() == wanted)
        }
        "version[gte]" => {
            let least = version(name, value)?;
            Box::new(move |_, o| compared(&o.doc, &least).is_some_and(Ordering::is_ge))
        }
        "version[lte]" => {
            let most = version(name, value)?;
            Box::new(move |_, o| compared(&o.doc, &most).is_some_and(Ordering::is_le))
        }
        // `representation` selects nothing.
        _ => Box::new(|_, _| true),
    })
}

/// An agent has the id of its workload.
fn offline(world: &World, ven: &Obj) -> bool {
    world.get(Kind::Workload, ven.id).is_none_or(|w| !w.doc.is("online"))
}

fn healthy(doc: &Val, wanted: &str) -> bool {
    let conditions = doc.list("conditions");
    let severity = |s: &str| {
        let mut events = conditions.iter().filter_map(|c| c.get("latest_event"));
        events.any(|e| e.str("severity") == Some(s))
    };
    match wanted {
        "healthy" => conditions.is_empty(),
        "unhealthy" => !conditions.is_empty(),
        "error" => severity("err"),
        _ => severity("warning"),
    }
}

/// The numbers of a dotted version; a build after a hyphen counts too.
fn version(name: &str, s: &str) -> Result<Vec<u64>, ApiError> {
    let numbers: Result<Vec<u64>, _> = s.split(['.', '-']).map(str::parse).collect();
    numbers.map_err(|_| ApiError::input(format!("`{name}` is a version like 25.2.40")))
}

/// How the version of an agent compares, as far as the other one goes.
fn compared(doc: &Val, other: &[u64]) -> Option<Ordering> {
    let own = version("version", doc.str("version")?).ok()?;
    let own = own.get(..other.len()).unwrap_or(&own);
    Some(own.cmp(other))
}

#[cfg(test)]
mod tests {
    use super::*;
    use bulkhead_ids::Id;
    use serde_json::json;

    fn matches(doc: &Value, name: &str, value: &str) -> Result<bool, ApiError> {
        let world = World::empty(1);
        let obj = Obj::new(Kind::Ven, Id::int(1), None, Val::from_json(doc));
        Ok(filter(&world, Side::Draft, name, value)?(&world, &obj))
    }

    #[test]
    fn each_filter_selects() {
        let ven = json!({
            "version": "25.2.40-4047", "os_id": "ubuntu-x86_64-xenial", "os_detail": "4.4.0 Ubuntu",
            "conditions": [{"latest_event": {"severity": "err"}}],
            "last_heartbeat_at": "2026-01-02T00:00:00.000Z", "upgrade_target_version": "25.4.0",
        });
        for (name, value, want) in [
            ("os", "UBUNTU", true),
            ("os", "win", false),
            ("health", "healthy", false),
            ("health", "unhealthy", true),
            ("health", "error", true),
            ("health", "warning", false),
            ("disconnected_before", "2026-01-03T00:00:00Z", true),
            ("disconnected_before", "2026-01-01T00:00:00Z", false),
            ("upgrade_pending", "true", true),
            ("upgrade_pending", "false", false),
            ("version[gte]", "25.2.40", true),
            ("version[gte]", "25.2.41", false),
            ("version[lte]", "25.2.40", true),
            ("version[lte]", "25.2.9", false),
            ("representation", "x", true),
        ] {
            assert_eq!(matches(&ven, name, value).ok(), Some(want), "{name}={value}");
        }
        for (name, value) in [
            ("version[gte]", "new"),
            ("health", "so-so"),
            ("disconnected_before", "yesterday"),
            ("upgrade_pending", "maybe"),
            ("container_clusters", "[7]"),
        ] {
            assert!(matches(&ven, name, value).is_err(), "{name}={value}");
        }
    }

    #[test]
    fn host_names() {
        for good in ["pce.example.com", "pce"] {
            assert!(is_host_name(good), "{good}");
        }
        for bad in ["", "a..b", "-a.b", "a_b", "https://pce", "pce:8443"] {
            assert!(!is_host_name(bad), "{bad}");
        }
    }
}
