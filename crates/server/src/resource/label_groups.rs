//! Label groups: labels of one key under one name, groups in groups.

use super::Hooks;
use super::labels::{SETTINGS_SCOPES, in_settings, known_key};
use super::refs::{list, target, users};
use crate::http::{Cx, Handler, Reply, standard};
use crate::render::{Out, View};
use crate::txn::Txn;
use crate::world::{Obj, Side, World};
use bulkhead_api::ApiError;
use bulkhead_ids::{Id, Kind};
use http::StatusCode;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

/// What LabelGroup adds to the common mechanism.
pub const HOOKS: Hooks = Hooks { check: Some(check), usage: Some(usage), ..Hooks::NONE };

/// Handlers of the operations that are not standard.
pub fn handler(id: &str) -> Option<Handler> {
    match id {
        "label_group_member_of" => Some(|cx| standard::boxed(member_of(cx))),
        "label_group_all_labels" => Some(|cx| standard::boxed(all_labels(cx))),
        _ => None,
    }
}

fn check(
    txn: &mut Txn<'_>,
    doc: &mut Map<String, Value>,
    old: Option<&Obj>,
) -> Result<(), ApiError> {
    let world = &txn.world;
    let key = doc.get("key").and_then(Value::as_str).unwrap_or_default();
    known_key(world, key)?;
    let members = list(doc, "labels").iter().chain(list(doc, "sub_groups"));
    for (kind, id) in members.filter_map(target) {
        let Some(member) = world.get(kind, id) else { continue };
        let other = member.doc.str("key").unwrap_or_default();
        if other != key {
            let name = kind.name();
            let message = format!("the group has key `{key}`, but a member {name} has `{other}`");
            return Err(ApiError::invalid("label_group_key_mismatch", message));
        }
    }
    let Some(own) = old else { return Ok(()) };
    let below = list(doc, "sub_groups").iter().filter_map(target).map(|(_, id)| id).collect();
    if reached(world, Side::Draft, below).contains(&own.id) {
        let message = "a label group cannot contain itself, directly or through its members";
        return Err(ApiError::invalid("label_group_cycle", message));
    }
    Ok(())
}

/// The given groups and all groups below them.
fn reached(world: &World, side: Side, from: Vec<Id>) -> BTreeSet<Id> {
    let mut open = from;
    let mut found = BTreeSet::new();
    while let Some(id) = open.pop() {
        if !found.insert(id) {
            continue;
        }
        let group = world.on(side, Kind::LabelGroup, id);
        let members = group.map(|g| g.doc.list("sub_groups")).unwrap_or_default();
        open.extend(members.iter().filter_map(|m| m.target()).map(|(_, id)| id));
    }
    found
}

/// The labels of a group and of all groups below it, in order of id.
pub fn labels_of(world: &World, side: Side, group: Id) -> BTreeSet<Id> {
    let mut labels = BTreeSet::new();
    for id in reached(world, side, vec![group]) {
        let group = world.on(side, Kind::LabelGroup, id);
        let members = group.map(|g| g.doc.list("labels")).unwrap_or_default();
        labels.extend(members.iter().filter_map(|m| m.target()).map(|(_, id)| id));
    }
    labels
}

async fn member_of(cx: &Cx) -> Result<Reply, ApiError> {
    let world = cx.world().await?;
    let (id, side) = (found(cx, &world)?, cx.side()?);
    let view = cx.view(&world, Kind::LabelGroup)?;
    let parents: Value = world
        .referrers_of(side, (Kind::LabelGroup, id), Kind::LabelGroup)
        .filter_map(|parent| world.on(side, Kind::LabelGroup, parent))
        .map(|g| json!({"href": view.href(g), "name": g.doc.str("name")}))
        .collect();
    Ok(Reply::json(StatusCode::OK, &parents))
}

async fn all_labels(cx: &Cx) -> Result<Reply, ApiError> {
    let world = cx.world().await?;
    let (id, side) = (found(cx, &world)?, cx.side()?);
    let view = cx.view(&world, Kind::Label)?;
    let labels: Value = labels_of(&world, side, id)
        .into_iter()
        .filter_map(|label| world.get(Kind::Label, label))
        .map(
            |l| json!({"href": view.href(l), "key": l.doc.str("key"), "value": l.doc.str("value")}),
        )
        .collect();
    Ok(Reply::json(StatusCode::OK, &labels))
}

fn found(cx: &Cx, world: &World) -> Result<Id, ApiError> {
    standard::row(cx, world, Kind::LabelGroup)?;
    cx.id(Kind::LabelGroup, "id")
}

fn usage(view: &View<'_>, obj: &Obj, out: &mut Out<'_>) {
    let node = (Kind::LabelGroup, obj.id);
    let kinds: Vec<Kind> = users(view.world, node.0, node.1).map(|(k, _)| k).collect();
    let by = |kind: Kind| kinds.contains(&kind);
    let rules = [Kind::SecRule, Kind::DenyRule, Kind::IpTablesRule];
    let mut flags = json!({
        "label_group": by(Kind::LabelGroup),
        "ruleset": by(Kind::RuleSet),
        "rule": rules.into_iter().any(by),
        "enforcement_boundary": by(Kind::EnforcementBoundary),
        "protection_schema": false,
    });
    let settings = by(Kind::FirewallSettings);
    if let Some(map) = flags.as_object_mut() {
        for member in SETTINGS_SCOPES {
            let used = settings && in_settings(view.world, member, node);
            map.insert((*member).to_owned(), used.into());
        }
    }
    out.member("usage", &flags);
}
