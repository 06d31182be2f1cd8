//! What is pending, what a version changed, and the way back to a version.

use super::closure::{Node, unit};
use super::subset::KINDS;
use crate::clock::wire_time;
use crate::doc::{Key, Val};
use crate::http::request::may_provision;
use crate::resource::crud;
use crate::txn::Txn;
use crate::world::{Obj, Side, World};
use bulkhead_api::{ApiError, RoleSet};
use bulkhead_ids::{AnyHref, Id, IdStyle, Kind, PolicyVersion};
use bulkhead_store::{Modified, UpdateType, VersionRow};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The href of the system, which made the built-in objects.
pub const SYSTEM_HREF: &str = "/users/0";

/// The name that lists of changes show.
fn name(obj: &Obj) -> &str {
    obj.doc.str("name").unwrap_or(match obj.kind {
        Kind::FirewallSettings => "Firewall Settings",
        _ => "",
    })
}

fn updated(world: &World, obj: &Obj) -> (Value, Value) {
    let by = obj.doc.get("updated_by").filter(|v| !matches!(v, Val::Null));
    let by = by.map(|v| v.to_json(world.org, PolicyVersion::Draft));
    let at = obj.doc.str("updated_at").map(str::to_owned);
    (
        at.unwrap_or_else(|| wire_time(jiff::Timestamp::UNIX_EPOCH)).into(),
        by.unwrap_or_else(|| json!({"href": SYSTEM_HREF})),
    )
}

/// Everything that is pending, by type, at most `limit` of each type.
pub fn pending(world: &World, roles: RoleSet, limit: usize) -> Value {
    let mut out = Map::new();
    let mut related = related(world);
    for kind in KINDS {
        let objects = world.pending().filter(|(k, ..)| k == kind);
        let objects = objects.filter_map(|(k, id, u)| Some((world.get(k, id)?, u))).take(limit);
        let list: Vec<Value> = objects
            .map(|(obj, update)| {
                let (at, by) = updated(world, obj);
                let mut item = json!({
                    "href": super::subset::href(world, (obj.kind, obj.id)),
                    "id": plain_id(obj),
                    "name": name(obj),
                    "update_type": update.as_str(),
                    "updated_at": at,
                    "updated_by": by,
                    "caps": if may_provision(*kind, roles) { json!(["provision"]) } else { json!([]) },
                });
                if let (Kind::RuleSet, Value::Object(map)) = (*kind, &mut item) {
                    let (lists, services) = related.remove(&obj.id).unwrap_or_default();
                    map.insert("related_ip_lists".into(), hrefs(world, Kind::IpList, lists));
                    map.insert("related_services".into(), hrefs(world, Kind::Service, services));
                }
                item
            })
            .collect();
        if !list.is_empty() {
            out.insert(kind.collection().into(), list.into());
        }
    }
    out.into()
}

fn plain_id(obj: &Obj) -> Value {
    match obj.kind.id_style() {
        IdStyle::Uuid => obj.id.as_uuid().to_string().into(),
        _ => obj.id.as_int().unwrap_or_default().into(),
    }
}

fn hrefs(world: &World, kind: Kind, ids: BTreeSet<Id>) -> Value {
    ids.into_iter().map(|id| json!({"href": super::subset::href(world, (kind, id))})).collect()
}

/// The pending IP lists and services that the rules of each rule set use.
fn related(world: &World) -> BTreeMap<Id, (BTreeSet<Id>, BTreeSet<Id>)> {
    let mut out: BTreeMap<Id, (BTreeSet<Id>, BTreeSet<Id>)> = BTreeMap::new();
    for (kind, id, _) in world.pending().filter(|(k, ..)| matches!(k, Kind::IpList | Kind::Service))
    {
        for user in world.referrers(Side::Draft, kind, id) {
            if let (Kind::RuleSet, set) = unit(world, user) {
                let (lists, services) = out.entry(set).or_default();
                if kind == Kind::IpList {
                    lists.insert(id)
                } else {
                    services.insert(id)
                };
            }
        }
    }
    out
}

/// One element of `modified_objects`.
fn change(world: &World, pv: PolicyVersion, obj: &Obj, update: UpdateType) -> Value {
    let (at, by) = updated(world, obj);
    json!({
        "update_type": update.as_str(),
        "object_type": obj.kind.name(),
        "href": crate::doc::href(world.org, pv, obj.kind, obj.id).to_string(),
        "name": name(obj),
        "updated_at": at,
        "updated_by": by,
    })
}

/// What the draft changes.
pub fn draft_changes(world: &World) -> Value {
    world
        .pending()
        .filter(|(k, ..)| KINDS.contains(k))
        .filter_map(|(k, id, u)| Some(change(world, PolicyVersion::Draft, world.get(k, id)?, u)))
        .collect()
}

/// What a version changed, from the rows of the store; rules show as their rule sets.
///
/// # Errors
/// `Internal` for a damaged document.
pub fn version_changes(
    world: &World,
    pv: PolicyVersion,
    rows: &[Modified],
) -> Result<Value, ApiError> {
    let rows = rows.iter().filter(|m| KINDS.contains(&m.key.kind));
    let list: Result<Vec<Value>, ApiError> = rows
        .map(|m| {
            Ok(change(world, pv, &*object(m.key.kind, m.key.id, (m.parent, &m.doc))?, m.update))
        })
        .collect();
    Ok(list?.into())
}

fn object(kind: Kind, id: Id, (parent, doc): (Option<Id>, &[u8])) -> Result<Arc<Obj>, ApiError> {
    let json: Value = serde_json::from_slice(doc)
        .map_err(|e| ApiError::Internal(format!("stored {} {id:?}: {e}", kind.name())))?;
    Ok(Obj::new(kind, id, parent, Val::from_json(&json)))
}

/// The objects of a version, read from the store.
pub type Objects = BTreeMap<Node, Arc<Obj>>;

/// Reads the rows of a version.
///
/// # Errors
/// `Internal` for a damaged document.
pub fn objects(rows: &[VersionRow]) -> Result<Objects, ApiError> {
    rows.iter()
        .map(|r| Ok(((r.key.kind, r.key.id), object(r.key.kind, r.key.id, (r.parent, &r.doc))?)))
        .collect()
}

/// Members that differ between two equal states of an object.
const AUDIT: &[&str] =
    &["created_at", "created_by", "updated_at", "updated_by", "deleted_at", "deleted_by"];

fn content(obj: &Obj) -> impl Iterator<Item = &(Key, Val)> {
    obj.doc.entries().iter().filter(|(k, _)| !AUDIT.contains(k))
}

/// Makes the draft as the policy was in a version; what differs from the active policy is pending
/// after that, and what was pending before is dropped.
///
/// # Errors
/// 406 when the version uses something outside the policy that is gone (`restore_reference_missing`,
/// own choice), or lacks something that is used outside the policy.
pub fn restore(txn: &mut Txn<'_>, wanted: &Objects) -> Result<(), ApiError> {
    check(&txn.world, wanted)?;
    let mut kinds: Vec<Kind> = Kind::ALL.iter().copied().filter(|k| k.is_policy()).collect();
    kinds.sort_by_key(|k| k.parent().is_some());
    for kind in kinds {
        let ids: BTreeSet<Id> = txn
            .world
            .rows(kind)
            .map(|(id, _)| id)
            .chain(wanted.keys().filter(|(k, _)| *k == kind).map(|(_, id)| *id))
            .collect();
        for id in ids {
            one(txn, kind, id, wanted.get(&(kind, id)));
        }
    }
    Ok(())
}

fn one(txn: &mut Txn<'_>, kind: Kind, id: Id, wanted: Option<&Arc<Obj>>) {
    let active = txn.world.row(kind, id).and_then(|r| r.active.clone());
    let Some(wanted) = wanted else { return txn.set_draft(kind, id, None, false) };
    if active.is_some_and(|a| content(&a).eq(content(wanted))) {
        return txn.set_draft(kind, id, Some(wanted.clone()), true);
    }
    let mut doc = crud::document(txn.world.org, wanted);
    if doc.contains_key("updated_at") {
        crud::stamp(txn, &mut doc, "updated");
    }
    let obj = Obj::new(kind, id, wanted.parent, Val::from_json(&doc.into()));
    txn.set_draft(kind, id, Some(obj), false);
}

fn check(world: &World, wanted: &Objects) -> Result<(), ApiError> {
    for obj in wanted.values() {
        let mut gone = None;
        obj.doc.for_each_ref(&mut |kind, id| {
            // Users are only named as authors; hosts come and go.
            let author = matches!(kind, Kind::User | Kind::ServiceAccount);
            let lives =
                kind.is_policy() || author || !crate::resource::refs::counts(kind, obj.kind);
            if !lives && world.row(kind, id).is_none_or(crate::world::Row::soft_deleted) {
                gone = Some((kind, id));
            }
        });
        if let Some((kind, id)) = gone {
            let target: AnyHref = crate::doc::href(world.org, PolicyVersion::Draft, kind, id);
            let user = crate::audit::href_of(world, obj);
            return Err(ApiError::invalid(
                "restore_reference_missing",
                format!("{user} of that version uses {target}, which is deleted"),
            ));
        }
    }
    let going = Kind::ALL
        .iter()
        .copied()
        .filter(|k| k.is_policy())
        .flat_map(|k| world.rows(k).map(move |(id, row)| ((k, id), row)));
    for ((kind, id), row) in going.filter(|(n, _)| !wanted.contains_key(n)) {
        let Some(obj) = &row.draft else { continue };
        let outside = world
            .referrers(Side::Draft, kind, id)
            .find(|(k, _)| !k.is_policy() && crate::resource::refs::counts(kind, *k));
        if let Some((k, i)) = outside {
            return Err(crate::resource::refs::in_use(world, obj, k, i));
        }
    }
    Ok(())
}
