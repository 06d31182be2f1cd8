//! The text of messages: RFC 5424 with the product's prefix, then JSON, CEF or LEEF.
//!
//! Source: Events Administration guide 25.2; order of CEF keys and overflow as in pairs of events and
//! CEF lines published from a live PCE 26.2.

use super::select::number;
use crate::health::Figures;
use crate::resource::system::PRODUCT_VERSION;
use jiff::Timestamp;
use serde_json::Value;

/// Characters of `cs2` before the rest goes to `cs3`.
const CS_CHARS: usize = 3_995;

/// The form of audit events, as the event settings name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Json,
    Cef,
    Leef,
}

impl Format {
    pub(super) fn named(name: &str) -> Self {
        match name {
            "CEF" => Self::Cef,
            "LEEF" => Self::Leef,
            _ => Self::Json,
        }
    }
}

/// Puts messages into frames and counts them.
pub(super) struct Framing {
    host: String,
    sequence: u64,
}

impl Framing {
    pub(super) fn new(host: &str) -> Self {
        Self { host: host.to_owned(), sequence: 0 }
    }

    /// The message of an event; `bound` is the most bytes that it may have, where there is one.
    pub(super) fn event(
        &mut self,
        format: Format,
        event: &Value,
        raw: &[u8],
        bound: Option<usize>,
    ) -> String {
        let program = match text(event, "event_type").starts_with("user.") {
            true => "login",
            false => "agent",
        };
        let at: Option<Timestamp> = text(event, "timestamp").parse().ok();
        let rid = event.pointer("/action/uuid").and_then(Value::as_str).unwrap_or("0");
        let head = self.head(program, at.unwrap_or_default(), text(event, "severity"), rid);
        let body = |event: &Value| match format {
            Format::Json => event.to_string(),
            Format::Cef => cef(event),
            Format::Leef => leef(event),
        };
        let whole = match format {
            Format::Json => format!("{head}{}", String::from_utf8_lossy(raw)),
            _ => format!("{head}{}", body(event)),
        };
        if bound.is_none_or(|most| whole.len() <= most) {
            return whole;
        }
        // What does not fit into a datagram goes without the changes; the event can be looked up.
        let mut short = event.clone();
        if let Value::Object(map) = &mut short {
            map.insert("resource_changes".into(), Value::Array(Vec::new()));
        }
        format!("{head}{}", body(&short))
    }

    /// The message of a state of the node.
    pub(super) fn node(&mut self, state: &NodeState, now: Timestamp) -> String {
        let head = self.head("system_health", now, state.severity, "0");
        format!("{head}{}", state.text)
    }

    fn head(&mut self, program: &str, at: Timestamp, severity: &str, rid: &str) -> String {
        self.sequence += 1;
        let (host, sequence, pid) = (&self.host, self.sequence, std::process::id());
        let time = at.strftime("%Y-%m-%dT%H:%M:%S.%6f+00:00");
        let ms = at.as_millisecond().rem_euclid(1_000_000_000);
        let sev = match number(severity) {
            0..=3 => "ERROR",
            4 => "WARN",
            _ => "INFO ",
        };
        format!(
            "<14>1 {time} {host} illumio_pce/{program} {pid} - [meta sequenceId=\"{sequence}\"] \
             sec={}.{:03} sev={sev} pid={pid} tid={pid} rid={rid} ",
            ms / 1000,
            ms % 1000,
        )
    }
}

/// What the node says of itself.
pub(super) struct NodeState {
    severity: &'static str,
    text: String,
}

/// The state of the node as `key=value` pairs.
pub(super) fn node_state(figures: &Figures, uptime_s: u64) -> NodeState {
    let shares = [("cpu", figures.cpu), ("memory", figures.memory), ("disk", figures.disk)];
    let full = figures.disk.is_some_and(|d| d >= 95.0);
    let mut text = String::from("src=system_health");
    for (name, share) in shares {
        text.extend(share.map(|s| format!(" {name}={s:.0}%")));
    }
    NodeState {
        severity: if full { "warning" } else { "info" },
        text: format!("{text} uptime={uptime_s}"),
    }
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// `label.create.success`; without status the type alone.
fn signature(event: &Value) -> String {
    match text(event, "status") {
        "" => text(event, "event_type").to_owned(),
        status => format!("{}.{status}", text(event, "event_type")),
    }
}

fn title(signature: &str) -> String {
    let word = |w: &str| {
        let mut letters = w.chars();
        letters.next().map(|c| c.to_uppercase().chain(letters).collect::<String>())
    };
    signature.split(['.', '_']).filter_map(word).collect::<Vec<_>>().join(" ")
}

/// Severity numbers of CEF and LEEF.
///
/// Source: information, warning and error as seen; the others fill the gaps.
fn grade(severity: &str) -> u8 {
    match severity {
        "debug" => 0,
        "notice" => 2,
        "warning" => 3,
        "err" => 4,
        "crit" => 5,
        "alert" => 6,
        "emerg" => 7,
        _ => 1,
    }
}

/// The href and the name of who did it; no href for the system.
fn actor(event: &Value) -> (&str, &str) {
    let by = event.get("created_by").and_then(Value::as_object);
    let Some((kind, who)) = by.and_then(|by| by.iter().next()) else { return ("", "system") };
    let mut names = ["username", "hostname", "name"].iter().map(|n| text(who, n));
    let name = names.find(|n| !n.is_empty()).unwrap_or("system");
    if kind == "system" { ("", "system") } else { (text(who, "href"), name) }
}

/// A list as JSON; nothing for an empty one.
fn list(event: &Value, name: &str) -> String {
    match event.get(name).and_then(Value::as_array) {
        Some(items) if !items.is_empty() => Value::Array(items.clone()).to_string(),
        _ => String::new(),
    }
}

/// The changes in one part, or in two where one does not hold them; without details where two do not.
fn changes(event: &Value) -> (String, String) {
    let split = |all: &str| -> (String, String, usize) {
        let first: String = all.chars().take(CS_CHARS).collect();
        let second: String = all.chars().skip(CS_CHARS).take(CS_CHARS).collect();
        (first, second, all.chars().count())
    };
    let (first, second, chars) = split(&list(event, "resource_changes"));
    if chars <= 2 * CS_CHARS {
        return (first, second);
    }
    let mut short = event.clone();
    let entries = short.get_mut("resource_changes").and_then(Value::as_array_mut);
    for entry in entries.into_iter().flatten().filter_map(Value::as_object_mut) {
        entry.remove("changes");
    }
    let (first, second, _) = split(&list(&short, "resource_changes"));
    (first, second)
}

fn one_line(s: &str) -> String {
    s.replace(['\r', '\n'], " ")
}

fn cef(event: &Value) -> String {
    let signature = signature(event);
    let escaped = |s: &str| s.replace('\\', "\\\\").replace('|', "\\|");
    let at: Timestamp = text(event, "timestamp").parse().unwrap_or_default();
    let (href, name) = actor(event);
    let action = event.get("action").filter(|a| a.is_object());
    let pce = text(event, "pce_fqdn");
    let from = action.map(|a| text(a, "src_ip")).filter(|ip| !ip.is_empty()).unwrap_or(pce);
    let (cs2, cs3) = changes(event);
    let mut pairs: Vec<(&str, String)> = vec![
        ("rt", at.strftime("%b %d %Y %H:%M:%S.%3f +0000").to_string()),
        ("dvchost", pce.to_owned()),
    ];
    if let Some(id) = href.rsplit('/').next().filter(|id| !id.is_empty()) {
        pairs.push(("duid", id.to_owned()));
    }
    pairs.extend([
        ("duser", name.to_owned()),
        ("dst", from.to_owned()),
        ("outcome", text(event, "status").to_owned()),
        ("cat", "audit_events".to_owned()),
    ]);
    if let Some(action) = action {
        let status = action.get("http_status_code").map(Value::to_string).unwrap_or_default();
        pairs.extend([
            ("request", text(action, "api_endpoint").to_owned()),
            ("requestMethod", text(action, "api_method").to_owned()),
            ("reason", status),
        ]);
    }
    pairs.extend([
        ("cs2", cs2),
        ("cs2Label", "resource_changes".to_owned()),
        ("cs4", list(event, "notifications")),
        ("cs4Label", "notifications".to_owned()),
        ("cn2", "2".to_owned()),
        ("cn2Label", "schema-version".to_owned()),
        ("cs1Label", "event_href".to_owned()),
        ("cs1", text(event, "href").to_owned()),
    ]);
    if !cs3.is_empty() {
        pairs.extend([("cs3", cs3), ("cs3Label", "resource_changes_2".to_owned())]);
    }
    let pairs: Vec<String> = pairs.iter().map(|(k, v)| format!("{k}={}", one_line(v))).collect();
    format!(
        "CEF:0|Illumio|PCE|{PRODUCT_VERSION}|{}|{}|{}|{}",
        escaped(&signature),
        escaped(&title(&signature)),
        grade(text(event, "severity")),
        pairs.join(" "),
    )
}

fn leef(event: &Value) -> String {
    let (href, name) = actor(event);
    let pce = text(event, "pce_fqdn");
    let action = event.get("action").filter(|a| a.is_object());
    let from = action.map(|a| text(a, "src_ip")).filter(|ip| !ip.is_empty()).unwrap_or(pce);
    let json = |name: &str| event.get(name).map(Value::to_string).unwrap_or_default();
    let pairs = [
        ("src", from.to_owned()),
        ("cat", "organizational".to_owned()),
        ("devTime", text(event, "timestamp").to_owned()),
        ("devTimeFormat", "yyyy-mm-dd'T'HH:mm:ss.ttttttZ".to_owned()),
        ("sev", grade(text(event, "severity")).to_string()),
        ("usrName", name.to_owned()),
        ("url", href.to_owned()),
        ("version", "2".to_owned()),
        ("pce_fqdn", pce.to_owned()),
        ("created_by", json("created_by")),
        ("action", json("action")),
        ("resource_changes", json("resource_changes")),
        ("notifications", json("notifications")),
        ("event_href", text(event, "href").to_owned()),
    ];
    let pairs: Vec<String> =
        pairs.iter().map(|(k, v)| format!("{k}={}", one_line(v).replace('\t', " "))).collect();
    let signature = signature(event).replace('|', " ");
    format!("LEEF:2.0|Illumio|PCE|{PRODUCT_VERSION}|{signature}|{}", pairs.join("\t"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn event() -> Value {
        json!({
            "href": "/orgs/1/events/00000000-0000-4000-8000-000000000001",
            "timestamp": "2026-03-02T10:11:12.345Z",
            "pce_fqdn": "pce.example.net",
            "created_by": {"user": {"href": "/users/7", "username": "ana@example.net"}},
            "event_type": "label.create",
            "status": "success",
            "severity": "info",
            "action": {"uuid": "5eed", "api_endpoint": "/api/v2/orgs/1/labels", "api_method": "POST",
                "http_status_code": 201, "src_ip": "192.0.2.9"},
            "resource_changes": [{"change_type": "create"}],
            "notifications": [],
            "version": 2,
        })
    }

    #[test]
    fn cef_has_its_keys_in_order() {
        assert_eq!(
            cef(&event()),
            "CEF:0|Illumio|PCE|25.4.0|label.create.success|Label Create Success|1|\
             rt=Mar 02 2026 10:11:12.345 +0000 dvchost=pce.example.net duid=7 duser=ana@example.net \
             dst=192.0.2.9 outcome=success cat=audit_events request=/api/v2/orgs/1/labels \
             requestMethod=POST reason=201 cs2=[{\"change_type\":\"create\"}] \
             cs2Label=resource_changes cs4= cs4Label=notifications cn2=2 cn2Label=schema-version \
             cs1Label=event_href cs1=/orgs/1/events/00000000-0000-4000-8000-000000000001"
        );
        let system = json!({"event_type": "user.pce_session_terminated", "status": null,
            "severity": "err", "timestamp": "2026-03-02T10:11:12.345Z", "pce_fqdn": "pce",
            "created_by": {"system": {}}, "action": null, "href": "/system_events/1"});
        assert_eq!(
            cef(&system),
            "CEF:0|Illumio|PCE|25.4.0|user.pce_session_terminated|User Pce Session Terminated|4|\
             rt=Mar 02 2026 10:11:12.345 +0000 dvchost=pce duser=system dst=pce outcome= \
             cat=audit_events cs2= cs2Label=resource_changes cs4= cs4Label=notifications cn2=2 \
             cn2Label=schema-version cs1Label=event_href cs1=/system_events/1"
        );
    }

    #[test]
    fn large_changes_overflow_and_then_lose_their_details() {
        let with = |n: usize| {
            let mut e = event();
            e["resource_changes"] = json!([{"change_type": "update", "changes": "x".repeat(n)}]);
            changes(&e)
        };
        let (cs2, cs3) = with(5_000);
        assert_eq!(cs2.chars().count(), CS_CHARS);
        assert!(serde_json::from_str::<Value>(&format!("{cs2}{cs3}")).is_ok());
        assert_eq!(with(9_000), ("[{\"change_type\":\"update\"}]".to_owned(), String::new()));
    }

    #[test]
    fn leef_has_tabs_between_its_attributes() {
        let line = leef(&event());
        assert!(
            line.starts_with("LEEF:2.0|Illumio|PCE|25.4.0|label.create.success|src=192.0.2.9\t")
        );
        assert_eq!(line.split('\t').count(), 14);
        assert!(line.ends_with("\tevent_href=/orgs/1/events/00000000-0000-4000-8000-000000000001"));
    }

    #[test]
    fn frames_are_as_add_ons_parse_them() {
        let mut framing = Framing::new("pce1");
        let e = event();
        let raw = e.to_string();
        let pid = std::process::id();
        let line = framing.event(Format::Json, &e, raw.as_bytes(), None);
        let head = format!(
            "<14>1 2026-03-02T10:11:12.345000+00:00 pce1 illumio_pce/agent {pid} - \
             [meta sequenceId=\"1\"] sec=446272.345 sev=INFO  pid={pid} tid={pid} rid=5eed "
        );
        assert_eq!(line, format!("{head}{raw}"));
        let short = framing.event(Format::Json, &e, raw.as_bytes(), Some(line.len() - 1));
        assert!(short.contains("sequenceId=\"2\"") && short.contains("\"resource_changes\":[]"));
        let state = node_state(&Figures { cpu: Some(3.4), memory: None, disk: Some(96.0) }, 60);
        let line = framing.node(&state, Timestamp::UNIX_EPOCH);
        assert!(line.contains("illumio_pce/system_health") && line.contains("sev=WARN pid"));
        assert!(line.ends_with(" src=system_health cpu=3% disk=96% uptime=60"), "{line}");
    }
}
