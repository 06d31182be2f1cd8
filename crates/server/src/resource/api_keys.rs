//! API keys: those of users, and all keys of an organisation.
//!
//! Source: REST API guide 25.2, "API keys".

use super::{Hooks, permissions};
use crate::audit;
use crate::authn::{self, Account, time_of};
use crate::http::{Cx, Handler, Reply};
use crate::render::{Caps, View};
use crate::txn::Txn;
use crate::world::{Obj, SYSTEM, Side, World};
use bulkhead_api::{ApiError, Role, limits};
use bulkhead_ids::{Id, Kind};
use http::StatusCode;
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// What ApiKey adds to the common mechanism.
pub const HOOKS: Hooks = Hooks { check: Some(check), ..Hooks::NONE };

/// Handlers of the operations that are not standard.
pub fn handler(id: &str) -> Option<Handler> {
    match id {
        "api_key_create" => Some(|cx| Box::pin(create(cx))),
        "org_api_keys_list" => Some(|cx| Box::pin(org_list(cx))),
        "org_api_keys_delete" => Some(|cx| Box::pin(org_delete(cx))),
        _ => None,
    }
}

fn check(
    txn: &mut Txn<'_>,
    doc: &mut Map<String, Value>,
    old: Option<&Obj>,
) -> Result<(), ApiError> {
    if old.is_none() {
        doc.insert("created_at".into(), txn.time().into());
    }
    Ok(())
}

async fn create(cx: &Cx) -> Result<Reply, ApiError> {
    let user = cx.id(Kind::User, "parent")?;
    let text = |name: &str| cx.body.get(name).and_then(Value::as_str).unwrap_or_default();
    let reader = cx.roles().iter().all(|r| r == Role::ReadOnly);
    let ((key, secret), world) = cx
        .write("api_key.create", |txn| {
            let owner = txn.world.get(Kind::User, user).ok_or(ApiError::NotFound)?;
            if owner.doc.str("type") != Some("local") {
                return Err(ApiError::Forbidden("external users make no API keys".into()));
            }
            if reader && txn.world.children(Kind::ApiKey, user).next().is_some() {
                return Err(ApiError::invalid(
                    "api_key_limit_exceeded",
                    "a user who only reads has one API key: delete the other first",
                ));
            }
            authn::new_key(txn, user, text("name"), text("description"))
        })
        .await?;
    let key = world.get(Kind::ApiKey, Id::text(&key)).ok_or(ApiError::NotFound)?;
    let mut answer = View::draft(&world, Caps::default()).value(key, None);
    if let Value::Object(map) = &mut answer {
        map.insert("secret".into(), secret.into());
    }
    Ok(Reply::json(StatusCode::CREATED, &answer))
}

/// What an owner asks of the list of keys.
#[derive(Default)]
struct Wanted<'a> {
    users: Option<bool>,
    state: Option<&'a str>,
    name: Option<String>,
    username: Option<String>,
    role: Option<Role>,
    max_results: Option<usize>,
}

impl<'a> Wanted<'a> {
    fn parse(cx: &'a Cx) -> Result<Self, ApiError> {
        let mut wanted = Self::default();
        for (name, value) in &cx.query {
            match (name.as_str(), value.as_str()) {
                ("type", "user") => wanted.users = Some(true),
                ("type", "service_account") => wanted.users = Some(false),
                ("type", _) => {
                    return Err(ApiError::input("`type` is one of user, service_account"));
                }
                ("state", "active" | "expired") => wanted.state = Some(value),
                ("state", _) => return Err(ApiError::input("`state` is one of active, expired")),
                ("name", v) => wanted.name = Some(v.to_lowercase()),
                ("username", v) => wanted.username = Some(v.to_lowercase()),
                ("role", v) => wanted.role = Some(permissions::role_filter(&cx.world, v)?),
                ("max_results", v) => {
                    let n = v.parse();
                    wanted.max_results =
                        Some(n.map_err(|_| ApiError::input("`max_results` is a whole number"))?);
                }
                ("representation", _) => {}
                _ => {
                    return Err(ApiError::input(format!(
                        "`{name}` is no query parameter of this list"
                    )));
                }
            }
        }
        if wanted.users.is_none() {
            return Err(ApiError::input("`type` is required: user or service_account"));
        }
        Ok(wanted)
    }
}

/// A key with the account that it belongs to.
struct Held<'a> {
    world: &'a World,
    key: &'a Arc<Obj>,
    account: &'a Arc<Obj>,
    permissions: Vec<&'a Arc<Obj>>,
    restriction: Option<&'a crate::doc::Val>,
}

async fn org_list(cx: &Cx) -> Result<Reply, ApiError> {
    let wanted = Wanted::parse(cx)?;
    let system = cx.app.state.world(SYSTEM).ok_or(ApiError::NotFound)?;
    let all = if wanted.users == Some(true) {
        of_users(&system, &cx.world)
    } else {
        of_accounts(&cx.world)
    };
    let total = all.len();
    let name = |h: &Held<'_>, field: &str| {
        h.account.doc.str(field).map(str::to_lowercase).unwrap_or_default()
    };
    let now = cx.app.state.clock.now();
    let state = |h: &Held<'_>| if authn::expired(h.key, now) { "expired" } else { "active" };
    let passing: Vec<Held<'_>> = all
        .into_iter()
        .filter(|h| wanted.state.is_none_or(|s| s == state(h)))
        .filter(|h| wanted.name.as_ref().is_none_or(|n| name(h, "name").contains(n)))
        .filter(|h| wanted.username.as_ref().is_none_or(|n| name(h, "username").contains(n)))
        .filter(|h| {
            let has = |r| h.permissions.iter().any(|p| authn::permission_role(&p.doc) == Some(r));
            wanted.role.is_none_or(has)
        })
        .collect();
    let matched = passing.len();
    let most = wanted.max_results.unwrap_or(limits::LIST_ROWS_DEFAULT);
    let out: Vec<Value> = passing.iter().take(most).map(|h| item(cx, h, state(h))).collect();
    let reply = Reply::json(StatusCode::OK, &out.into());
    Ok(reply.with("x-total-count", total).with("x-matched-count", matched))
}

/// Keys of the users who belong to an organisation.
fn of_users<'a>(system: &'a World, world: &'a World) -> Vec<Held<'a>> {
    let held = |key: &'a Arc<Obj>| {
        let account = system.get(Kind::User, key.parent?)?;
        let who = Account::User(account.id);
        if !authn::belongs(system, who, world.org) {
            return None;
        }
        let name = account.doc.str("username").unwrap_or_default();
        let permissions = authn::permissions(system, world, who, name);
        let restriction =
            authn::user_principal(world, name).and_then(|p| p.doc.get("access_restriction"));
        Some(Held { world: system, key, account, permissions, restriction })
    };
    system.objects(Side::Draft, Kind::ApiKey).filter_map(held).collect()
}

fn of_accounts(world: &World) -> Vec<Held<'_>> {
    let held = |key| {
        let key: &Arc<Obj> = key;
        let account = world.get(Kind::ServiceAccount, key.parent?)?;
        let permissions = authn::grants(world, account.id).collect();
        let restriction = account.doc.get("access_restriction");
        Some(Held { world, key, account, permissions, restriction })
    };
    world.objects(Side::Draft, Kind::ServiceAccountKey).filter_map(held).collect()
}

fn item(cx: &Cx, held: &Held<'_>, state: &str) -> Value {
    let (key, account) = (&held.key.doc, held.account);
    let view = View::draft(&cx.world, Caps::default());
    let grants: Vec<Value> = held
        .permissions
        .iter()
        .map(|p| {
            let mut value = view.value(p, None);
            if let Value::Object(map) = &mut value {
                map.remove("auth_security_principal");
            }
            value
        })
        .collect();
    let account_href = audit::href_of(held.world, account).to_string();
    let user = account.kind == Kind::User;
    let name = if user { "username" } else { "name" };
    let restriction =
        held.restriction.map(|r| r.to_json(cx.org, bulkhead_ids::PolicyVersion::Draft));
    let creator = key
        .get("created_by")
        .map(|by| by.to_json(cx.org, bulkhead_ids::PolicyVersion::Draft))
        .unwrap_or_else(|| json!({"href": account_href}));
    let mut out = json!({
        "href": audit::href_of(held.world, held.key).to_string(),
        "key_id": key.str("key_id"),
        "auth_username": key.str("auth_username"),
        "name": key.str("name"),
        "description": key.str("description").unwrap_or_default(),
        "state": state,
        "expires_in_seconds": key.int("expires_in_seconds").unwrap_or(-1),
        "created_at": key.str("created_at"),
        "created_by": creator,
        "account": {
            "href": account_href,
            "type": if user { "user" } else { "service_account" },
            "name": account.doc.str(name).unwrap_or_default(),
            "access_restriction": restriction,
            "permissions": grants,
        },
    });
    let used = cx.app.keys.get(held.key.id).and_then(|t| jiff::Timestamp::from_microsecond(t).ok());
    let used = used.map(crate::clock::wire_time).or_else(|| time_of(held.key, "_used_us"));
    if let (Some(used), Value::Object(map)) = (used, &mut out) {
        map.insert("last_login_on".into(), used.into());
    }
    out
}

/// Deletes a key of a service account of the organisation, or of a user who belongs to it.
async fn org_delete(cx: &Cx) -> Result<Reply, ApiError> {
    let id = Id::text(cx.param("key_id"));
    if cx.world.get(Kind::ServiceAccountKey, id).is_some() {
        cx.write("api_key.delete", |txn| {
            txn.remove(Kind::ServiceAccountKey, id);
            Ok(())
        })
        .await?;
        return Ok(Reply::no_content());
    }
    let change = |txn: &mut Txn<'_>| {
        let key = txn.world.get(Kind::ApiKey, id).cloned().ok_or(ApiError::NotFound)?;
        let user = key.parent.ok_or(ApiError::NotFound)?;
        if !authn::belongs(&txn.world, Account::User(user), cx.org) {
            return Err(ApiError::NotFound);
        }
        txn.event_type = Some("api_key.delete".into());
        txn.event_in(cx.org);
        txn.remove(Kind::ApiKey, id);
        Ok(())
    };
    cx.app.state.write(SYSTEM, &cx.origin, change).await?;
    Ok(Reply::no_content())
}
