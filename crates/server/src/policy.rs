//! The policy life cycle: pending, provisioning, versions, restore.
//!
//! Source: REST API guide 25.2, "Provisioning"; schemas `sec_policy*` of 25.2.20. A provisioning makes
//! a set of pending changes active as the next version; it must be closed, see [`closure`].

pub mod affected;
pub mod check;
pub mod closure;
pub mod coverage;
pub mod search;
pub mod subset;
pub mod versions;

use crate::audit::{self, Change};
use crate::doc::Val;
use crate::http::request::whole_number;
use crate::http::{Cx, Handler, Reply};
use crate::render::View;
use crate::txn::Txn;
use crate::world::{Obj, World};
use crate::x::assertions::{self, Verdict};
use crate::x::blocking;
use affected::{Affected, affected, affected_anew, outcome};
use bulkhead_api::{ApiError, limits};
use bulkhead_ids::{Id, Kind, PolicyVersion};
use closure::{Deed, Node, all_pending, members, missing};
use http::StatusCode;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Handlers of the operations that are not standard.
pub fn handler(id: &str) -> Option<Handler> {
    Some(match id {
        "sec_policy_create" => |cx| Box::pin(create(cx)),
        "sec_policy_get" => |cx| Box::pin(get(cx)),
        "sec_policy_pending_get" => |cx| Box::pin(pending(cx)),
        "sec_policy_pending_delete" => |cx| Box::pin(revert_all(cx)),
        "sec_policy_delete" => |cx| Box::pin(revert_named(cx)),
        "sec_policy_dependencies" => |cx| Box::pin(dependencies(cx)),
        "sec_policy_impact" => |cx| Box::pin(impact(cx)),
        "sec_policy_modified_objects" => |cx| Box::pin(modified(cx)),
        "sec_policy_essential_service_rules_get" => |cx| Box::pin(check::essential(cx)),
        "sec_policy_allow" => |cx| Box::pin(check::allow(cx)),
        "sec_policy_policy_check" => |cx| Box::pin(check::policy_check(cx)),
        "sec_policy_rule_search" => |cx| Box::pin(search::rule_search(cx)),
        "sec_policy_rule_coverage" => |cx| Box::pin(coverage::rule_coverage(cx)),
        "sec_policy_restore" => |cx| Box::pin(restore(cx)),
        _ => return None,
    })
}

/// Makes everything that is pending active, as a new version.
///
/// Computes the policies from nothing: for the first start and for samples, not for requests.
///
/// # Errors
/// None at present; the signature is that of a change.
pub fn provision_all(txn: &mut Txn<'_>, message: &str) -> Result<(), ApiError> {
    let set = all_pending(&txn.world);
    let workloads = affected_anew(&txn.world, &set).workloads();
    provision(txn, &set, Some(message), workloads);
    Ok(())
}

/// Makes a closed set of pending changes active, as a new version.
pub fn provision(
    txn: &mut Txn<'_>,
    set: &BTreeSet<Node>,
    message: Option<&str>,
    workloads: usize,
) -> Arc<Obj> {
    list_changes(txn, set, Deed::Commit);
    txn.world.version += 1;
    let version = txn.world.version;
    for (kind, id) in set {
        txn.activate(*kind, *id, version);
    }
    let counts: Map<String, Value> = subset::KINDS
        .iter()
        .map(|k| (k.collection().to_owned(), txn.world.count_active(*k).into()))
        .chain([("secure_connect_gateways".to_owned(), 0.into())])
        .collect();
    let by = &txn.origin.href;
    let doc = json!({
        "version": version,
        "commit_message": message,
        "workloads_affected": workloads,
        "object_counts": counts,
        "created_at": txn.time(),
        "created_by": {"href": if by.is_empty() { versions::SYSTEM_HREF } else { by }},
    });
    let obj = Obj::new(Kind::PolicyVersion, Id::int(version), None, Val::from_json(&doc));
    txn.save(obj.clone());
    obj
}

/// Puts what a set of changes does into the event, up to a bound.
fn list_changes(txn: &mut Txn<'_>, set: &BTreeSet<Node>, deed: Deed) {
    let mut changes = Vec::new();
    let mut more = 0_usize;
    for node in set {
        for (_, row) in members(&txn.world, *node) {
            if changes.len() >= limits::EVENT_CHANGES_MAX {
                more += 1;
                continue;
            }
            let gone = row.pending == Some(bulkhead_store::UpdateType::Delete);
            let draft = row.draft.clone().filter(|_| !gone);
            let (before, after) = match deed {
                Deed::Commit => (row.active.clone(), draft),
                Deed::Revert => (draft, row.active.clone()),
            };
            changes.push(Change::of(&txn.world, before, after));
        }
    }
    changes.into_iter().for_each(|c| txn.note_change(c));
    if more > 0 {
        let info = json!({"reason": format!("{more} more objects changed than are listed")});
        txn.notifications.push(audit::notification("sec_policy.changes_not_listed", info));
    }
}

/// What committing a set comes to.
struct Prospect {
    affected: Affected,
    /// Enabled assertions that would not hold.
    broken: Vec<Verdict>,
}

/// Works out what committing a set comes to, on a thread of its own: that takes longer than a change may.
async fn prospect(
    cx: &Cx,
    world: &Arc<World>,
    set: &BTreeSet<Node>,
    judged: bool,
) -> Result<Prospect, ApiError> {
    let (app, world, set) = (cx.app.clone(), world.clone(), set.clone());
    blocking(move || {
        app.compute.ask(&world, |sides| {
            let world = sides.world().clone();
            outcome(&world, sides, &set, |before, after| Prospect {
                affected: affected(&world, &set, (before, after)),
                broken: if judged { assertions::broken(&world, after) } else { Vec::new() },
            })
        })
    })
    .await
}

/// How often a provisioning starts again because what it provisions changed meanwhile. The last time it
/// takes what there is, with the count of a moment before, so that a draft that never rests can be
/// provisioned too; not where assertions must be judged on exactly what is provisioned.
const PROVISION_TRIES: usize = 10;

async fn create(cx: &Cx) -> Result<Reply, ApiError> {
    let message = cx.body.get("update_description").and_then(Value::as_str);
    let mut now = cx.world.clone();
    for left in (0..PROVISION_TRIES).rev() {
        let set = subset::named(&now, &cx.body)?;
        subset::allowed(&set, cx.roles())?;
        let before = draft_changes_of(&now);
        let prospect = prospect(cx, &now, &set, true).await?;
        assertions::refuse(&now, &prospect.broken)?;
        let mut moved = false;
        let made = cx
            .write("sec_policy.create", |txn| {
                let named = subset::named(&txn.world, &cx.body)?;
                let last = left == 0 && txn.world.count(Kind::Assertion) == 0;
                moved = !last && (named != set || draft_changes_of(&txn.world) != before);
                if moved {
                    return Err(ApiError::Unavailable(MOVED.into()));
                }
                subset::allowed(&named, cx.roles())?;
                subset::closed(&txn.world, Deed::Commit, &named)?;
                assertions::report(txn, &prospect.broken);
                Ok(provision(txn, &named, message, prospect.affected.workloads()))
            })
            .await;
        match made {
            Err(_) if moved => now = cx.app.state.world(cx.org).ok_or(ApiError::NotFound)?,
            made => {
                let (obj, world) = made?;
                let view = View::draft(&world, cx.caps(Kind::PolicyVersion));
                return Ok(Reply::text(StatusCode::CREATED, view.obj(&obj, None)));
            }
        }
    }
    Err(ApiError::Unavailable(MOVED.into()))
}

/// Why a provisioning gives up.
const MOVED: &str = "the draft changes faster than it can be provisioned; try again";

/// How often policy objects have changed: equal for two worlds with the same draft and active policy.
fn draft_changes_of(world: &World) -> u64 {
    world.changes(Kind::ALL.iter().copied().filter(|k| k.is_policy()))
}

/// One version; `active` is the newest.
async fn get(cx: &Cx) -> Result<Reply, ApiError> {
    let id = match cx.param("id") {
        "active" => Id::int(cx.world.version),
        _ => cx.id(Kind::PolicyVersion, "id")?,
    };
    let obj = cx.world.get(Kind::PolicyVersion, id).ok_or(ApiError::NotFound)?;
    Ok(Reply::ok(View::draft(&cx.world, cx.caps(Kind::PolicyVersion)).obj(obj, None)))
}

async fn pending(cx: &Cx) -> Result<Reply, ApiError> {
    let mut limit = limits::LIST_ROWS_DEFAULT;
    for (name, value) in &cx.query {
        if name != "max_results" {
            return Err(ApiError::input(format!(
                "`{name}` is no query parameter of this list; it takes max_results"
            )));
        }
        limit = whole_number(name, value)?;
    }
    Ok(Reply::json(StatusCode::OK, &versions::pending(&cx.world, cx.roles(), limit)))
}

/// Drops a closed set of pending changes.
pub fn revert(txn: &mut Txn<'_>, set: &BTreeSet<Node>) {
    list_changes(txn, set, Deed::Revert);
    for (kind, id) in set {
        txn.revert(*kind, *id);
    }
}

async fn revert_all(cx: &Cx) -> Result<Reply, ApiError> {
    cx.write("sec_policy_pending.delete", |txn| {
        let set = all_pending(&txn.world);
        closure_of_all(&txn.world, &set)?;
        revert(txn, &set);
        Ok(())
    })
    .await?;
    Ok(Reply::no_content())
}

/// All that is pending is closed in itself; only what is used outside the policy can keep it.
fn closure_of_all(world: &World, set: &BTreeSet<Node>) -> Result<(), ApiError> {
    missing(world, Deed::Revert, set).map(|_| ())
}

async fn revert_named(cx: &Cx) -> Result<Reply, ApiError> {
    if cx.body.get("change_subset").is_none() {
        return Err(ApiError::input(
            "`change_subset` is required: DELETE sec_policy/pending reverts everything",
        ));
    }
    cx.write("sec_policy_pending.delete", |txn| {
        let set = subset::named(&txn.world, &cx.body)?;
        subset::closed(&txn.world, Deed::Revert, &set)?;
        revert(txn, &set);
        Ok(())
    })
    .await?;
    Ok(Reply::no_content())
}

async fn dependencies(cx: &Cx) -> Result<Reply, ApiError> {
    cx.draft_only()?;
    let deed = match cx.body.get("operation").and_then(Value::as_str) {
        Some("revert") => Deed::Revert,
        _ => Deed::Commit,
    };
    let set = subset::named(&cx.world, &cx.body)?;
    let lacks = missing(&cx.world, deed, &set)?;
    Ok(Reply::json(StatusCode::OK, &subset::dependencies(&cx.world, &lacks)))
}

async fn impact(cx: &Cx) -> Result<Reply, ApiError> {
    let set = match cx.body.get("change_subset") {
        Some(_) => subset::named(&cx.world, &cx.body)?,
        None => all_pending(&cx.world),
    };
    let found = prospect(cx, &cx.world, &set, false).await?.affected;
    let body = json!({
        "num_sets": found.sets,
        "num_virtual_servers": found.servers,
        "num_managed_workloads": found.managed,
        "num_container_workloads": 0,
        "num_unmanaged_workloads": found.unmanaged,
        "all_workloads_optimization": false,
    });
    Ok(Reply::json(StatusCode::OK, &body))
}

/// The number of the version that a path names; the newest for `active`.
fn number(cx: &Cx) -> Result<u64, ApiError> {
    match cx.pv()? {
        PolicyVersion::Number(n) => Ok(n),
        PolicyVersion::Active => Ok(cx.world.version),
        _ => Err(ApiError::NotFound),
    }
}

async fn modified(cx: &Cx) -> Result<Reply, ApiError> {
    if cx.pv()? == PolicyVersion::Draft {
        return Ok(Reply::json(StatusCode::OK, &versions::draft_changes(&cx.world)));
    }
    let (store, org, version) = (cx.app.state.store.clone(), cx.org, number(cx)?);
    let rows = tokio::task::spawn_blocking(move || store.modified(org, version))
        .await
        .map_err(|e| ApiError::Internal(e.to_string()))?
        .map_err(|e| ApiError::Unavailable(format!("past versions cannot be read: {e}")))?;
    Ok(Reply::json(StatusCode::OK, &versions::version_changes(&cx.world, cx.pv()?, &rows)?))
}

async fn restore(cx: &Cx) -> Result<Reply, ApiError> {
    let (store, org, version) = (cx.app.state.store.clone(), cx.org, number(cx)?);
    let wanted = tokio::task::spawn_blocking(move || {
        let rows = store
            .version_rows(org, version, None, None)
            .map_err(|e| ApiError::Unavailable(format!("past versions cannot be read: {e}")))?;
        versions::objects(&rows)
    })
    .await
    .map_err(|e| ApiError::Internal(e.to_string()))??;
    let (_, world) = cx
        .write("sec_policy.restore", |txn| {
            versions::restore(txn, &wanted)?;
            let href = format!("/orgs/{org}/sec_policy/{version}");
            let resource = json!({"sec_policy": {"href": href, "version": version}});
            txn.note_change(Change::custom("update", resource, json!({})));
            let set = all_pending(&txn.world);
            list_changes(txn, &set, Deed::Commit);
            Ok(())
        })
        .await?;
    let obj = world.get(Kind::PolicyVersion, Id::int(version)).ok_or(ApiError::NotFound)?;
    let view = View::draft(&world, cx.caps(Kind::PolicyVersion));
    Ok(Reply::text(StatusCode::CREATED, view.obj(obj, None)))
}
