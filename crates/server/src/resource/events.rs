//! Audit events: finding them, and which are recorded at all.
//!
//! Events live in the store only; nothing of them is kept in memory.

use super::Hooks;
use crate::clock::wire_time;
use crate::http::{Cx, Handler, Reply, jobs};
use crate::render;
use crate::world::{SYSTEM, Side, World};
use bulkhead_api::{ApiError, limits};
use bulkhead_ids::{Id, Kind};
use bulkhead_store::{EventFilter, EventPage, Op, Store};
use bytes::Bytes;
use jiff::Timestamp;
use std::sync::Arc;

/// What Event adds to the common mechanism.
pub const HOOKS: Hooks = Hooks::NONE;

/// Severities, the gravest first, as syslog numbers them.
const SEVERITIES: &[&str] =
    &["emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"];

/// Handlers of the operations that are not standard.
pub fn handler(id: &str) -> Option<Handler> {
    match id {
        "event_list" | "system_events_list" => Some(|cx| Box::pin(list(cx))),
        "event_get" | "system_events_get" => Some(|cx| Box::pin(get(cx))),
        _ => None,
    }
}

/// The syslog number down to which events are recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Threshold(usize);

impl Default for Threshold {
    fn default() -> Self {
        Self(6)
    }
}

/// Which events an organisation records: those at least as grave as its settings say.
pub fn min_severity(world: &World) -> Threshold {
    let settings = world.get(Kind::EventSettings, Id::SINGLETON);
    match settings.and_then(|s| s.doc.str("audit_event_min_severity")) {
        Some("error") => Threshold(3),
        Some("warning") => Threshold(4),
        _ => Threshold::default(),
    }
}

/// Whether an op is kept: all but events below the threshold of their organisation.
pub fn recorded(op: &Op, threshold: impl Fn(u32) -> Threshold) -> bool {
    let Op::AddEvent(event) = op else { return true };
    let number = SEVERITIES.iter().position(|s| *s == event.severity.as_ref());
    number.unwrap_or_default() <= threshold(event.org).0
}

/// What a request asks for.
#[derive(Debug, Default)]
struct Query {
    filter: EventFilter,
    max_results: Option<usize>,
}

fn one_of(name: &str, value: &str, values: &[&str]) -> Result<Box<str>, ApiError> {
    if values.contains(&value) {
        return Ok(value.into());
    }
    Err(ApiError::input(format!("`{name}` is one of {}", values.join(", "))))
}

fn time(name: &str, value: &str) -> Result<i64, ApiError> {
    let time: Result<Timestamp, _> = value.parse();
    time.map(Timestamp::as_microsecond).map_err(|_| {
        ApiError::input(format!("`{name}` is a full RFC 3339 time like 2026-01-31T12:00:00Z"))
    })
}

impl Query {
    /// Reads the parameters; `href_of` finds the account with a name.
    fn parse(
        parameters: &[(String, String)],
        system: bool,
        href_of: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, ApiError> {
        let mut q = Self::default();
        let statuses: &[&str] =
            if system { &["success", "failure"] } else { &["success", "failure", "nil"] };
        for (name, value) in parameters {
            let f = &mut q.filter;
            match name.as_str() {
                "event_type" | "event_type[eq][]" | "event_type[eq]" | "event_type[]" => {
                    f.event_types.push(value.as_str().into());
                }
                "severity" => f.severity = Some(one_of(name, value, SEVERITIES)?),
                "status" => {
                    let status = one_of(name, value, statuses)?;
                    f.status = Some(if value == "nil" { "".into() } else { status });
                }
                "created_by" if value == "system" => f.created_by = Some("".into()),
                "created_by" => {
                    let href = href_of(value).unwrap_or_else(|| value.clone());
                    f.created_by = Some(href.into());
                }
                "timestamp[gte]" => f.timestamp_gte_us = Some(time(name, value)?),
                "timestamp[lte]" => f.timestamp_lte_us = Some(time(name, value)?),
                "max_results" => {
                    let n = value.parse().ok().filter(|n| *n <= limits::EVENT_ROWS_MAX);
                    q.max_results = Some(n.ok_or_else(|| {
                        let max = limits::EVENT_ROWS_MAX;
                        ApiError::input(format!(
                            "`max_results` is 0 to {max}; for more send `Prefer: respond-async`"
                        ))
                    })?);
                }
                _ => {
                    return Err(ApiError::input(format!(
                        "`{name}` is no query parameter of this list; it takes event_type, \
                         severity, status, created_by, timestamp[gte], timestamp[lte], max_results"
                    )));
                }
            }
        }
        Ok(q)
    }
}

/// The href of the user or service account with a name; hrefs stand for themselves.
fn account(system: &World, world: &World, name: &str) -> Option<String> {
    let find = |world: &World, kind, field: &str| {
        let mut all = world.objects(Side::Draft, kind);
        let obj = all.find(|o| o.doc.str(field) == Some(name))?;
        Some(crate::audit::href_of(world, obj).to_string())
    };
    find(system, Kind::User, "username")
        .or_else(|| find(world, Kind::ServiceAccount, "name"))
        .or_else(|| find(world, Kind::ContainerCluster, "name"))
        .or_else(|| find(world, Kind::Ven, "hostname"))
}

/// An event as the API shows it: the stored form without the version that syslog copies carry.
///
/// Members are stored in the order of their names, so that the version is the last.
fn shown(doc: Vec<u8>) -> Bytes {
    if let Some(head) = doc.strip_suffix(b",\"version\":2}") {
        let mut head = head.to_vec();
        head.push(b'}');
        return head.into();
    }
    match serde_json::from_slice::<serde_json::Map<String, serde_json::Value>>(&doc) {
        Ok(mut map) => {
            map.remove("version");
            serde_json::Value::Object(map).to_string().into()
        }
        Err(_) => doc.into(),
    }
}

fn failed(e: &bulkhead_store::StoreError) -> ApiError {
    ApiError::Unavailable(format!("events cannot be read: {e}"))
}

async fn read(
    store: Arc<dyn Store>,
    org: u32,
    filter: EventFilter,
    limit: usize,
) -> Result<(Bytes, EventPage), ApiError> {
    let found = tokio::task::spawn_blocking(move || {
        let mut page = store.events(org, &filter, limit)?;
        let rows = std::mem::take(&mut page.rows);
        Ok((render::array(rows.into_iter().map(shown)).into(), page))
    });
    let found = found.await.map_err(|e| ApiError::Internal(e.to_string()))?;
    found.map_err(|e| failed(&e))
}

async fn list(cx: &Cx) -> Result<Reply, ApiError> {
    let system = cx.app.state.world(SYSTEM).ok_or(ApiError::NotFound)?;
    let name = |name: &str| account(&system, &cx.world, name);
    let query = Query::parse(&cx.query, cx.org == SYSTEM, name)?;
    let (store, org) = (cx.app.state.store.clone(), cx.org);
    // Jobs belong to organisations: events of the PCE itself are answered at once.
    if cx.respond_async && org != SYSTEM {
        let limit = query.max_results.unwrap_or(limits::EVENT_ROWS_ASYNC_MAX);
        let body = async move { Ok(read(store, org, query.filter, limit).await?.0) };
        return jobs::start_with(cx, body).await;
    }
    let limit = query.max_results.unwrap_or(limits::EVENT_ROWS_DEFAULT);
    let (body, page) = read(store, org, query.filter, limit).await?;
    let reply = Reply::ok(body);
    Ok(reply.with("x-total-count", page.total).with("x-matched-count", page.matched))
}

async fn get(cx: &Cx) -> Result<Reply, ApiError> {
    let id = cx.id(Kind::Event, "id")?;
    let (store, org) = (cx.app.state.store.clone(), cx.org);
    let found = tokio::task::spawn_blocking(move || store.event(org, id));
    let found = found.await.map_err(|e| ApiError::Internal(e.to_string()))?;
    let doc = found.map_err(|e| failed(&e))?.ok_or(ApiError::NotFound)?;
    Ok(Reply::ok(shown(doc)))
}

/// Removes events that are older than the organisation keeps them; says whether there were any.
///
/// # Errors
/// `Unavailable` when the store fails.
pub fn prune(app: &crate::app::App, world: &World) -> Result<bool, ApiError> {
    let settings = world.get(Kind::EventSettings, Id::SINGLETON);
    let keep_s = settings
        .and_then(|s| s.doc.int("audit_event_retention_seconds"))
        .unwrap_or(i64::from(limits::EVENT_KEEP_DAYS_DEFAULT) * 86_400);
    let now = app.state.clock.now();
    let before_us = now.as_microsecond().saturating_sub(keep_s.saturating_mul(1_000_000));
    let old = EventFilter { timestamp_lte_us: Some(before_us - 1), ..EventFilter::default() };
    let matched = app.state.store.events(world.org, &old, 0).map_err(|e| failed(&e))?.matched;
    if matched == 0 {
        return Ok(false);
    }
    let org = world.org;
    let before = Timestamp::from_microsecond(before_us).map(wire_time).unwrap_or_default();
    app.state.write_blocking(org, &app.origin(), |txn| {
        txn.event_type = Some("system_task.prune_old_log_events".into());
        txn.notifications.push(crate::audit::notification(
            "system_task.event_pruning_completed",
            serde_json::json!({"events_removed": matched, "older_than": before}),
        ));
        txn.op(Op::PruneEvents { org, before_us });
        Ok(())
    })?;
    tracing::info!(org.id = org, events = matched, "old audit events removed");
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(query: &str, system: bool) -> Result<Query, ApiError> {
        let parameters = crate::http::path::query(query).unwrap();
        Query::parse(&parameters, system, |n| (n == "ana").then(|| "/users/7".into()))
    }

    #[test]
    fn filters_are_read() {
        let q = parse(
            "event_type[eq][]=a.b&event_type[eq][]=c.d&status=nil&severity=err&created_by=ana\
             &timestamp[gte]=1970-01-01T00:00:01Z&timestamp[lte]=1970-01-01T01:00:02%2B01:00\
             &max_results=10000",
            false,
        )
        .unwrap();
        let want = EventFilter {
            event_types: vec!["a.b".into(), "c.d".into()],
            status: Some("".into()),
            severity: Some("err".into()),
            created_by: Some("/users/7".into()),
            timestamp_gte_us: Some(1_000_000),
            timestamp_lte_us: Some(2_000_000),
            text: None,
        };
        assert_eq!((q.filter, q.max_results), (want, Some(10_000)));
        assert_eq!(parse("created_by=system", false).unwrap().filter.created_by, Some("".into()));
    }

    #[test]
    fn bad_filters_are_refused() {
        for query in [
            "max_results=10001",
            "max_results=-1",
            "timestamp[gte]=2026-01-01",
            "severity=bad",
            "status=nil&x=1",
            "status=maybe",
        ] {
            assert_eq!(parse(query, false).unwrap_err().status(), 406, "{query}");
        }
        assert!(parse("status=nil", true).is_err(), "no nil for events of the PCE");
    }

    #[test]
    fn answers_leave_the_version_out() {
        assert_eq!(shown(br#"{"a":1,"version":2}"#.to_vec()), br#"{"a":1}"#.as_ref());
        assert_eq!(shown(br#"{"version":2,"z":1}"#.to_vec()), br#"{"z":1}"#.as_ref());
    }

    #[test]
    fn the_threshold_is_by_severity() {
        let op = |severity: &str| {
            Op::AddEvent(bulkhead_store::EventRow {
                org: 1,
                id: Id::SINGLETON,
                timestamp_us: 0,
                event_type: "a.b".into(),
                status: None,
                severity: severity.into(),
                created_by: "".into(),
                doc: Arc::from(&b"{}"[..]),
            })
        };
        let kept = |s: &str, t| recorded(&op(s), |_| Threshold(t));
        assert!(kept("info", 6) && kept("err", 6) && !kept("debug", 6));
        assert!(!kept("info", 4) && kept("warning", 4) && !kept("warning", 3) && kept("crit", 3));
    }
}
