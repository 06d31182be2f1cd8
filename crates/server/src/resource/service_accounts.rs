//! Service accounts and their keys.
//!
//! An account has a principal with the same id, which holds its permissions like that of a user.
//!
//! Source: REST API guide 25.2, "Service accounts".

use super::{Hooks, Predicate, crud, permissions};
use crate::audit;
use crate::authn::{self, KEY_PREFIX};
use crate::doc::Val;
use crate::http::{Cx, Handler, Reply, standard};
use crate::render::{Out, View};
use crate::txn::Txn;
use crate::world::{Obj, Side, World};
use bulkhead_api::{ApiError, Role};
use bulkhead_ids::{Id, Kind};
use http::StatusCode;
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// Seconds that a key lives by default and at most, unless the settings say otherwise.
const LIFETIME_S: i64 = 7_776_000;

/// What ServiceAccount adds to the common mechanism.
pub const SERVICE_ACCOUNT_HOOKS: Hooks = Hooks {
    check: Some(check_account),
    split: Some(split),
    saved: Some(saved),
    deleted: Some(deleted),
    derive: Some(derive),
    filter: Some(filter),
    ..Hooks::NONE
};

/// What ServiceAccountKey adds to the common mechanism.
pub const SERVICE_ACCOUNT_KEY_HOOKS: Hooks = Hooks { check: Some(check_key), ..Hooks::NONE };

/// Handlers of the operations that are not standard.
pub fn handler(id: &str) -> Option<Handler> {
    match id {
        "service_account_create" => Some(|cx| Box::pin(create(cx))),
        "service_account_update" => {
            Some(|cx| Box::pin(super::access_restrictions::guarded_update(cx)))
        }
        "service_account_key_create" => Some(|cx| Box::pin(create_key(cx))),
        _ => None,
    }
}

fn check_account(
    txn: &mut Txn<'_>,
    doc: &mut Map<String, Value>,
    old: Option<&Obj>,
) -> Result<(), ApiError> {
    if old.is_none() {
        match doc.get("uuid").and_then(Value::as_str) {
            Some(given) => {
                permissions::check_uuid(&txn.world, Kind::ServiceAccount, given)?;
                permissions::check_uuid(&txn.world, Kind::AuthSecurityPrincipal, given)?;
            }
            None => {
                doc.insert("uuid".into(), crate::clock::new_uuid().to_string().into());
            }
        }
    }
    Ok(())
}

/// Permissions are objects of their own.
fn split(body: &mut Map<String, Value>) -> Map<String, Value> {
    body.remove_entry("permissions").into_iter().collect()
}

fn saved(txn: &mut Txn<'_>, account: &Arc<Obj>, rest: Map<String, Value>) -> Result<(), ApiError> {
    put_principal(txn, account);
    match rest.get("permissions").and_then(Value::as_array) {
        Some(list) => put_permissions(txn, account.id, list),
        None => Ok(()),
    }
}

/// Makes the account's principal say what the account says.
fn put_principal(txn: &mut Txn<'_>, account: &Obj) {
    let org = txn.world.org;
    let name = account.doc.str("name").unwrap_or_default();
    let doc = json!({
        "name": name,
        "display_name": name,
        "type": "service_account",
        "access_restriction": account
            .doc
            .get("access_restriction")
            .map(|r| r.to_json(org, bulkhead_ids::PolicyVersion::Draft)),
        "uuid": account.id.as_uuid().to_string(),
        // Names of service accounts need not differ; their principals are told apart by id.
        "_name": account.id.as_uuid().to_string(),
        "_service_account": true,
    });
    let doc = Val::from_json(&doc);
    if txn.world.get(Kind::AuthSecurityPrincipal, account.id).is_none_or(|p| p.doc != doc) {
        let principal = Obj::new(Kind::AuthSecurityPrincipal, account.id, None, doc);
        txn.put_current(
            Kind::AuthSecurityPrincipal,
            account.id,
            crate::world::Row::plain(principal),
        );
    }
}

/// Replaces the permissions of an account; those that stay keep their hrefs.
fn put_permissions(txn: &mut Txn<'_>, account: Id, list: &[Value]) -> Result<(), ApiError> {
    let mut wanted: Vec<Role> = Vec::new();
    for grant in list {
        let mut grant = grant.as_object().cloned().unwrap_or_default();
        super::refs::resolve_members(&txn.world, &mut grant)?;
        permissions::check_scope(&grant)?;
        let role = authn::permission_role(&Val::from_json(&Value::Object(grant)));
        let role = role.ok_or_else(|| ApiError::input("`role` names no role"))?;
        if wanted.contains(&role) {
            return Err(ApiError::input("the same role and scope stand twice in `permissions`"));
        }
        wanted.push(role);
    }
    let held: Vec<(Id, Option<Role>)> = authn::grants(&txn.world, account)
        .map(|p| (p.id, authn::permission_role(&p.doc)))
        .collect();
    for (id, role) in &held {
        if role.is_none_or(|r| !wanted.contains(&r)) {
            txn.remove(Kind::Permission, *id);
        }
    }
    let org = txn.world.org;
    for role in wanted {
        if held.iter().any(|(_, r)| *r == Some(role)) {
            continue;
        }
        let principal = format!("/orgs/{org}/auth_security_principals/{}", account.as_uuid());
        let grant = json!({
            "role": {"href": format!("/orgs/{org}/roles/{}", role.name())},
            "scope": [],
            "auth_security_principal": {"href": principal},
        });
        if let Value::Object(grant) = grant {
            crud::create(txn, Kind::Permission, None, grant)?;
        }
    }
    Ok(())
}

fn deleted(txn: &mut Txn<'_>, account: &Obj) -> Result<(), ApiError> {
    let Some(principal) = txn.world.get(Kind::AuthSecurityPrincipal, account.id).cloned() else {
        return Ok(());
    };
    crud::delete(txn, &principal)
}

fn derive(view: &View<'_>, account: &Obj, out: &mut Out<'_>) {
    let held: Vec<Value> = authn::grants(view.world, account.id)
        .map(|p| {
            let mut value = view.value(p, None);
            if let Value::Object(map) = &mut value {
                map.remove("auth_security_principal");
            }
            value
        })
        .collect();
    out.member("permissions", &held.into());
    let keys = view.world.children(Kind::ServiceAccountKey, account.id);
    let keys: Vec<Value> = keys.filter_map(|r| shown_key(view, r.draft.as_ref()?)).collect();
    out.member("api_keys", &keys.into());
}

/// A key as answers about its account show it.
fn shown_key(view: &View<'_>, key: &Obj) -> Option<Value> {
    let mut shown = json!({
        "href": audit::href_of(view.world, key).to_string(),
        "key_id": key.doc.str("key_id")?,
        "auth_username": key.doc.str("auth_username")?,
        "name": key.doc.str("name"),
        "description": key.doc.str("description").unwrap_or_default(),
        "state": key.doc.str("state").unwrap_or("active"),
        "expires_in_seconds": key.doc.int("expires_in_seconds").unwrap_or(-1),
        "created_at": key.doc.str("created_at")?,
    });
    if let (Some(by), Value::Object(shown)) = (key.doc.get("created_by"), &mut shown) {
        let draft = bulkhead_ids::PolicyVersion::Draft;
        shown.insert("created_by".into(), by.to_json(view.world.org, draft));
    }
    Some(shown)
}

fn filter(world: &World, _: Side, name: &str, value: &str) -> Result<Predicate, ApiError> {
    match name {
        "role" => {
            let role = permissions::role_filter(world, value)?;
            Ok(Box::new(move |w, a| {
                authn::grants(w, a.id).any(|p| authn::permission_role(&p.doc) == Some(role))
            }))
        }
        // No product manages accounts here.
        _ => Ok(Box::new(|_, _| false)),
    }
}

fn check_key(
    txn: &mut Txn<'_>,
    doc: &mut Map<String, Value>,
    old: Option<&Obj>,
) -> Result<(), ApiError> {
    if old.is_none() {
        doc.insert("created_at".into(), txn.time().into());
        if !txn.origin.href.is_empty() {
            doc.insert("created_by".into(), json!({"href": txn.origin.href}));
        }
    }
    Ok(())
}

/// The seconds that a key shall live: -1 for ever.
///
/// # Errors
/// 406 for more than the settings allow.
fn lifetime(world: &World, wanted: Option<&Value>) -> Result<i64, ApiError> {
    let settings = world.get(Kind::OrgSettings, Id::SINGLETON);
    let most =
        settings.and_then(|s| s.doc.int("max_api_key_expiration_in_seconds")).unwrap_or(LIFETIME_S);
    match wanted.and_then(Value::as_i64) {
        None => Ok(most),
        Some(n) if most >= 0 && n > most => Err(ApiError::input(format!(
            "`expires_in_seconds` is at most {most}, the organisation's setting, or -1"
        ))),
        Some(n) => Ok(n),
    }
}

/// Makes a key of an account; returns it with its secret, which is shown this once.
fn new_key(
    txn: &mut Txn<'_>,
    account: Id,
    wanted: Option<&Value>,
) -> Result<(Arc<Obj>, String), ApiError> {
    let lives_s = lifetime(&txn.world, wanted)?;
    let (key_id, secret) = authn::new_secret()?;
    let mut body = Map::new();
    body.insert("expires_in_seconds".into(), lives_s.into());
    body.insert("name".into(), Value::Null);
    body.insert("auth_username".into(), format!("{KEY_PREFIX}{key_id}").into());
    body.insert("key_id".into(), key_id.into());
    body.insert("state".into(), "active".into());
    body.insert("_secret".into(), authn::digest(&secret).into());
    if lives_s >= 0 {
        let until = txn.now.as_microsecond().saturating_add(lives_s * 1_000_000);
        body.insert("_expires_us".into(), until.into());
    }
    Ok((crud::create(txn, Kind::ServiceAccountKey, Some(account), body)?, secret))
}

/// The one answer that shows the secret of a key.
fn key_answer(world: &World, key: &Obj, secret: &str) -> Value {
    json!({
        "href": audit::href_of(world, key).to_string(),
        "key_id": key.doc.str("key_id"),
        "auth_username": key.doc.str("auth_username"),
        "name": null,
        "description": "",
        "created_at": key.doc.str("created_at"),
        "secret": secret,
    })
}

async fn create(cx: &Cx) -> Result<Reply, ApiError> {
    let ((account, key, secret), world) = cx
        .write("service_account.create", |txn| {
            let mut body = cx.object();
            let wanted = body.remove("api_key");
            let lives = wanted.as_ref().and_then(|k| k.get("expires_in_seconds"));
            let account = crud::create(txn, Kind::ServiceAccount, None, body)?;
            let (key, secret) = new_key(txn, account.id, lives)?;
            Ok((account, key, secret))
        })
        .await?;
    let mut answer = View::draft(&world, cx.caps(Kind::ServiceAccount)).value(&account, None);
    if let Value::Object(map) = &mut answer {
        let mut key = key_answer(&world, &key, &secret);
        if let Value::Object(key) = &mut key {
            key.retain(|k, _| matches!(k.as_str(), "href" | "key_id" | "auth_username" | "secret"));
        }
        map.insert("api_key".into(), key);
    }
    Ok(Reply::json(StatusCode::CREATED, &answer))
}

async fn create_key(cx: &Cx) -> Result<Reply, ApiError> {
    let ((key, secret), world) = cx
        .write("api_key.create", |txn| {
            let account = standard::parent(cx, &txn.world, Kind::ServiceAccountKey)?;
            let account = account.ok_or(ApiError::NotFound)?;
            new_key(txn, account, cx.body.get("expires_in_seconds"))
        })
        .await?;
    Ok(Reply::json(StatusCode::CREATED, &key_answer(&world, &key, &secret)))
}
