//! Organisations.

use super::{Hooks, crud};
use crate::http::{Cx, Handler, Reply};
use crate::render::{Caps, View};
use crate::world::{Obj, SYSTEM, World};
use bulkhead_api::ApiError;
use bulkhead_ids::{Id, Kind};
use serde_json::{Map, Value};
use std::sync::Arc;

/// What Org adds to the common mechanism.
pub const HOOKS: Hooks = Hooks { check: Some(check), ..Hooks::NONE };

/// Handlers of the operations that are not standard: organisations rest in the PCE's own world,
/// while callers are checked against the one that the path names.
pub fn handler(id: &str) -> Option<Handler> {
    match id {
        "org_get" => Some(|cx| Box::pin(get(cx))),
        "org_update" => Some(|cx| Box::pin(update(cx))),
        _ => None,
    }
}

fn check(
    txn: &mut crate::txn::Txn<'_>,
    doc: &mut Map<String, Value>,
    old: Option<&Obj>,
) -> Result<(), ApiError> {
    let name = doc.get("display_name").cloned().unwrap_or_default();
    if old.is_some_and(|o| o.doc.str("display_name") != name.as_str()) {
        doc.insert("updated_at".into(), txn.time().into());
    }
    doc.insert("name".into(), name);
    Ok(())
}

fn find(world: &World, org: u32) -> Result<Arc<Obj>, ApiError> {
    world.get(Kind::Org, Id::int(org.into())).cloned().ok_or(ApiError::NotFound)
}

async fn get(cx: &Cx) -> Result<Reply, ApiError> {
    let system = cx.app.state.world(SYSTEM).ok_or(ApiError::NotFound)?;
    let org = find(&system, cx.org)?;
    Ok(Reply::ok(View::draft(&system, Caps::default()).obj(&org, None)))
}

async fn update(cx: &Cx) -> Result<Reply, ApiError> {
    let change = |txn: &mut crate::txn::Txn<'_>| {
        txn.event_type = Some(cx.op.event.clone());
        txn.event_in(cx.org);
        let old = find(&txn.world, cx.org)?;
        crud::update(txn, &old, cx.object()).map(|_| ())
    };
    cx.app.state.write(SYSTEM, &cx.origin, change).await?;
    Ok(Reply::no_content())
}
