//! Principals and what they are granted; roles.
//!
//! Source: REST API guide 25.2, "Role-based access control". That an organisation keeps an owner is a
//! safety rule of ours.

use super::{Hooks, Predicate};
use crate::authn;
use crate::http::{Cx, Handler, Reply};
use crate::txn::Txn;
use crate::world::{Obj, Side, World};
use bulkhead_api::{ApiError, Role};
use bulkhead_ids::{AnyHref, Id, Kind};
use http::StatusCode;
use serde_json::{Map, Value, json};
use std::sync::Arc;
use uuid::Uuid;

/// What AuthSecurityPrincipal adds to the common mechanism.
pub const AUTH_SECURITY_PRINCIPAL_HOOKS: Hooks = Hooks {
    check: Some(check_principal),
    deletable: Some(principal_deletable),
    deleted: Some(principal_deleted),
    ..Hooks::NONE
};

/// What Permission adds to the common mechanism.
pub const PERMISSION_HOOKS: Hooks = Hooks {
    check: Some(check_permission),
    deletable: Some(permission_deletable),
    filter: Some(filter),
    ..Hooks::NONE
};

/// Handlers of the operations that are not standard.
pub fn handler(id: &str) -> Option<Handler> {
    match id {
        "role_list" => Some(|cx| Box::pin(roles(cx))),
        "role_get" => Some(|cx| Box::pin(role(cx))),
        "auth_security_principal_update" => {
            Some(|cx| Box::pin(super::access_restrictions::guarded_update(cx)))
        }
        _ => None,
    }
}

async fn roles(cx: &Cx) -> Result<Reply, ApiError> {
    if let Some((name, _)) = cx.query.iter().find(|(name, _)| name != "max_results") {
        return Err(ApiError::input(format!("`{name}` is no query parameter of this list")));
    }
    let max = match cx.query("max_results") {
        Some(n) => n.parse().map_err(|_| ApiError::input("`max_results` is a whole number"))?,
        None => usize::MAX,
    };
    let all: Vec<Value> = Role::ALL.iter().take(max).map(|r| role_value(cx.org, *r)).collect();
    let total = Role::ALL.len();
    let reply = Reply::json(StatusCode::OK, &all.into());
    Ok(reply.with("x-total-count", total).with("x-matched-count", total))
}

async fn role(cx: &Cx) -> Result<Reply, ApiError> {
    let role = Role::from_name(cx.param("id")).ok_or(ApiError::NotFound)?;
    Ok(Reply::json(StatusCode::OK, &role_value(cx.org, role)))
}

fn role_value(org: u32, role: Role) -> Value {
    json!({"href": format!("/orgs/{org}/roles/{}", role.name())})
}

/// Checks a `uuid` that POST takes as the id of the new object.
///
/// # Errors
/// 406 for one that is no version 4 UUID in lower case, or is taken.
pub fn check_uuid(world: &World, kind: Kind, given: &str) -> Result<(), ApiError> {
    let uuid = Uuid::try_parse(given).ok().filter(|u| {
        given.len() == 36
            && u.get_version_num() == 4
            && !given.bytes().any(|b| b.is_ascii_uppercase())
    });
    match uuid {
        None => Err(ApiError::input("`uuid` is a version 4 UUID in lower case")),
        Some(u) if world.row(kind, Id::uuid(u)).is_some() => {
            Err(ApiError::input("`uuid` is taken"))
        }
        Some(_) => Ok(()),
    }
}

fn check_principal(
    txn: &mut Txn<'_>,
    doc: &mut Map<String, Value>,
    old: Option<&Obj>,
) -> Result<(), ApiError> {
    let text = |name: &str| doc.get(name).and_then(Value::as_str);
    let (name, is) = (text("name").map(str::to_lowercase), text("type"));
    let of_account = doc.get("_service_account").is_some();
    if is == Some("service_account") && !of_account {
        return Err(ApiError::input(
            "principals of service accounts are made and changed with the account",
        ));
    }
    if let Some(old) = old {
        if of_account {
            return Err(ApiError::input(
                "principals of service accounts are made and changed with the account",
            ));
        }
        let same = old.doc.str("name").map(str::to_lowercase) == name && old.doc.str("type") == is;
        if !same {
            may_go(&txn.world, old)?;
        }
    } else {
        match text("uuid") {
            Some(given) => check_uuid(&txn.world, Kind::AuthSecurityPrincipal, given)?,
            None => {
                doc.insert("uuid".into(), crate::clock::new_uuid().to_string().into());
            }
        }
    }
    doc.insert("_name".into(), name.unwrap_or_default().into());
    Ok(())
}

fn principal_deletable(txn: &Txn<'_>, principal: &Obj) -> Result<(), ApiError> {
    if principal.doc.is("_service_account")
        && txn.world.get(Kind::ServiceAccount, principal.id).is_some()
    {
        return Err(ApiError::MethodNotAllowed);
    }
    may_go(&txn.world, principal)
}

fn principal_deleted(txn: &mut Txn<'_>, principal: &Obj) -> Result<(), ApiError> {
    let held: Vec<Id> = authn::grants(&txn.world, principal.id).map(|p| p.id).collect();
    held.into_iter().for_each(|id| txn.remove(Kind::Permission, id));
    Ok(())
}

/// Whether a permission makes somebody who can sign in an owner.
fn owns(world: &World, permission: &Obj) -> bool {
    let principal = permission
        .doc
        .get("auth_security_principal")
        .and_then(|p| p.target())
        .and_then(|(kind, id)| world.get(kind, id));
    let person = |p: &Arc<Obj>| p.doc.str("type") == Some("user") && p.doc.str("name").is_some();
    authn::permission_role(&permission.doc) == Some(Role::Owner) && principal.is_some_and(person)
}

fn last_owner(world: &World, leaving: impl Fn(&Obj) -> bool) -> Result<(), ApiError> {
    let mut owners = world.objects(Side::Draft, Kind::Permission).filter(|p| owns(world, p));
    if owners.any(|p| !leaving(p)) {
        return Ok(());
    }
    Err(ApiError::invalid(
        "last_owner_required",
        "the organisation would have no owner left: make another user owner first",
    ))
}

/// Refuses to take a principal away that is the only owner.
///
/// # Errors
/// 406 with token `last_owner_required`.
pub fn may_go(world: &World, principal: &Obj) -> Result<(), ApiError> {
    let held: Vec<Id> =
        authn::grants(world, principal.id).filter(|p| owns(world, p)).map(|p| p.id).collect();
    if held.is_empty() { Ok(()) } else { last_owner(world, |p| held.contains(&p.id)) }
}

fn permission_deletable(txn: &Txn<'_>, permission: &Obj) -> Result<(), ApiError> {
    if owns(&txn.world, permission) {
        return last_owner(&txn.world, |p| p.id == permission.id);
    }
    Ok(())
}

/// Checks role and scope of a grant.
///
/// # Errors
/// 406: a scope entry that is not one label or label group; a scope at all.
pub fn check_scope(grant: &Map<String, Value>) -> Result<(), ApiError> {
    let scope = grant.get("scope").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    if scope.iter().any(|entry| entry.as_object().is_none_or(|e| e.len() != 1)) {
        return Err(ApiError::input("a scope entry is one `label` or one `label_group`"));
    }
    if scope.is_empty() {
        return Ok(());
    }
    let whole = [Role::Owner, Role::Admin, Role::ReadOnly, Role::GlobalObjectProvisioner];
    match role_of(grant.get("role")) {
        Some(role) if whole.contains(&role) => {
            Err(ApiError::input(format!("the role `{}` takes no scope", role.name())))
        }
        _ => Err(ApiError::invalid(
            "scoped_roles_not_supported",
            "roles with a scope are not supported yet: grant the role with an empty scope",
        )),
    }
}

fn role_of(v: Option<&Value>) -> Option<Role> {
    Role::from_name(v?.get("href")?.as_str()?.rsplit('/').next()?)
}

fn check_permission(
    txn: &mut Txn<'_>,
    doc: &mut Map<String, Value>,
    old: Option<&Obj>,
) -> Result<(), ApiError> {
    check_scope(doc)?;
    let role = role_of(doc.get("role")).ok_or_else(|| ApiError::input("`role` names no role"))?;
    let holder = doc.get("auth_security_principal").and_then(|p| p.get("href")?.as_str());
    let principal = holder.and_then(|h| h.parse::<AnyHref>().ok()).map(|h| h.id);
    let principal = principal.ok_or_else(|| ApiError::invalid_uri(holder.unwrap_or_default()))?;
    let twice = authn::grants(&txn.world, principal)
        .any(|p| Some(p.id) != old.map(|o| o.id) && authn::permission_role(&p.doc) == Some(role));
    if twice {
        return Err(ApiError::invalid(
            "permission_must_be_unique",
            "The principal already has that role in that scope",
        ));
    }
    if let Some(old) = old
        && owns(&txn.world, old)
    {
        let person = txn.world.get(Kind::AuthSecurityPrincipal, principal);
        let stays = role == Role::Owner
            && person
                .is_some_and(|p| p.doc.str("type") == Some("user") && p.doc.str("name").is_some());
        if !stays {
            last_owner(&txn.world, |p| p.id == old.id)?;
        }
    }
    Ok(())
}

/// The href in a filter value: plain, a JSON text, or a JSON object with `href`.
pub fn href_of(value: &str) -> Result<AnyHref, ApiError> {
    let json: Option<Value> = serde_json::from_str(value).ok();
    let inner = json.as_ref().and_then(|v| v.as_str().or_else(|| v.get("href")?.as_str()));
    let href = inner.unwrap_or(value);
    href.parse().map_err(|_| ApiError::invalid_uri(href))
}

/// The role that a filter value names.
///
/// # Errors
/// `invalid_uri`.
pub fn role_filter(world: &World, value: &str) -> Result<Role, ApiError> {
    let href = href_of(value)?;
    let role = href.text.as_deref().and_then(Role::from_name);
    let right = href.kind == Kind::Role && href.org == Some(world.org);
    role.filter(|_| right).ok_or_else(|| ApiError::invalid_uri(value))
}

fn filter(world: &World, _: Side, name: &str, value: &str) -> Result<Predicate, ApiError> {
    match name {
        "role" => {
            let role = role_filter(world, value)?;
            Ok(Box::new(move |_, p| authn::permission_role(&p.doc) == Some(role)))
        }
        "auth_security_principal" => {
            let wanted = href_of(value)?.id;
            Ok(Box::new(move |_, p| {
                let holder = p.doc.get("auth_security_principal").and_then(|h| h.target());
                holder.is_some_and(|(_, id)| id == wanted)
            }))
        }
        _ => {
            let scope: Value = serde_json::from_str(value).unwrap_or_default();
            let list = scope.as_array().ok_or_else(|| {
                ApiError::input("`scope` is a JSON list of {\"label\": {\"href\": ...}} objects")
            })?;
            // Until scoped roles are built every permission has the empty scope.
            let empty = list.is_empty();
            Ok(Box::new(move |_, p| p.doc.list("scope").is_empty() == empty))
        }
    }
}
