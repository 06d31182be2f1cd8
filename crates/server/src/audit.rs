//! The audit trail: one event per request that changes something, in the commit of the change.
//!
//! Source: REST API guide 25.2, "Events"; the event object as in the schema `events_get` 25.2.20.

use crate::clock::{new_uuid, ordered_uuid, wire_time};
use crate::doc::{Val, href};
use crate::txn::Origin;
use crate::world::{Obj, World};
use bulkhead_api::ErrorItem;
use bulkhead_ids::{AnyHref, Id, Kind, Place, PolicyVersion};
use bulkhead_store::{EventRow, Op};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};
use std::sync::Arc;

/// Fields that name an object in an event.
const NAMES: &[&str] = &["name", "hostname", "key", "value", "username", "sid"];
/// Fields that every change touches; the event's own time and actor say the same.
const SKIPPED: &[&str] =
    &["created_at", "created_by", "updated_at", "updated_by", "deleted_at", "deleted_by"];

/// One element of `resource_changes`. It is written out once, when its event is.
pub struct Change(What);

enum What {
    Object { org: u32, before: Option<Arc<Obj>>, after: Option<Arc<Obj>> },
    Custom { change_type: &'static str, resource: Value, changes: Value },
}

impl Change {
    /// What happened to an object: created without `before`, deleted without `after`.
    pub const fn of(world: &World, before: Option<Arc<Obj>>, after: Option<Arc<Obj>>) -> Self {
        Self(What::Object { org: world.org, before, after })
    }

    /// A change of something that is no object of the world.
    pub const fn custom(change_type: &'static str, resource: Value, changes: Value) -> Self {
        Self(What::Custom { change_type, resource, changes })
    }

    fn write(&self, out: &mut Vec<u8>) {
        let mut members = Members::new(out);
        match &self.0 {
            What::Object { org, before, after } => {
                let (before, after) = (before.as_deref(), after.as_deref());
                let gone = after.is_none_or(|a| a.doc.is("deleted"));
                let change_type = match (before, gone) {
                    (None, _) => "create",
                    (Some(_), true) => "delete",
                    (Some(_), false) => "update",
                };
                members.add("change_type", change_type);
                let docs = (before.map(|o| &*o.doc), after.map(|o| &*o.doc));
                differences(*org, docs, members.name("changes"));
                if let Some(obj) = after.or(before) {
                    names(*org, obj, members.name("resource"));
                }
            }
            What::Custom { change_type, resource, changes } => {
                members.add("change_type", change_type);
                members.add("changes", changes);
                members.add("resource", resource);
            }
        }
        members.add("uuid", &new_uuid().to_string());
        members.end();
    }
}

/// The members of a JSON object that is written as text.
struct Members<'a> {
    out: &'a mut Vec<u8>,
    any: bool,
}

impl<'a> Members<'a> {
    fn new(out: &'a mut Vec<u8>) -> Self {
        out.push(b'{');
        Self { out, any: false }
    }

    /// Writes a name; the caller writes the value.
    fn name(&mut self, name: &str) -> &mut Vec<u8> {
        if self.any {
            self.out.push(b',');
        }
        self.any = true;
        json_text(name, self.out);
        self.out.push(b':');
        self.out
    }

    fn add(&mut self, name: &str, value: &(impl Serialize + ?Sized)) {
        json_text(value, self.name(name));
    }

    fn end(self) {
        self.out.push(b'}');
    }
}

fn json_text(value: &(impl Serialize + ?Sized), out: &mut Vec<u8>) {
    // INVARIANT: writing to a Vec does not fail, and names, texts and JSON values are always valid JSON.
    let _ = serde_json::to_writer(out, value);
}

/// Writes a list, each element by a function.
fn list<T>(out: &mut Vec<u8>, items: impl Iterator<Item = T>, write: impl Fn(T, &mut Vec<u8>)) {
    out.push(b'[');
    for (n, item) in items.enumerate() {
        if n > 0 {
            out.push(b',');
        }
        write(item, out);
    }
    out.push(b']');
}

/// The href of an object in its draft version.
pub fn href_of(world: &World, obj: &Obj) -> AnyHref {
    href_in(world.org, obj)
}

fn href_in(org: u32, obj: &Obj) -> AnyHref {
    let mut h = href(org, PolicyVersion::Draft, obj.kind, obj.id);
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

fn names(org: u32, obj: &Obj, out: &mut Vec<u8>) {
    let mut resource = Members::new(out);
    let mut members = Members::new(resource.name(obj.kind.name()));
    members.add("href", &href_in(org, obj).to_string());
    for name in NAMES {
        if let Some(v) = obj.doc.str(name) {
            members.add(name, v);
        }
    }
    members.end();
    resource.end();
}

fn differences(org: u32, (before, after): (Option<&Val>, Option<&Val>), out: &mut Vec<u8>) {
    let shown = |key: &&str| !key.starts_with('_') && !SKIPPED.contains(key);
    let docs = before.into_iter().chain(after);
    let mut all: Vec<&'static str> =
        docs.flat_map(Val::entries).map(|(k, _)| *k).filter(shown).collect();
    all.sort_unstable();
    all.dedup();
    let mut members = Members::new(out);
    for key in all {
        let (b, a) = (before.and_then(|v| v.get(key)), after.and_then(|v| v.get(key)));
        if b != a {
            difference(org, (b, a), members.name(key));
        }
    }
    members.end();
}

/// How one field differs: lists by their elements, anything else as before and after.
fn difference(org: u32, (before, after): (Option<&Val>, Option<&Val>), out: &mut Vec<u8>) {
    let is_list = |v: Option<&Val>| matches!(v, Some(Val::Arr(_)));
    let mut members = Members::new(out);
    if !is_list(before) && !is_list(after) {
        after.unwrap_or(&Val::Null).write(org, members.name("after"));
        before.unwrap_or(&Val::Null).write(org, members.name("before"));
        return members.end();
    }
    let (old, new) =
        (before.map(Val::items).unwrap_or_default(), after.map(Val::items).unwrap_or_default());
    // An element that still refers to the same object, but says something else of it, is updated.
    let kept = |v: &Val, others: &[Val]| {
        v.target().is_some_and(|t| others.iter().any(|o| o.target() == Some(t)))
    };
    let mut only = |name: &str, these: &[Val], others: &[Val], updated: bool| {
        let differ = these.iter().filter(|v| !others.contains(v));
        let differ = differ.filter(|v| kept(v, others) == updated);
        list(members.name(name), differ, |v, out| v.write(org, out));
    };
    only("created", new, old, false);
    only("deleted", old, new, false);
    only("updated", new, old, true);
    members.end();
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
    let id = ordered_uuid();
    let href =
        if org == 0 { format!("/system_events/{id}") } else { format!("/orgs/{org}/events/{id}") };
    let mut doc = Vec::with_capacity(1024);
    let mut members = Members::new(&mut doc);
    members.add("action", &action);
    members.add("created_by", &created_by(origin));
    members.add("event_type", &event.event_type);
    members.add("href", &href);
    members.add("notifications", &event.notifications);
    members.add("pce_fqdn", origin.pce_fqdn.as_ref());
    let changes = members.name("resource_changes");
    list(changes, event.changes.iter(), Change::write);
    members.add("severity", event.severity);
    members.add("status", &event.status);
    members.add("timestamp", &wire_time(now));
    members.add("version", &2);
    members.end();
    EventRow {
        org,
        id: Id::uuid(id),
        timestamp_us: now.as_microsecond(),
        event_type: event.event_type.into(),
        status: event.status.map(Into::into),
        severity: event.severity.into(),
        created_by: origin.href.as_str().into(),
        doc: doc.into(),
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

    fn told(before: Option<&Val>, after: Option<&Val>) -> Value {
        let mut out = Vec::new();
        difference(1, (before, after), &mut out);
        serde_json::from_slice(&out).unwrap()
    }

    #[test]
    fn lists_differ_by_their_elements() {
        let label = |n: u32| json!({"href": format!("/orgs/1/labels/{n}")});
        let old = val(json!([label(1), label(2), {"href": "/orgs/1/labels/3", "exclusion": true}]));
        let new =
            val(json!([label(2), label(4), {"href": "/orgs/1/labels/3", "exclusion": false}]));
        assert_eq!(
            told(Some(&old), Some(&new)),
            json!({
                "created": [label(4)],
                "deleted": [label(1)],
                "updated": [{"href": "/orgs/1/labels/3", "exclusion": false}],
            })
        );
        assert_eq!(
            told(None, Some(&val(json!(["a"])))),
            json!({"created": ["a"], "deleted": [], "updated": []})
        );
    }

    #[test]
    fn other_fields_differ_as_a_whole() {
        assert_eq!(
            told(None, Some(&val(json!({"a": 1})))),
            json!({"before": null, "after": {"a": 1}})
        );
    }
}
