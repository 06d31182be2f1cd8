//! Enforcement and visibility: the newer fields and the older `agent.config` that means the same.

use serde_json::{Map, Value};

type Body = Map<String, Value>;

/// What a body says that cannot be: the text of the refusal.
pub(super) const REFUSED: &str = "_refused";
/// Whether the older switch for traffic reporting was given.
pub(super) const LOG_TRAFFIC: &str = "_log_traffic";
/// The agent's status that was asked for.
pub(super) const AGENT_STATUS: &str = "_agent_status";

/// The enforcement mode that an older mode means; unknown texts stay.
pub fn mode_of(legacy: &str) -> &str {
    match legacy {
        "illuminated" => "visibility_only",
        "enforced" => "full",
        same => same,
    }
}

/// The older mode that shows an enforcement mode.
pub fn legacy_of(mode: &str) -> &str {
    match mode {
        "visibility_only" => "illuminated",
        "full" => "enforced",
        same => same,
    }
}

/// Turns `agent` of a request body into the newer fields. What contradicts itself is left under a name
/// of our own for the check to refuse.
pub(super) fn split(body: &mut Body) -> Body {
    if let Some(Value::Object(mut agent)) = body.remove("agent") {
        if let Some(Value::Object(config)) = agent.remove("config") {
            settle(body, &config);
        }
        let status = agent.get("status").and_then(|s| s.get("status")).cloned();
        body.extend(status.map(|s| (AGENT_STATUS.to_owned(), s)));
    }
    Map::new()
}

fn settle(body: &mut Body, config: &Body) {
    let text = |m: &Body, name: &str| m.get(name).and_then(Value::as_str).map(str::to_owned);
    let legacy = text(config, "mode").map(|m| mode_of(&m).to_owned());
    let given = [text(body, "enforcement_mode"), text(config, "enforcement_mode"), legacy];
    let mut modes = given.into_iter().flatten();
    if let Some(mode) = modes.next() {
        if modes.any(|other| other != mode) {
            let why = "`agent.config.mode` and `enforcement_mode` disagree: send one of them";
            body.insert(REFUSED.into(), why.into());
        }
        body.insert("enforcement_mode".into(), mode.into());
    }
    let log = config.get("log_traffic").and_then(Value::as_bool);
    let level = text(config, "visibility_level");
    let level = level.or_else(|| (log == Some(true)).then(|| "flow_summary".to_owned()));
    if let (Some(level), false) = (level, body.contains_key("visibility_level")) {
        body.insert("visibility_level".into(), level.into());
    }
    body.extend(log.map(|l| (LOG_TRAFFIC.to_owned(), l.into())));
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn after(body: Value) -> Value {
        let Value::Object(mut body) = body else { panic!("no object") };
        split(&mut body);
        body.into()
    }

    #[test]
    fn older_fields_set_the_newer_ones() {
        for (body, want) in [
            (
                json!({"agent": {"config": {"mode": "enforced"}}}),
                json!({"enforcement_mode": "full"}),
            ),
            (
                json!({"enforcement_mode": "selective", "agent": {"config": {"mode": "selective"}}}),
                json!({"enforcement_mode": "selective"}),
            ),
            (
                json!({"agent": {"href": "/orgs/1/agents/7", "config": {"log_traffic": true}}}),
                json!({"visibility_level": "flow_summary", "_log_traffic": true}),
            ),
            (
                json!({"agent": {"config": {"log_traffic": true, "visibility_level": "flow_drops"}}}),
                json!({"visibility_level": "flow_drops", "_log_traffic": true}),
            ),
            (
                json!({"agent": {"status": {"status": "suspended"}}}),
                json!({"_agent_status": "suspended"}),
            ),
            (json!({"name": "a"}), json!({"name": "a"})),
        ] {
            assert_eq!(after(body.clone()), want, "{body}");
        }
    }

    #[test]
    fn contradictions_are_kept_for_the_check() {
        let both = json!({"enforcement_mode": "full", "agent": {"config": {"mode": "idle"}}});
        assert!(after(both).get(REFUSED).is_some());
    }

    #[test]
    fn the_two_names_of_a_mode_are_inverse() {
        for mode in ["idle", "visibility_only", "full", "selective"] {
            assert_eq!(mode_of(legacy_of(mode)), mode);
        }
    }
}
