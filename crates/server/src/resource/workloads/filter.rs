//! Filters of the workload list that are more than a comparison with one field.

use crate::doc::Val;
use crate::resource::Predicate;
use crate::world::{Side, World};
use bulkhead_api::{ApiError, descriptor, resolved};
use bulkhead_ids::{AnyHref, Id, Kind};
use serde_json::Value;

/// Makes the predicate of a custom filter.
///
/// # Errors
/// 406 for a value that the filter cannot take.
pub(super) fn filter(
    world: &World,
    _side: Side,
    name: &str,
    value: &str,
) -> Result<Predicate, ApiError> {
    one_of(Kind::Workload, name, value)?;
    Ok(match name {
        "ip_address" => {
            let needle = value.to_lowercase();
            Box::new(move |_, o| has_address(&o.doc, &needle))
        }
        "enforcement_modes" => {
            let modes = modes(name, value)?;
            Box::new(move |_, o| modes.iter().any(|m| o.doc.str("enforcement_mode") == Some(m)))
        }
        "security_policy_sync_state" => {
            let wanted = value.to_owned();
            Box::new(move |_, o| {
                status(&o.doc).is_some_and(|s| s.str("security_policy_sync_state") == Some(&wanted))
            })
        }
        "policy_health" => {
            let wanted = value.to_owned();
            Box::new(move |_, o| policy_health(&o.doc) == Some(wanted.as_str()))
        }
        "container_clusters" => in_clusters(world, name, value)?,
        "risk_summary.ransomware.workload_exposure_severity" => {
            let wanted = value.to_owned();
            Box::new(move |_, o| {
                let risk = o.doc.get("risk_summary").and_then(|r| r.get("ransomware"));
                risk.and_then(|r| r.str("workload_exposure_severity")) == Some(&wanted)
            })
        }
        "vulnerability_summary.vulnerability_exposure_score[gte]" => {
            let least = whole(name, value)?;
            Box::new(move |_, o| exposure(&o.doc).is_some_and(|n| n >= least))
        }
        "vulnerability_summary.vulnerability_exposure_score[lte]" => {
            let most = whole(name, value)?;
            Box::new(move |_, o| exposure(&o.doc).is_some_and(|n| n <= most))
        }
        // `managed_by` and `representation` select nothing.
        _ => Box::new(|_, _| true),
    })
}

/// Refuses a value outside the list of the filter's schema.
///
/// # Errors
/// 406 `input_validation_error`.
pub fn one_of(kind: Kind, name: &str, value: &str) -> Result<(), ApiError> {
    let schema = descriptor(kind).and_then(|d| d.filters.get(name)).and_then(|f| f.schema.as_ref());
    let values = schema.map(resolved).and_then(|s| s.get("enum")).and_then(Value::as_array);
    let Some(values) = values else { return Ok(()) };
    let mut names = values.iter().filter_map(Value::as_str);
    if names.clone().any(|v| v == value) {
        return Ok(());
    }
    let all = names.by_ref().collect::<Vec<_>>().join(", ");
    Err(ApiError::input(format!("`{name}` is one of {all}")))
}

/// Reads a JSON list of texts.
///
/// # Errors
/// 406 `input_validation_error`.
pub fn texts(name: &str, value: &str) -> Result<Vec<String>, ApiError> {
    serde_json::from_str(value)
        .map_err(|_| ApiError::input(format!("`{name}` is a JSON list of texts")))
}

fn modes(name: &str, value: &str) -> Result<Vec<String>, ApiError> {
    let modes = texts(name, value)?;
    modes.iter().try_for_each(|m| one_of(Kind::Workload, "enforcement_mode", m))?;
    Ok(modes)
}

fn whole(name: &str, value: &str) -> Result<i64, ApiError> {
    value.parse().map_err(|_| ApiError::input(format!("`{name}` is a whole number")))
}

/// Hosts that are nodes of one of the clusters in a JSON list of hrefs.
///
/// # Errors
/// `invalid_uri` for an element that is no href of a cluster of this organisation.
pub fn in_clusters(world: &World, name: &str, value: &str) -> Result<Predicate, ApiError> {
    let clusters = texts(name, value)?
        .iter()
        .map(|s| match s.parse::<AnyHref>() {
            Ok(h) if h.kind == Kind::ContainerCluster && h.org == Some(world.org) => Ok(h.id),
            _ => Err(ApiError::invalid_uri(s)),
        })
        .collect::<Result<Vec<Id>, _>>()?;
    Ok(Box::new(move |_, o| {
        let of = o.doc.get("container_cluster").and_then(Val::target);
        of.is_some_and(|(_, id)| clusters.contains(&id))
    }))
}

fn has_address(doc: &Val, needle: &str) -> bool {
    let interfaces = doc.list("interfaces").iter().filter_map(|i| i.str("address"));
    interfaces.chain(doc.str("public_ip")).any(|a| a.to_lowercase().contains(needle))
}

fn status(doc: &Val) -> Option<&Val> {
    doc.get("agent")?.get("status")
}

fn exposure(doc: &Val) -> Option<i64> {
    doc.get("vulnerabilities_summary")?.int("vulnerability_exposure_score")
}

/// The state of the agent's policy; nothing without an agent.
fn policy_health(doc: &Val) -> Option<&'static str> {
    let status = status(doc).filter(|_| doc.is("managed"))?;
    if status.str("status") == Some("suspended") {
        return Some("suspended");
    }
    let worst = |severity: &str| {
        status.list("agent_health").iter().any(|h| h.str("severity") == Some(severity))
    };
    match () {
        () if worst("error") || worst("err") => Some("error"),
        () if worst("warning") => Some("warning"),
        () if doc.is("online") && status.str("security_policy_sync_state") == Some("applied") => {
            Some("active")
        }
        () => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::Obj;
    use serde_json::json;

    fn matches(doc: &Value, name: &str, value: &str) -> Result<bool, ApiError> {
        let world = World::empty(1);
        let obj = Obj::new(Kind::Workload, Id::int(1), None, Val::from_json(doc));
        Ok(filter(&world, Side::Draft, name, value)?(&world, &obj))
    }

    #[test]
    fn each_filter_selects() {
        let bare = json!({
            "managed": false, "online": true, "enforcement_mode": "full", "public_ip": "198.51.100.7",
            "interfaces": [{"name": "e", "address": "10.1.2.3"}, {"name": "e", "address": "FE80::1"}],
            "agent": {"config": {}}, "risk_summary": {"ransomware": null},
        });
        let agent = |health: Value, state: &str| {
            let status = json!({"status": state, "agent_health": health, "security_policy_sync_state": "applied"});
            json!({"managed": true, "online": true, "agent": {"status": status}})
        };
        let cluster = "0c1f6e0a-6f4b-4f6e-9a53-b6a2e4a5f0aa";
        let node =
            json!({"container_cluster": {"href": format!("/orgs/1/container_clusters/{cluster}")}});
        let clusters = json!([format!("/orgs/1/container_clusters/{cluster}")]).to_string();
        for (doc, name, value, want) in [
            (&bare, "ip_address", "10.1.2", true),
            (&bare, "ip_address", "fe80::", true),
            (&bare, "ip_address", "198.51", true),
            (&bare, "ip_address", "10.9", false),
            (&bare, "enforcement_modes", r#"["idle","full"]"#, true),
            (&bare, "enforcement_modes", r#"["idle"]"#, false),
            (&bare, "policy_health", "active", false),
            (&agent(json!([]), "active"), "policy_health", "active", true),
            (&agent(json!([{"severity": "warning"}]), "active"), "policy_health", "warning", true),
            (&agent(json!([{"severity": "error"}]), "active"), "policy_health", "warning", false),
            (&agent(json!([]), "suspended"), "policy_health", "suspended", true),
            (&bare, "security_policy_sync_state", "staged", false),
            (&node, "container_clusters", &clusters, true),
            (&bare, "container_clusters", &clusters, false),
            (&bare, "risk_summary.ransomware.workload_exposure_severity", "low", false),
            (&bare, "vulnerability_summary.vulnerability_exposure_score[gte]", "0", false),
            (&bare, "managed_by", "anything", true),
        ] {
            assert_eq!(matches(doc, name, value).ok(), Some(want), "{name}={value} {doc}");
        }
    }

    #[test]
    fn values_that_a_filter_cannot_take_are_refused() {
        for (name, value) in [
            ("enforcement_modes", "full"),
            ("enforcement_modes", r#"["blocking"]"#),
            ("policy_health", "fine"),
            ("security_policy_sync_state", "applied"),
            ("container_clusters", r#"["/orgs/1/labels/1"]"#),
            ("container_clusters", "7"),
            ("risk_summary.ransomware.workload_exposure_severity", "awful"),
            ("vulnerability_summary.vulnerability_exposure_score[lte]", "x"),
        ] {
            assert!(matches(&json!({}), name, value).is_err(), "{name}={value}");
        }
    }
}
