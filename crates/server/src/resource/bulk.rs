//! Bulk calls: many objects in one change, item by item.
//!
//! An item that breaks its schema, or fails later and is undone, is told; the others stand. The whole
//! call is one commit with one event, so a crash leaves all of it or nothing. How many items a call takes
//! stands in its schema.

use super::crud;
use crate::http::{Cx, Reply};
use crate::txn::Txn;
use crate::world::Obj;
use bulkhead_api::ApiError;
use bulkhead_ids::{AnyHref, Kind, PolicyVersion};
use http::StatusCode;
use serde_json::{Map, Value, json};
use std::sync::Arc;
use tokio::task::block_in_place;

/// What is done to each item; decides the form of the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    /// Items are bodies of new objects.
    Create,
    /// Items are changes, each with the href of its object.
    Update,
    /// Items are hrefs; the answer tells failures only.
    Delete,
}

/// What became of one item.
pub struct Outcome {
    /// The object, as the item named it or as it was created.
    pub href: Option<String>,
    /// Why it failed.
    pub error: Option<ApiError>,
    /// Whether it failed because it breaks its schema.
    pub malformed: bool,
}

/// Changes item by item, undoing what a failing one did; items that break their schema are passed over.
///
/// # Errors
/// Only for faults of the server, which end the call.
pub fn each(
    txn: &mut Txn<'_>,
    items: Vec<(&Value, Result<(), ApiError>)>,
    mut change: impl FnMut(&mut Txn<'_>, Map<String, Value>) -> Result<Arc<Obj>, ApiError>,
) -> Result<Vec<Outcome>, ApiError> {
    let mut outcomes = Vec::with_capacity(items.len());
    for (item, checked) in items {
        let mark = txn.mark();
        let body = item.as_object().cloned().unwrap_or_default();
        let named = body.get("href").and_then(Value::as_str).map(str::to_owned);
        let malformed = checked.is_err();
        let outcome = match checked.and_then(|()| change(txn, body)) {
            Ok(obj) => {
                let href = crate::audit::href_of(&txn.world, &obj).to_string();
                Outcome { href: Some(named.unwrap_or(href)), error: None, malformed }
            }
            Err(e @ (ApiError::Internal(_) | ApiError::Unavailable(_))) => return Err(e),
            Err(e) => {
                txn.back_to(mark);
                Outcome { href: named, error: Some(e), malformed }
            }
        };
        outcomes.push(outcome);
    }
    Ok(outcomes)
}

/// Runs a bulk call: the body's items, one change, one event named after the operation.
///
/// # Errors
/// 406 outside the draft; faults of the server.
pub async fn run(
    cx: &Cx,
    deed: Deed,
    mut change: impl FnMut(&mut Txn<'_>, Map<String, Value>) -> Result<Arc<Obj>, ApiError>,
) -> Result<Reply, ApiError> {
    cx.draft_only()?;
    let _running = guard(cx)?;
    // A thousand items keep a thread busy for tens of milliseconds: other tasks of it move elsewhere.
    let check = || cx.items().iter().map(|item| (item, cx.op.check_item(item))).collect();
    let items: Vec<_> = block_in_place(check);
    let change = |txn: &mut Txn<'_>| block_in_place(|| each(txn, items, &mut change));
    let (outcomes, _) = cx.write(&cx.op.event, change).await?;
    Ok(Reply::json(StatusCode::OK, &answer(deed, outcomes)))
}

/// The bulk call of an organisation that runs; ends with it.
struct Running<'a> {
    cx: &'a Cx,
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.cx.app.bulk.lock().remove(&self.cx.org);
    }
}

/// Refuses a second bulk call on workloads while one of the organisation runs.
///
/// Source: REST API guide 23.2, workload bulk operations.
fn guard(cx: &Cx) -> Result<Option<Running<'_>>, ApiError> {
    if cx.op.kind != Some(Kind::Workload) {
        return Ok(None);
    }
    if cx.app.bulk.lock().insert(cx.org) {
        Ok(Some(Running { cx }))
    } else {
        Err(ApiError::TooMany(1))
    }
}

/// Creates each item of the body.
///
/// # Errors
/// As [`run`].
pub async fn create(cx: &Cx, kind: Kind) -> Result<Reply, ApiError> {
    run(cx, Deed::Create, |txn, body| crud::create(txn, kind, None, body)).await
}

/// Updates the object that each item of the body names by its href.
///
/// # Errors
/// As [`run`].
pub async fn update(cx: &Cx, kind: Kind) -> Result<Reply, ApiError> {
    run(cx, Deed::Update, |txn, mut body| {
        let old = named(txn, kind, &body)?;
        body.remove("href");
        crud::update(txn, &old, body)
    })
    .await
}

/// Deletes the object that each item of the body names by its href.
///
/// # Errors
/// As [`run`].
pub async fn delete(cx: &Cx, kind: Kind) -> Result<Reply, ApiError> {
    run(cx, Deed::Delete, |txn, body| {
        let old = named(txn, kind, &body)?;
        crud::delete(txn, &old)?;
        Ok(old)
    })
    .await
}

/// The draft (or only) object of a kind that an item names by its href.
///
/// # Errors
/// `invalid_uri` for an href that is missing, malformed, of another kind or organisation, not of the
/// draft, or of an object that does not exist.
pub fn named(txn: &Txn<'_>, kind: Kind, item: &Map<String, Value>) -> Result<Arc<Obj>, ApiError> {
    let s = item.get("href").and_then(Value::as_str).unwrap_or_default();
    let bad = || ApiError::invalid_uri(s);
    let h: AnyHref = s.parse().map_err(|_| bad())?;
    let place = h.kind == kind && h.org == Some(txn.world.org);
    if !place || h.version.is_some_and(|v| v != PolicyVersion::Draft) {
        return Err(bad());
    }
    let obj = txn.world.get(kind, h.id).filter(|o| o.parent == h.parent);
    obj.cloned().ok_or_else(bad)
}

/// The answer of a bulk call, in the order of the request.
///
/// Failed items of creations carry `href: null`: one client reads the member of every element. Items that
/// break their schema have status `validation_failure`, others that fail `failed`.
pub fn answer(deed: Deed, outcomes: Vec<Outcome>) -> Value {
    let status = if deed == Deed::Create { "created" } else { "updated" };
    let one = |o: Outcome| match (deed, o.error) {
        (Deed::Delete, None) => None,
        (Deed::Delete, Some(e)) => Some(json!({"href": o.href, "errors": e.items()})),
        (_, None) => Some(json!({"href": o.href, "status": status})),
        (_, Some(e)) => {
            let items = e.items();
            let messages: Vec<&str> = items.iter().map(|i| i.message.as_str()).collect();
            Some(json!({
                "href": o.href.filter(|_| deed != Deed::Create),
                "status": if o.malformed { "validation_failure" } else { "failed" },
                "token": items.first().map_or("failed", |i| i.token.as_ref()),
                "message": messages.join("; "),
            }))
        }
    };
    outcomes.into_iter().filter_map(one).collect()
}
