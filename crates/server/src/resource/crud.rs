//! Create, update and delete of one object of any kind.
//!
//! Every function checks first and changes after; where one fails half-way (a rule set whose third
//! rule is bad), the caller falls back to a [`Mark`](crate::txn::Mark) or drops the whole change.

use super::{Hooks, feature_on, hooks, refs};
use crate::clock::ordered_uuid;
use crate::doc::Val;
use crate::policy::versions::SYSTEM_HREF;
use crate::txn::Txn;
use crate::world::{Obj, World};
use bulkhead_api::{ApiError, Descriptor, descriptor};
use bulkhead_ids::{Id, IdStyle, Kind};
use serde_json::{Map, Value, json};
use std::sync::Arc;

type Body = Map<String, Value>;

fn describe(kind: Kind) -> Result<&'static Descriptor, ApiError> {
    descriptor(kind).ok_or_else(|| ApiError::Internal(format!("{} is not described", kind.name())))
}

/// Creates an object from a body that passed its schema.
///
/// # Errors
/// 406 with the token of the check that failed.
pub fn create(
    txn: &mut Txn<'_>,
    kind: Kind,
    parent: Option<Id>,
    mut body: Body,
) -> Result<Arc<Obj>, ApiError> {
    let d = describe(kind)?;
    let h = hooks(kind);
    let rest = h.split.map(|f| f(&mut body)).unwrap_or_default();
    features(&txn.world, d, &body)?;
    refs::resolve_members(&txn.world, &mut body)?;
    for (name, field) in &d.fields {
        if let (Some(default), false) = (&field.default, body.contains_key(name)) {
            body.insert(name.clone(), default.clone());
        }
    }
    if let Some(p) = parent {
        body.insert("_parent".into(), json!(p.as_int().unwrap_or_default()));
    }
    external(&txn.world, kind, &mut body, None)?;
    if let Some(check) = h.check {
        check(txn, &mut body, None)?;
    }
    body.remove("_parent");
    unique(&txn.world, d, kind, &body, None)?;
    let id = new_id(txn, kind, &body);
    if d.soft_delete {
        body.insert("deleted".into(), false.into());
    }
    if d.audit {
        stamp(txn, &mut body, "created");
        stamp(txn, &mut body, "updated");
    }
    let obj = Obj::new(kind, id, parent, Val::from_json(&body.into()));
    txn.save(obj.clone());
    after(txn, h, &obj, rest)?;
    Ok(obj)
}

/// Changes the given members of an object; others stay. Says nothing changed where nothing does.
///
/// # Errors
/// 406 with the token of the check that failed.
pub fn update(txn: &mut Txn<'_>, old: &Arc<Obj>, mut body: Body) -> Result<Arc<Obj>, ApiError> {
    let kind = old.kind;
    let d = describe(kind)?;
    let h = hooks(kind);
    if old.doc.is("deleted") {
        return Err(already_deleted(kind));
    }
    // Clients send it back as they read it; it says nothing.
    body.remove("update_type");
    let rest = h.split.map(|f| f(&mut body)).unwrap_or_default();
    features(&txn.world, d, &body)?;
    refs::resolve_members(&txn.world, &mut body)?;
    let mut doc = document(txn.world.org, old);
    doc.extend(body);
    external(&txn.world, kind, &mut doc, Some(old.id))?;
    if let Some(check) = h.check {
        check(txn, &mut doc, Some(old))?;
    }
    unique(&txn.world, d, kind, &doc, Some(old.id))?;
    let mut obj = old.clone();
    if Val::from_json(&Value::Object(doc.clone())) != old.doc {
        if d.audit {
            stamp(txn, &mut doc, "updated");
        }
        obj = Obj::new(kind, old.id, old.parent, Val::from_json(&doc.into()));
        txn.save(obj.clone());
    }
    after(txn, h, &obj, rest)?;
    Ok(obj)
}

/// Deletes an object, or marks it deleted.
///
/// # Errors
/// 406 where it is in use, built in, or deleted already.
pub fn delete(txn: &mut Txn<'_>, old: &Arc<Obj>) -> Result<(), ApiError> {
    let d = describe(old.kind)?;
    let h = hooks(old.kind);
    if old.doc.is("deleted") {
        return Err(already_deleted(old.kind));
    }
    if let Some(deletable) = h.deletable {
        deletable(txn, old)?;
    }
    refs::unused(txn, old)?;
    refs::released(txn, old);
    if d.soft_delete {
        let mut doc = document(txn.world.org, old);
        doc.insert("deleted".into(), true.into());
        stamp(txn, &mut doc, "deleted");
        txn.save(Obj::new(old.kind, old.id, old.parent, Val::from_json(&doc.into())));
    } else {
        txn.remove(old.kind, old.id);
    }
    if let Some(deleted) = h.deleted {
        deleted(txn, old)?;
    }
    Ok(())
}

fn after(txn: &mut Txn<'_>, h: Hooks, obj: &Arc<Obj>, rest: Body) -> Result<(), ApiError> {
    match h.saved {
        Some(saved) => saved(txn, obj, rest),
        None => Ok(()),
    }
}

/// The document of an object as a JSON object.
pub fn document(org: u32, obj: &Obj) -> Body {
    match obj.doc.to_json(org, bulkhead_ids::PolicyVersion::Draft) {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

/// Sets `created_at` and `created_by`, or the same of another deed; deeds of the server itself are
/// those of [`SYSTEM_HREF`].
pub fn stamp(txn: &Txn<'_>, doc: &mut Body, deed: &str) {
    doc.insert(format!("{deed}_at"), txn.time().into());
    let by = txn.origin.href.as_str();
    let by = if by.is_empty() { SYSTEM_HREF } else { by };
    doc.insert(format!("{deed}_by"), json!({"href": by}));
}

fn new_id(txn: &mut Txn<'_>, kind: Kind, body: &Body) -> Id {
    let text = |name: &str| Id::text(body.get(name).and_then(Value::as_str).unwrap_or_default());
    match kind.id_style() {
        IdStyle::Singleton => Id::SINGLETON,
        IdStyle::Int => txn.next_id(kind),
        // Kinds whose POST takes a `uuid` check it.
        IdStyle::Uuid => {
            let given = body.get("uuid").and_then(Value::as_str);
            Id::uuid(given.and_then(|u| u.parse().ok()).unwrap_or_else(ordered_uuid))
        }
        IdStyle::Text if kind == Kind::SecurityPrincipal => text("sid"),
        IdStyle::Text => text("key_id"),
    }
}

/// The refusal of a change to something deleted.
pub fn already_deleted(kind: Kind) -> ApiError {
    let name = kind.name();
    ApiError::invalid(format!("{name}_already_deleted"), format!("this {name} is deleted already"))
}

fn features(world: &World, d: &Descriptor, body: &Body) -> Result<(), ApiError> {
    for (name, field) in &d.fields {
        if let Some(feature) = &field.feature
            && body.contains_key(name)
            && !feature_on(world, feature)
        {
            return Err(ApiError::input(format!(
                "`{name}` exists only while the optional feature `{feature}` is on"
            )));
        }
    }
    Ok(())
}

fn external(world: &World, kind: Kind, doc: &mut Body, own: Option<Id>) -> Result<(), ApiError> {
    let text = |name: &str| doc.get(name).and_then(Value::as_str).map(str::to_owned);
    match (text("external_data_set"), text("external_data_reference")) {
        (None, None) => Ok(()),
        (Some(set), Some(reference)) => match world.by_external(kind, &set, &reference) {
            Some(id) if Some(id) != own => Err(ApiError::invalid(
                "external_data_reference_must_be_unique",
                format!("another {} has this external data set and reference", kind.name()),
            )),
            _ => Ok(()),
        },
        _ => Err(ApiError::input(
            "`external_data_set` and `external_data_reference` must be given together",
        )),
    }
}

fn unique(
    world: &World,
    d: &Descriptor,
    kind: Kind,
    doc: &Body,
    own: Option<Id>,
) -> Result<(), ApiError> {
    for (n, u) in d.unique.iter().enumerate() {
        let values: Option<Vec<&str>> =
            u.fields.iter().map(|f| doc.get(f).and_then(Value::as_str)).collect();
        let Some(values) = values else { continue };
        let key = crate::world::key_of(n, u, &values);
        if world.holder(kind, &key).is_some_and(|id| Some(id) != own) {
            return Err(ApiError::invalid(u.token.clone(), u.message.clone()));
        }
    }
    Ok(())
}
