//! References between objects: check on the way in, protect on deletion.

use super::hooks;
use crate::doc::Val;
use crate::txn::Txn;
use crate::world::{Obj, Side, World};
use bulkhead_api::ApiError;
use bulkhead_ids::{AnyHref, Id, Kind, PolicyVersion};
use bulkhead_store::UpdateType;
use serde_json::{Map, Value};
use std::sync::Arc;

/// Checks every `{"href": ...}` of a body and reduces it to the href.
///
/// Clients send whole objects as references; only the href counts.
///
/// # Errors
/// `invalid_uri` for an href that does not name an object of this organisation's draft that a rule
/// may refer to.
pub fn resolve(world: &World, body: &mut Value) -> Result<(), ApiError> {
    match body {
        Value::Object(map) => match map.get("href") {
            Some(Value::String(s)) => {
                check(world, s)?;
                map.retain(|k, _| k == "href");
                Ok(())
            }
            _ => map.values_mut().try_for_each(|v| resolve(world, v)),
        },
        Value::Array(list) => list.iter_mut().try_for_each(|v| resolve(world, v)),
        _ => Ok(()),
    }
}

/// [`resolve`] for the members of a body.
///
/// # Errors
/// As [`resolve`].
pub fn resolve_members(world: &World, body: &mut Map<String, Value>) -> Result<(), ApiError> {
    body.values_mut().try_for_each(|v| resolve(world, v))
}

/// Checks that an href names an object that may be referred to.
///
/// # Errors
/// `invalid_uri`.
pub fn check(world: &World, s: &str) -> Result<(), ApiError> {
    find(world, s).map(|_| ())
}

/// The object that an href in a body names.
///
/// # Errors
/// `invalid_uri` when it is malformed, of another organisation, or names nothing that may be used.
pub fn find(world: &World, s: &str) -> Result<(Kind, Id), ApiError> {
    let bad = || ApiError::invalid_uri(s);
    let h: AnyHref = s.parse().map_err(|_| bad())?;
    if h.org != Some(world.org) || h.parent.is_some() {
        return Err(bad());
    }
    if h.kind == Kind::Role {
        let known = h.text.as_deref().and_then(bulkhead_api::Role::from_name).is_some();
        return if known { Ok((h.kind, h.id)) } else { Err(bad()) };
    }
    let row = world.row(h.kind, h.id).ok_or_else(bad)?;
    let usable = match h.version {
        None | Some(PolicyVersion::Draft) => {
            !row.soft_deleted() && row.pending != Some(UpdateType::Delete)
        }
        Some(PolicyVersion::Active) => row.active.is_some(),
        Some(PolicyVersion::Number(_)) => false,
    };
    if usable { Ok((h.kind, h.id)) } else { Err(bad()) }
}

/// Refuses the deletion of an object that others refer to, in the draft or in the active policy.
///
/// # Errors
/// 406 with the token that the product has for the pair of kinds.
pub fn unused(txn: &Txn<'_>, obj: &Obj) -> Result<(), ApiError> {
    let world = &txn.world;
    for side in [Side::Draft, Side::Active] {
        let user = world
            .referrers(side, obj.kind, obj.id)
            .filter(|(kind, id)| counts(obj.kind, *kind) && (*kind, *id) != (obj.kind, obj.id))
            .find(|user| let_go(world, *user, (obj.kind, obj.id)).is_none());
        if let Some((kind, id)) = user {
            return Err(in_use(world, obj, kind, id));
        }
    }
    Ok(())
}

/// What a referring object becomes when its target is deleted, where it does not keep it from that.
fn let_go(
    world: &World,
    (kind, id): (Kind, Id),
    target: (Kind, Id),
) -> Option<(Arc<Obj>, Map<String, Value>)> {
    let user = world.get(kind, id)?;
    Some((user.clone(), hooks(kind).let_go?(world.org, user, target)?))
}

/// Takes a deleted object out of those that let go of it.
pub fn released(txn: &mut Txn<'_>, target: &Obj) {
    let target = (target.kind, target.id);
    let world = &txn.world;
    let users = world.referrers(Side::Draft, target.0, target.1);
    let changed: Vec<_> = users.filter_map(|user| let_go(world, user, target)).collect();
    for (user, doc) in changed {
        let doc = Val::from_json(&doc.into());
        txn.save(Obj::new(user.kind, user.id, user.parent, doc));
    }
}

/// Whether a reference keeps its target from being deleted. Hosts come and go: a rule that names a
/// deleted workload simply means fewer hosts. Grants go with who holds them.
pub const fn counts(target: Kind, source: Kind) -> bool {
    !matches!(
        (target, source),
        (Kind::Workload, _)
            | (Kind::Ven, _)
            | (Kind::RuleSet, _)
            | (Kind::AuthSecurityPrincipal, Kind::Permission)
    )
}

/// The refusal to delete an object that another refers to, with the token of the pair of kinds.
pub fn in_use(world: &World, obj: &Obj, kind: Kind, id: Id) -> ApiError {
    let token: String = match (obj.kind, kind) {
        (Kind::Label, Kind::LabelGroup) => "label_referenced_by_label_group".into(),
        (Kind::Label, Kind::Workload | Kind::Ven) => "label_still_has_associated_agent_info".into(),
        (Kind::Label, Kind::RuleSet | Kind::SecRule | Kind::DenyRule | Kind::IpTablesRule) => {
            "label_still_has_associated_rule_set".into()
        }
        (target, _) => format!("{}_referenced", target.name()),
    };
    let user = world
        .get(kind, id)
        .map(|o| crate::audit::href_of(world, o).to_string())
        .unwrap_or_else(|| kind.name().to_owned());
    let name = obj.kind.name();
    ApiError::invalid(token, format!("this {name} is still used by {user}: change that first"))
}

/// What a `{"href": ...}` of a checked body refers to.
pub fn target(reference: &Value) -> Option<(Kind, Id)> {
    let h: AnyHref = reference.get("href")?.as_str()?.parse().ok()?;
    Some((h.kind, h.id))
}

/// The elements of a list member of a body; none where it is absent.
pub fn list<'a>(body: &'a Map<String, Value>, key: &str) -> &'a [Value] {
    body.get(key).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

/// Who refers to an object, in the draft or in the active policy.
pub fn users(world: &World, kind: Kind, id: Id) -> impl Iterator<Item = (Kind, Id)> {
    let active = world.referrers(Side::Active, kind, id);
    world.referrers(Side::Draft, kind, id).chain(active)
}
