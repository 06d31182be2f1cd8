//! Access restrictions: from where accounts may call. They are enforced in [`crate::authz`].
//!
//! Source: REST API guide 25.2 and PCE administration guide, "Access restrictions".

use super::{Hooks, crud};
use crate::authz;
use crate::http::{Cx, Handler, Reply, standard};
use crate::txn::Txn;
use crate::world::{Obj, SYSTEM};
use bulkhead_api::{ApiError, limits};
use bulkhead_ids::Kind;
use serde_json::{Map, Value, json};

/// What AccessRestriction adds to the common mechanism.
pub const HOOKS: Hooks = Hooks { check: Some(check), ..Hooks::NONE };

/// Handlers of the operations that are not standard.
pub fn handler(id: &str) -> Option<Handler> {
    match id {
        "access_restriction_update" => Some(|cx| Box::pin(guarded_update(cx))),
        _ => None,
    }
}

fn check(
    txn: &mut Txn<'_>,
    doc: &mut Map<String, Value>,
    old: Option<&Obj>,
) -> Result<(), ApiError> {
    let most = limits::ACCESS_RESTRICTIONS_MAX;
    if old.is_none() && txn.world.count(Kind::AccessRestriction) >= most {
        return Err(ApiError::invalid(
            "access_restriction_limit_exceeded",
            format!("an organisation has at most {most} access restrictions"),
        ));
    }
    let ips = doc.get("ips").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    for ip in ips.iter().filter_map(Value::as_str) {
        if !authz::is_block(ip) {
            return Err(ApiError::invalid(
                "invalid_ip_address",
                format!("`{ip}` is no address or CIDR block without bits below its prefix"),
            ));
        }
    }
    if doc.get("enforcement_exclusions").is_none_or(Value::is_null) {
        doc.insert("enforcement_exclusions".into(), json!([]));
    }
    Ok(())
}

/// The standard update, refused where it would shut the caller out: for restrictions and for what
/// they are assigned to.
///
/// # Errors
/// Those of an update; 406 with token `access_restriction_excludes_caller` (own choice).
pub async fn guarded_update(cx: &Cx) -> Result<Reply, ApiError> {
    let kind = cx.op.kind.ok_or(ApiError::NotFound)?;
    let caller = cx.caller.as_ref().ok_or(ApiError::Unauthenticated)?;
    let system = cx.app.state.world(SYSTEM).ok_or(ApiError::NotFound)?;
    cx.write(&cx.op.event, |txn| {
        let old = standard::draft(cx, &txn.world, kind)?;
        crud::update(txn, &old, cx.object())?;
        if authz::allowed_in(&system, &txn.world, caller, cx.peer) {
            return Ok(());
        }
        Err(ApiError::invalid(
            "access_restriction_excludes_caller",
            format!("you would be shut out: you call from {}", cx.peer),
        ))
    })
    .await?;
    Ok(Reply::no_content())
}
