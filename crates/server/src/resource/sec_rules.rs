//! Allow rules.

use super::refs::{list, target};
use super::rules::{self, selector};
use super::{Hooks, bulk, crud};
use crate::http::{Cx, Handler, Reply, standard};
use crate::render::{self, View};
use crate::txn::Txn;
use crate::world::{Obj, World};
use bulkhead_api::{Action, ApiError, limits};
use bulkhead_ids::Kind;
use bulkhead_store::UpdateType;
use http::StatusCode;
use serde_json::{Map, Value};
use std::sync::Arc;

type Body = Map<String, Value>;

/// What SecRule adds to the common mechanism.
pub const HOOKS: Hooks = Hooks { check: Some(check), ..Hooks::NONE };

/// Options of which a rule has at most one.
const EXCLUSIVE: [&str; 3] = ["sec_connect", "stateless", "machine_auth"];

/// Handlers of the operations that are not standard.
pub fn handler(id: &str) -> Option<Handler> {
    match id {
        "sec_rule_create" => Some(|cx| standard::boxed(create(cx))),
        "sec_rules_delete" => Some(|cx| standard::boxed(delete(cx))),
        _ => None,
    }
}

/// Creates one rule, or all of a `rules` array.
///
/// Source: the curl example of Rules, REST API guide 22.2.
async fn create(cx: &Cx) -> Result<Reply, ApiError> {
    let kind = Kind::SecRule;
    let mut body = cx.object();
    let Some(Value::Array(bodies)) = body.remove("rules") else {
        let one = standard::handler(Action::Create).ok_or(ApiError::NotFound)?;
        return one(cx).await;
    };
    cx.draft_only()?;
    let (made, world) = cx
        .write("sec_rule.create", |txn| {
            let parent = standard::parent(cx, &txn.world, kind)?;
            let bodies = bodies.into_iter().map(|b| b.as_object().cloned().unwrap_or_default());
            bodies
                .map(|b| crud::create(txn, kind, parent, b))
                .collect::<Result<Vec<Arc<Obj>>, ApiError>>()
        })
        .await?;
    let view = View::draft(&world, cx.caps(kind));
    let rows = made.iter().filter_map(|o| view.row(world.row(kind, o.id)?));
    Ok(Reply::text(StatusCode::CREATED, render::array(rows)))
}

async fn delete(cx: &Cx) -> Result<Reply, ApiError> {
    let parent = standard::parent(cx, &cx.world, Kind::SecRule)?;
    bulk::run(cx, bulk::Deed::Delete, |txn, body| {
        let rule = bulk::named(txn, Kind::SecRule, &body)?;
        if rule.parent != parent {
            let href = body.get("href").and_then(Value::as_str).unwrap_or_default();
            return Err(ApiError::invalid_uri(href));
        }
        crud::delete(txn, &rule)?;
        Ok(rule)
    })
    .await
}

fn check(txn: &mut Txn<'_>, doc: &mut Body, old: Option<&Obj>) -> Result<(), ApiError> {
    rules::check(txn, doc)?;
    resolution(doc)?;
    options(doc)?;
    principals(doc)?;
    if is(doc, "stateless") {
        stateless(&txn.world, doc)?;
        if old.is_none_or(|o| !o.doc.is("stateless")) {
            stateless_count(&txn.world)?;
        }
    }
    Ok(())
}

fn is(doc: &Body, name: &str) -> bool {
    doc.get(name).is_some_and(|v| *v == true)
}

/// How the labels of the providers are read decides whether the rule has services.
///
/// Source: Rules, REST API guide 22.2.
fn resolution(doc: &Body) -> Result<(), ApiError> {
    let resolve = doc.get("resolve_labels_as").and_then(|r| r.get("providers"));
    let resolve = resolve.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let workloads = resolve.iter().any(|v| v == "workloads");
    let none = list(doc, "ingress_services").is_empty();
    if !workloads && !resolve.is_empty() && !none {
        return Err(ApiError::invalid(
            "ingress_services_not_allowed",
            "providers that are virtual services bring their services: leave ingress_services empty",
        ));
    }
    let virtual_only = list(doc, "providers")
        .iter()
        .all(|e| matches!(selector(e), "virtual_service" | "virtual_server"));
    if workloads && none && !virtual_only {
        return Err(ApiError::invalid(
            "ingress_services_required",
            "a rule whose providers are workloads needs at least one of ingress_services",
        ));
    }
    Ok(())
}

fn options(doc: &Body) -> Result<(), ApiError> {
    let on: Vec<&str> = EXCLUSIVE.into_iter().filter(|name| is(doc, name)).collect();
    if on.len() > 1 {
        let message = format!("a rule cannot have {} at once", on.join(" and "));
        return Err(ApiError::invalid("conflicting_rule_options", message));
    }
    Ok(())
}

fn principals(doc: &Body) -> Result<(), ApiError> {
    let hosts = |e: &Value| match selector(e) {
        "workload" | "label" | "label_group" => true,
        "actors" => e.get("actors").is_some_and(|v| v == "ams"),
        _ => false,
    };
    let named = !list(doc, "consuming_security_principals").is_empty();
    if named && !list(doc, "consumers").iter().any(hosts) {
        return Err(ApiError::invalid(
            "security_principals_need_workloads",
            "a rule for user groups needs workloads, labels or all workloads as consumers",
        ));
    }
    Ok(())
}

/// The consumers of a stateless rule are one workload, or labels and groups of different keys, or IP
/// lists and all workloads.
///
/// Source: Rule Writing 24.5; Rules, REST API guide 22.2.
fn stateless(world: &World, doc: &Body) -> Result<(), ApiError> {
    let consumers = list(doc, "consumers");
    let all = |names: &[&str]| consumers.iter().all(|e| names.contains(&selector(e)));
    let refused = |why: &str| Err(ApiError::invalid("stateless_consumers_not_allowed", why));
    if all(&["workload"]) && consumers.len() == 1 {
        return Ok(());
    }
    if all(&["ip_list", "actors"]) {
        return Ok(());
    }
    if !all(&["label", "label_group"]) {
        return refused(
            "consumers of a stateless rule are one workload, labels, or IP lists and all workloads",
        );
    }
    let targets = consumers.iter().filter_map(|e| target(e.get(selector(e))?));
    let mut keys: Vec<&str> =
        targets.filter_map(|(k, i)| world.get(k, i).and_then(|o| o.doc.str("key"))).collect();
    keys.sort_unstable();
    if keys.windows(2).any(|w| w.first() == w.last()) {
        return refused("consumers of a stateless rule hold at most one label of a key");
    }
    Ok(())
}

fn stateless_count(world: &World) -> Result<(), ApiError> {
    let alive = |row: &crate::world::Row| {
        let deleted = row.pending == Some(UpdateType::Delete);
        !deleted && row.draft.as_ref().is_some_and(|o| o.doc.is("stateless"))
    };
    if world.rows(Kind::SecRule).filter(|(_, r)| alive(r)).count() < limits::STATELESS_RULES_MAX {
        return Ok(());
    }
    Err(ApiError::invalid(
        "stateless_rule_limit_exceeded",
        format!("an organisation has at most {} stateless rules", limits::STATELESS_RULES_MAX),
    ))
}
