//! Calls about many workloads at once.

use super::check::one_label_of_a_key;
use crate::doc::Val;
use crate::http::{Cx, Reply};
use crate::resource::bulk::{self, Deed};
use crate::resource::{crud, refs};
use crate::txn::Txn;
use crate::world::Obj;
use bulkhead_api::ApiError;
use bulkhead_ids::{AnyHref, Id, Kind};
use serde_json::{Map, Value, json};
use std::collections::HashSet;
use std::sync::Arc;

/// Creates up to a thousand unmanaged workloads.
pub(super) async fn create(cx: &Cx) -> Result<Reply, ApiError> {
    bulk::create(cx, Kind::Workload).await
}

/// Updates up to a thousand workloads, each named by its href.
pub(super) async fn update(cx: &Cx) -> Result<Reply, ApiError> {
    let mut seen = HashSet::new();
    bulk::run(cx, Deed::Update, |txn, mut body| {
        let old = named(txn, &body)?;
        once(&mut seen, old.id)?;
        body.remove("href");
        crud::update(txn, &old, body)
    })
    .await
}

/// Deletes up to a thousand workloads, each named by its href or by its external reference.
pub(super) async fn delete(cx: &Cx) -> Result<Reply, ApiError> {
    let mut seen = HashSet::new();
    bulk::run(cx, Deed::Delete, |txn, body| {
        let old = named(txn, &body)?;
        once(&mut seen, old.id)?;
        crud::delete(txn, &old)?;
        Ok(old)
    })
    .await
}

fn once(seen: &mut HashSet<Id>, id: Id) -> Result<(), ApiError> {
    if seen.insert(id) {
        return Ok(());
    }
    Err(ApiError::input("an item before names the same workload: name each once"))
}

/// The workload that an item names; deleted ones too, so that the refusal says so.
fn named(txn: &Txn<'_>, item: &Map<String, Value>) -> Result<Arc<Obj>, ApiError> {
    let s = item.get("href").and_then(Value::as_str).unwrap_or_default();
    let gone = || ApiError::invalid("not_found_error", format!("there is no workload {s}"));
    let id = match s.split_once('?') {
        Some((collection, query)) => external(txn, collection, query)
            .ok_or_else(|| ApiError::invalid_uri(s))?
            .ok_or_else(gone)?,
        None => {
            let h: AnyHref = s.parse().map_err(|_| ApiError::invalid_uri(s))?;
            if (h.org, h.kind) != (Some(txn.world.org), Kind::Workload) {
                return Err(ApiError::invalid_uri(s));
            }
            h.id
        }
    };
    txn.world.get(Kind::Workload, id).cloned().ok_or_else(gone)
}

/// What the collection with an external reference as its query names: `None` for anything else,
/// `Some(None)` where no workload has that reference.
fn external(txn: &Txn<'_>, collection: &str, query: &str) -> Option<Option<Id>> {
    if collection != format!("/orgs/{}/workloads", txn.world.org) {
        return None;
    }
    let pairs = crate::http::path::query(query)?;
    let of = |name: &str| pairs.iter().find(|(k, _)| k == name).map(|(_, v)| v.as_str());
    let (set, reference) = (of("external_data_set")?, of("external_data_reference")?);
    Some(txn.world.by_external(Kind::Workload, set, reference))
}

/// Puts labels on workloads; a label takes the place of one with the same key.
pub(super) async fn set_labels(cx: &Cx) -> Result<Reply, ApiError> {
    relabel(cx, |txn, labels, old| {
        let key = |id: Id| txn.world.get(Kind::Label, id).and_then(|l| l.doc.str("key"));
        let taken: Vec<Option<&str>> = labels.iter().map(|id| key(*id)).collect();
        let kept = old.iter().copied().filter(|id| !taken.contains(&key(*id)));
        kept.chain(labels.iter().copied()).collect()
    })
    .await
}

/// Takes labels off the workloads that have them.
pub(super) async fn remove_labels(cx: &Cx) -> Result<Reply, ApiError> {
    relabel(cx, |_, labels, old| old.iter().copied().filter(|id| !labels.contains(id)).collect())
        .await
}

/// Changes the labels of workloads, all or none: with the labels of the body and those of a workload.
async fn relabel(
    cx: &Cx,
    with: impl Fn(&Txn<'_>, &[Id], &[Id]) -> Vec<Id>,
) -> Result<Reply, ApiError> {
    cx.write(&cx.op.event, |txn| {
        tokio::task::block_in_place(|| {
            let labels = hrefs(txn, &cx.body, "labels")?;
            one_label_of_a_key(&txn.world, cx.body.get("labels"), "a workload")?;
            for id in hrefs(txn, &cx.body, "workloads")? {
                let old = txn.world.get(Kind::Workload, id).cloned().ok_or(ApiError::NotFound)?;
                let before: Vec<Id> =
                    old.doc.list("labels").iter().filter_map(Val::target).map(|t| t.1).collect();
                let after = with(txn, &labels, &before);
                if after == before {
                    continue;
                }
                let org = txn.world.org;
                let list: Value = after
                    .iter()
                    .map(|id| json!({"href": format!("/orgs/{org}/labels/{id:?}")}))
                    .collect();
                crud::update(txn, &old, Map::from_iter([("labels".to_owned(), list)]))?;
            }
            Ok(())
        })
    })
    .await?;
    Ok(Reply::no_content())
}

/// The ids of the objects that a member of the body lists.
fn hrefs(txn: &Txn<'_>, body: &Value, member: &str) -> Result<Vec<Id>, ApiError> {
    let list = body.get(member).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    list.iter()
        .map(|v| refs::find(&txn.world, v.get("href").and_then(Value::as_str).unwrap_or_default()))
        .map(|found| found.map(|(_, id)| id))
        .collect()
}
