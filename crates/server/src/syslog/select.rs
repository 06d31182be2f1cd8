//! Which events a destination takes.

use crate::doc::Val;
use bulkhead_store::NextEvent;
use serde_json::Value;

/// Severities, the gravest first.
const SEVERITIES: &[&str] =
    &["emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"];
/// The organisation whose destinations get the events of the PCE itself.
const PCE_EVENTS_TO: u32 = 1;

/// The number of a severity, 0 the gravest; unknown ones are information.
pub(super) fn number(severity: &str) -> usize {
    SEVERITIES.iter().position(|s| *s == severity).unwrap_or(6)
}

/// Whether a destination wants anything that there is: flow summaries come with the traffic database.
pub(super) fn sends_anything(destination: &Val) -> bool {
    let audit = destination.get("audit_event_logger");
    let audit = |name| audit.is_some_and(|a| a.is(name));
    audit("configuration_event_included") || audit("system_event_included") || node(destination)
}

/// Whether a destination wants the state of the node.
pub(super) fn node(destination: &Val) -> bool {
    destination.get("node_status_logger").is_some_and(|n| n.is("node_status_included"))
}

/// Whether an event is about the system: of the PCE itself, or made by it. All others are changes of the
/// configuration, and attempts at them.
fn about_the_system(org: u32, event: &Value) -> bool {
    let text = event.get("event_type").and_then(Value::as_str).unwrap_or_default();
    let by_system = event.pointer("/created_by/system").is_some();
    let request = text.starts_with("request.");
    org == 0 || text.starts_with("system_task.") || (by_system && !request)
}

/// Whether a destination of an organisation takes an event.
pub(super) fn takes(org: u32, destination: &Val, stored: &NextEvent, event: &Value) -> bool {
    let own = stored.org == org || (stored.org == 0 && org == PCE_EVENTS_TO);
    let Some(audit) = destination.get("audit_event_logger").filter(|_| own) else { return false };
    let least = match audit.str("min_severity") {
        Some("error") => 3,
        Some("warning") => 4,
        _ => 6,
    };
    let severity = event.get("severity").and_then(Value::as_str).unwrap_or_default();
    let switch = match about_the_system(stored.org, event) {
        true => "system_event_included",
        false => "configuration_event_included",
    };
    number(severity) <= least && audit.is(switch)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn destination(configuration: bool, system: bool, least: &str) -> Val {
        Val::from_json(&json!({"audit_event_logger": {
            "configuration_event_included": configuration,
            "system_event_included": system,
            "min_severity": least,
        }, "node_status_logger": {"node_status_included": false}}))
    }

    fn taken(org: u32, d: &Val, event: &Value) -> bool {
        takes(1, d, &NextEvent { seq: 1, org, doc: Vec::new() }, event)
    }

    #[test]
    fn switches_and_severity_select() {
        let made =
            json!({"event_type": "label.create", "severity": "info", "created_by": {"user": {}}});
        let task = json!({"event_type": "system_task.prune_old_log_events", "severity": "info", "created_by": {"system": {}}});
        let failed = json!({"event_type": "request.authentication_failed", "severity": "err", "created_by": {"system": {}}});
        let (both, configuration) =
            (destination(true, true, "informational"), destination(true, false, "informational"));
        for event in [&made, &task, &failed] {
            assert!(taken(1, &both, event) && taken(0, &both, event) && !taken(2, &both, event));
            assert!(!taken(0, &configuration, event), "events of the PCE are of the system");
        }
        assert!(taken(1, &configuration, &made) && taken(1, &configuration, &failed));
        assert!(!taken(1, &configuration, &task));
        let grave = destination(true, true, "error");
        assert!(taken(1, &grave, &failed) && !taken(1, &grave, &made));
        assert!(!sends_anything(&destination(false, false, "error")) && sends_anything(&grave));
    }
}
