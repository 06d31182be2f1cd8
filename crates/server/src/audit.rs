//! The audit trail: one event per request that changes something, in the commit of the change.
//!
//! Source: REST API guide 25.2, "Events"; the event object as in the schema `events_get` 25.2.20.

use crate::clock::{new_uuid, wire_time};
use crate::doc::{Val, href};
use crate::txn::Origin;
use crate::world::{Obj, World};
use bulkhead_api::ErrorItem;
use bulkhead_ids::{AnyHref, Id, Kind, Place, PolicyVersion};
use bulkhead_store::{EventRow, Op};
use jiff::Timestamp;
use serde_json::{Map, Value, json};

/// Fields that name an object in an event.
const NAMES: &[&str] = &["name", "hostname", "key", "value", "username", "sid"];
/// Fields that every change touches; the event's own time and actor say the same.
const SKIPPED: &[&str] =
    &["created_at", "created_by", "updated_at", "updated_by", "deleted_at", "deleted_by"];

/// One element of `resource_changes`.
pub struct Change(Value);

impl Change {
    /// What happened to an object: created without `before`, deleted without `after`.
    pub fn of(world: &World, before: Option<&Obj>, after: Option<&Obj>) -> Self {
        let Some(obj) = after.or(before) else { return Self(Value::Null) };
        let gone = after.is_none_or(|a| a.doc.is("deleted"));
        let change_type = match (before, gone) {
            (None, _) => "create",
            (Some(_), true) => "delete",
            (Some(_), false) => "update",
        };
        Self(json!({
            "uuid": new_uuid().to_string(),
            "resource": { obj.kind.name(): names(world, obj) },
            "change_type": change_type,
            "changes": differences(world.org, before.map(|o| &o.doc), after.map(|o| &o.doc)),
        }))
    }

    /// A change of something that is no object of the world.
    pub fn custom(change_type: &str, resource: Value, changes: Value) -> Self {
        Self(json!({
            "uuid": new_uuid().to_string(),
            "resource": resource,
            "change_type": change_type,
            "changes": changes,
        }))
    }
}

/// The href of an object in its draft version.
pub fn href_of(world: &World, obj: &Obj) -> AnyHref {
    let mut h = href(world.org, PolicyVersion::Draft, obj.kind, obj.id);
    if let Some(parent) = obj.kind.parent() {
        h.parent = obj.parent;
        let policy = matches!(parent.place(), Place::Policy);
        h.version = policy.then_some(PolicyVersion::Draft);
        if matches!(parent.place(), Place::Global) {
            h.org = None;
        }
    }
    h.text = text_id(obj).map(Into::into);
    h
}

/// The id as text, for kinds that have such.
pub fn text_id(obj: &Obj) -> Option<&str> {
    match obj.kind {
        Kind::SecurityPrincipal => obj.doc.str("sid"),
        Kind::ApiKey | Kind::ServiceAccountKey => obj.doc.str("key_id"),
        Kind::WorkloadInterface => obj.doc.str("name"),
        _ => None,
    }
}

fn names(world: &World, obj: &Obj) -> Value {
    let mut out = Map::new();
    out.insert("href".into(), href_of(world, obj).to_string().into());
    for name in NAMES {
        if let Some(v) = obj.doc.str(name) {
            out.insert((*name).into(), v.into());
        }
    }
    out.into()
}

fn differences(org: u32, before: Option<&Val>, after: Option<&Val>) -> Value {
    let mut out = Map::new();
    let shown = |key: &&str| !key.starts_with('_') && !SKIPPED.contains(key);
    let keys = |v: Option<&Val>| -> Vec<&'static str> {
        v.map(|v| v.entries().iter().map(|(k, _)| *k).filter(shown).collect()).unwrap_or_default()
    };
    let mut all = keys(before);
    all.extend(keys(after));
    all.sort_unstable();
    all.dedup();
    for key in all {
        let (b, a) = (before.and_then(|v| v.get(key)), after.and_then(|v| v.get(key)));
        if b == a {
            continue;
        }
        out.insert(key.into(), difference(org, b, a));
    }
    out.into()
}

/// How one field differs: lists by their elements, anything else as before and after.
fn difference(org: u32, before: Option<&Val>, after: Option<&Val>) -> Value {
    let json = |v: &Val| v.to_json(org, PolicyVersion::Draft);
    let list = |v: Option<&Val>| matches!(v, Some(Val::Arr(_)));
    if !list(before) && !list(after) {
        return json!({"before": before.map(json), "after": after.map(json)});
    }
    let (old, new) =
        (before.map(Val::items).unwrap_or_default(), after.map(Val::items).unwrap_or_default());
    // An element that still refers to the same object, but says something else of it, is updated.
    let kept = |v: &Val, others: &[Val]| {
        v.target().is_some_and(|t| others.iter().any(|o| o.target() == Some(t)))
    };
    let only = |these: &[Val], others: &[Val], updated: bool| -> Vec<Value> {
        let differ = these.iter().filter(|v| !others.contains(v));
        differ.filter(|v| kept(v, others) == updated).map(json).collect()
    };
    json!({
        "created": only(new, old, false),
        "deleted": only(old, new, false),
        "updated": only(new, old, true),
    })
}

/// What an event says beside who and when.
pub struct Event {
    /// `resource.verb`.
    pub event_type: String,
    /// `success`, `failure`, or nothing for information only.
    pub status: Option<&'static str>,
    /// Syslog severity name.
    pub severity: &'static str,
    /// Status of the answer.
    pub http_status: Option<u16>,
    /// What changed.
    pub changes: Vec<Change>,
    /// What else there is to say.
    pub notifications: Vec<Value>,
}

impl Event {
    /// An event about something other than a change.
    pub fn info(event_type: &str) -> Self {
        Self {
            event_type: event_type.into(),
            status: Some("success"),
            severity: "info",
            http_status: None,
            changes: Vec::new(),
            notifications: Vec::new(),
        }
    }
}

/// An element of `notifications`.
pub fn notification(notification_type: &str, info: Value) -> Value {
    json!({"uuid": new_uuid().to_string(), "notification_type": notification_type, "info": info})
}

/// The event of a refused request.
pub fn refusal(
    origin: &Origin,
    event_type: &str,
    status: u16,
    errors: &[ErrorItem],
) -> (Event, Value) {
    let severity = if matches!(status, 401 | 403 | 500 | 503) { "err" } else { "info" };
    let event = Event {
        event_type: event_type.into(),
        status: Some("failure"),
        severity,
        http_status: Some(status),
        changes: Vec::new(),
        notifications: Vec::new(),
    };
    let mut action = action(origin, status);
    if let Value::Object(map) = &mut action {
        map.insert("errors".into(), json!(errors));
    }
    (event, action)
}

fn action(origin: &Origin, status: u16) -> Value {
    if origin.method.is_empty() {
        return Value::Null;
    }
    json!({
        "uuid": if origin.request_id.is_empty() { new_uuid().to_string() } else { origin.request_id.clone() },
        "api_endpoint": origin.endpoint,
        "api_method": origin.method,
        "http_status_code": status,
        "src_ip": origin.ip,
    })
}

fn created_by(origin: &Origin) -> Value {
    if origin.href.is_empty() {
        return json!({"system": {}});
    }
    if origin.href.contains("/service_accounts/") {
        return json!({"service_account": {"href": origin.href, "name": origin.name}});
    }
    json!({"user": {"href": origin.href, "username": origin.name}})
}

/// The store op of an event.
pub fn row(org: u32, origin: &Origin, now: Timestamp, event: Event) -> EventRow {
    let status = event.http_status.unwrap_or(origin.status);
    let action = action(origin, status);
    row_with(org, origin, now, event, action)
}

/// The store op of an event with an action of its own.
pub fn row_with(
    org: u32,
    origin: &Origin,
    now: Timestamp,
    event: Event,
    action: Value,
) -> EventRow {
    let id = new_uuid();
    let href =
        if org == 0 { format!("/system_events/{id}") } else { format!("/orgs/{org}/events/{id}") };
    let changes: Vec<Value> = event.changes.into_iter().map(|c| c.0).collect();
    let doc = json!({
        "href": href,
        "timestamp": wire_time(now),
        "pce_fqdn": origin.pce_fqdn.as_ref(),
        "created_by": created_by(origin),
        "event_type": event.event_type,
        "status": event.status,
        "severity": event.severity,
        "action": action,
        "resource_changes": changes,
        "notifications": event.notifications,
        "version": 2,
    });
    EventRow {
        org,
        id: Id::uuid(id),
        timestamp_us: now.as_microsecond(),
        event_type: event.event_type.into(),
        status: event.status.map(Into::into),
        severity: event.severity.into(),
        created_by: origin.href.as_str().into(),
        doc: doc.to_string().into_bytes().into(),
    }
}

/// The store op that records a refused request.
pub fn refused(
    org: u32,
    origin: &Origin,
    now: Timestamp,
    (event_type, notes): (&str, &[Value]),
    error: &bulkhead_api::ApiError,
) -> Op {
    let (mut event, action) = refusal(origin, event_type, error.status(), &error.items());
    event.notifications.extend_from_slice(notes);
    Op::AddEvent(row_with(org, origin, now, event, action))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn val(v: Value) -> Val {
        Val::from_json(&v)
    }

    #[test]
    fn lists_differ_by_their_elements() {
        let label = |n: u32| json!({"href": format!("/orgs/1/labels/{n}")});
        let old = val(json!([label(1), label(2), {"href": "/orgs/1/labels/3", "exclusion": true}]));
        let new =
            val(json!([label(2), label(4), {"href": "/orgs/1/labels/3", "exclusion": false}]));
        assert_eq!(
            difference(1, Some(&old), Some(&new)),
            json!({
                "created": [label(4)],
                "deleted": [label(1)],
                "updated": [{"href": "/orgs/1/labels/3", "exclusion": false}],
            })
        );
        assert_eq!(
            difference(1, None, Some(&val(json!(["a"])))),
            json!({"created": ["a"], "deleted": [], "updated": []})
        );
    }

    #[test]
    fn other_fields_differ_as_a_whole() {
        assert_eq!(
            difference(1, None, Some(&val(json!({"a": 1})))),
            json!({"before": null, "after": {"a": 1}})
        );
    }
}
