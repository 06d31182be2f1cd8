//! Sign-in in two steps, sign-out, and passwords of users.
//!
//! Source: REST APIs 25.4, session credentials; REST API guide 25.2, "Users". The lock after repeated
//! failures is not described anywhere public: its numbers are in [`limits`].

use super::{Account, Proof, digest, password, sessions};
use crate::app::App;
use crate::audit::{self, Event};
use crate::authz;
use crate::doc::Val;
use crate::http::{Cx, Handler, Reply};
use crate::render::{Caps, View};
use crate::resource::{crud, password_policy};
use crate::txn::{Origin, Txn};
use crate::world::{Obj, Row, SYSTEM, World, unique_key};
use bulkhead_api::{ApiError, limits};
use bulkhead_ids::{Id, Kind};
use bulkhead_store::Op;
use http::StatusCode;
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// The prefix of the header that carries an authentication token.
const TOKEN_PREFIX: &str = "token=";

/// Handlers of the operations that are not standard.
pub fn handler(id: &str) -> Option<Handler> {
    match id {
        "login_users_authenticate" => Some(|cx| Box::pin(authenticate(cx))),
        "users_login" => Some(|cx| Box::pin(login(cx))),
        "users_logout" => Some(|cx| Box::pin(logout(cx))),
        "login_users_password" => Some(|cx| Box::pin(login_users_password(cx))),
        "user_local_profile_password" => Some(|cx| Box::pin(profile_password(cx))),
        _ => None,
    }
}

/// The user who signs in with a name; names are compared without regard to case.
pub fn find(system: &World, username: &str) -> Option<Arc<Obj>> {
    let id = system.holder(Kind::User, &unique_key(0, &[&username.to_lowercase()]))?;
    system.get(Kind::User, id).cloned()
}

/// The organisation whose events tell of a user: the first that it belongs to. What concerns no
/// known user is told in the only organisation, or else among the events of the PCE.
fn told_in(app: &App, user: Option<&Obj>) -> u32 {
    let first = user.and_then(|u| match u.doc.list("_orgs").first() {
        Some(Val::Int(org)) => u32::try_from(*org).ok(),
        _ => None,
    });
    first.unwrap_or_else(|| {
        let worlds = app.state.worlds();
        let mut orgs = worlds.keys().copied().filter(|o| *o != SYSTEM);
        match (orgs.next(), orgs.next()) {
            (Some(only), None) => only,
            _ => SYSTEM,
        }
    })
}

/// Why a sign-in with the right user and password may still fail.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Good,
    Wrong,
    Locked,
    Expired,
}

fn outcome(system: &World, user: Option<&Obj>, right: bool, now: Timestamp) -> Outcome {
    let Some(user) = user.filter(|u| u.doc.str("type") == Some("local")) else {
        return Outcome::Wrong;
    };
    if locked(user, now) {
        return Outcome::Locked;
    }
    if !right {
        return Outcome::Wrong;
    }
    let policy = system.get(Kind::PasswordPolicy, Id::SINGLETON);
    let days = password_policy::Rules::of(policy.map(AsRef::as_ref)).expire_days;
    let since = user.doc.int("_password_us").unwrap_or_default();
    if days > 0 && now.as_microsecond() - since >= days * 86_400_000_000 {
        return Outcome::Expired;
    }
    Outcome::Good
}

/// Whether a user may not sign in now.
fn locked(user: &Obj, now: Timestamp) -> bool {
    let until = user.doc.int("_locked_until_us");
    user.doc.is("locked") && until.is_none_or(|t| now.as_microsecond() < t)
}

/// Checks e-mail and password of a local user; the event of a refusal is written here.
///
/// # Errors
/// `Unauthenticated` for an unknown, locked or external user and for an expired password as for a
/// wrong one, in the same time; `TooMany` for too many tries from one address.
pub async fn check(
    app: &App,
    origin: &Origin,
    email: &str,
    given: &str,
) -> Result<Arc<Obj>, ApiError> {
    attempt(app, origin, (email, given), ("request.authentication_failed", false)).await
}

async fn attempt(
    app: &App,
    origin: &Origin,
    (email, given): (&str, &str),
    (event_type, expired_too): (&str, bool),
) -> Result<Arc<Obj>, ApiError> {
    let now = app.state.clock.now();
    let from = format!("password checks from {}", origin.ip);
    let most = limits::PASSWORD_CHECKS_PER_MINUTE;
    app.rates.count_to(&from, most, now.as_millisecond()).map_err(ApiError::TooMany)?;
    let system = app.state.world(SYSTEM).ok_or(ApiError::Unauthenticated)?;
    let user = find(&system, email);
    let right = password::right(app, user.as_deref(), given).await?;
    // The state of the account counts as it is after the check, however long that waited.
    let system = app.state.world(SYSTEM).ok_or(ApiError::Unauthenticated)?;
    let user = user.and_then(|u| system.get(Kind::User, u.id).cloned());
    let outcome = outcome(&system, user.as_deref(), right, app.state.clock.now());
    match (outcome, user) {
        (Outcome::Good, Some(user)) => {
            forgive(app, origin, &user).await?;
            Ok(user)
        }
        (Outcome::Expired, Some(user)) if expired_too => Ok(user),
        (outcome, user) => {
            let event_type = match outcome {
                Outcome::Expired => "user.use_expired_password",
                _ => event_type,
            };
            failed(app, origin, (email, user), (event_type, outcome)).await?;
            Err(ApiError::Unauthenticated)
        }
    }
}

/// Forgets failed tries after a good one.
async fn forgive(app: &App, origin: &Origin, user: &Obj) -> Result<(), ApiError> {
    if user.doc.int("_failures").unwrap_or_default() == 0 && !user.doc.is("locked") {
        return Ok(());
    }
    let clear = object(json!({"_failures": 0, "_locked_until_us": null, "locked": false}));
    app.state.write(SYSTEM, origin, |txn| patch(txn, user.id, clear)).await.map(|_| ())
}

/// Counts a failed try against the account, locks it where it was one too many, and tells of it.
/// Unknown names cost a write like known ones, so that the time tells nothing.
async fn failed(
    app: &App,
    origin: &Origin,
    (supplied, user): (&str, Option<Arc<Obj>>),
    (event_type, outcome): (&str, Outcome),
) -> Result<(), ApiError> {
    let org = told_in(app, user.as_deref());
    let supplied = super::shown(supplied);
    let info = json!({"associated_user": {"supplied_username": supplied}, "src_ip": origin.ip});
    let mut notes = vec![audit::notification("user.login_failed", info)];
    let change = |txn: &mut Txn<'_>| {
        if let (Some(user), Outcome::Wrong) = (&user, outcome)
            && count_failure(txn, user.id)?
        {
            let info = json!({
                "associated_user": {"supplied_username": supplied},
                "failures": limits::LOGIN_FAILURES_MAX,
                "locked_minutes": limits::LOCKOUT_MIN,
            });
            notes.push(audit::notification("user.login_failure_count_exceeded", info));
        }
        let e = ApiError::Unauthenticated;
        let op = audit::refused(org, origin, txn.now, (event_type, &notes), &e);
        txn.op(op);
        Ok(())
    };
    app.state.write(SYSTEM, origin, change).await.map(|_| ())
}

/// Counts a failure; says whether it locked the account.
fn count_failure(txn: &mut Txn<'_>, id: Id) -> Result<bool, ApiError> {
    let Some(user) = txn.world.get(Kind::User, id).cloned() else { return Ok(false) };
    if locked(&user, txn.now) || user.doc.str("type") != Some("local") {
        return Ok(false);
    }
    let failures = user.doc.int("_failures").unwrap_or_default() + 1;
    let lock = failures >= i64::from(limits::LOGIN_FAILURES_MAX);
    let until = txn.now.as_microsecond() + i64::from(limits::LOCKOUT_MIN) * 60_000_000;
    let change = if lock {
        json!({"_failures": 0, "locked": true, "_locked_until_us": until})
    } else {
        json!({"_failures": failures, "locked": false, "_locked_until_us": null})
    };
    patch(txn, id, object(change))?;
    Ok(lock)
}

fn object(v: Value) -> Map<String, Value> {
    match v {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

/// Sets stored members of a user that are no business of the audit trail; null takes one away.
pub fn patch(txn: &mut Txn<'_>, id: Id, change: Map<String, Value>) -> Result<(), ApiError> {
    let user = txn.world.get(Kind::User, id).cloned().ok_or(ApiError::NotFound)?;
    let mut doc = crud::document(SYSTEM, &user);
    doc.extend(change);
    doc.retain(|k, v| !(k.starts_with('_') && v.is_null()));
    let obj = Obj::new(Kind::User, id, user.parent, Val::from_json(&doc.into()));
    txn.put_current(Kind::User, id, Row::plain(obj));
    Ok(())
}

/// The origin of a request whose caller is known only from its handler.
fn origin_of(cx: &Cx, system: &World, user: &Obj) -> Origin {
    let mut origin = Origin::clone(&cx.origin);
    origin.href = audit::href_of(system, user).to_string();
    origin.name = user.doc.str("username").unwrap_or_default().to_owned();
    origin
}

/// E-mail and password of the request's Basic header.
fn credentials(cx: &Cx) -> Result<(String, String), ApiError> {
    let header = cx.authorization.as_deref().and_then(super::basic);
    let personal = |user: &str| {
        !user.starts_with(super::KEY_PREFIX) && !user.starts_with(super::SESSION_PREFIX)
    };
    header.filter(|(user, _)| personal(user) || user.contains('@')).ok_or(ApiError::Unauthenticated)
}

async fn authenticate(cx: &Cx) -> Result<Reply, ApiError> {
    let (email, given) = credentials(cx)?;
    let result = attempt(&cx.app, &cx.origin, (&email, &given), ("user.authenticate", false)).await;
    // A refusal is told where it is counted.
    cx.recorded.store(matches!(result, Err(ApiError::Unauthenticated)), Ordering::Relaxed);
    let user = result?;
    let system = cx.app.state.world(SYSTEM).ok_or(ApiError::Unauthenticated)?;
    let caller = super::user_caller(&system, user.id, Proof::Password, "")
        .filter(|c| authz::address_allowed(&cx.app, c, &cx.client, None))
        .ok_or(ApiError::Unauthenticated)?;
    let (_, token) = super::new_secret()?;
    let digest = digest(&token);
    let home = told_in(&cx.app, Some(&user));
    let origin = Origin { href: caller.href, name: caller.name, ..Origin::clone(&cx.origin) };
    let change = |txn: &mut Txn<'_>| {
        let lives_us = i64::from(limits::AUTH_TOKEN_S) * 1_000_000;
        let until = txn.now.as_microsecond() + lives_us;
        let id = Id::text(&digest);
        let doc = Val::from_json(&json!({"_until_us": until}));
        let obj = Obj::new(Kind::AuthToken, id, Some(user.id), doc);
        txn.put_current(Kind::AuthToken, id, Row::plain(obj));
        txn.event_type = Some("user.authenticate".into());
        txn.event_in(home);
        Ok(())
    };
    cx.app.state.write(SYSTEM, &origin, change).await?;
    Ok(Reply::json(StatusCode::CREATED, &json!({"auth_token": token})))
}

async fn login(cx: &Cx) -> Result<Reply, ApiError> {
    let header = cx.authorization.as_deref().unwrap_or_default();
    let token = header.split_once(' ').filter(|(s, _)| s.eq_ignore_ascii_case("token"));
    match token.and_then(|(_, rest)| rest.trim().strip_prefix(TOKEN_PREFIX)) {
        Some(token) => login_by_token(cx, token.trim_matches('"')).await,
        None => login_by_credential(cx).await,
    }
}

async fn login_by_token(cx: &Cx, token: &str) -> Result<Reply, ApiError> {
    let given = Id::text(&digest(token));
    let system = cx.app.state.world(SYSTEM).ok_or(ApiError::Unauthenticated)?;
    let user = system
        .get(Kind::AuthToken, given)
        .and_then(|t| system.get(Kind::User, t.parent?).cloned())
        .ok_or(ApiError::Unauthenticated)?;
    let caller = super::user_caller(&system, user.id, Proof::Session, "")
        .filter(|c| authz::address_allowed(&cx.app, c, &cx.client, None))
        .ok_or(ApiError::Unauthenticated)?;
    if super::organisations(&cx.app, &caller).is_empty() {
        return Err(ApiError::Unauthenticated);
    }
    let (_, session) = super::new_secret()?;
    let origin = origin_of(cx, &system, &user);
    let home = told_in(&cx.app, Some(&user));
    let change = |txn: &mut Txn<'_>| {
        // The change sees all before it: of two logins with one token the second finds it gone.
        let token = txn.world.get(Kind::AuthToken, given).ok_or(ApiError::Unauthenticated)?;
        if token.doc.int("_until_us").is_none_or(|until| txn.now.as_microsecond() >= until) {
            return Err(ApiError::Unauthenticated);
        }
        txn.revert(Kind::AuthToken, given);
        sessions::begin(txn, user.id, &digest(&session));
        let known = txn.world.get(Kind::User, user.id);
        let count = known.and_then(|u| u.doc.int("login_count")).unwrap_or_default() + 1;
        let seen = json!({
            "last_login_on": txn.time(),
            "last_login_ip_address": txn.origin.ip,
            "login_count": count,
        });
        patch(txn, user.id, object(seen))?;
        let info = json!({"user": {"href": origin.href, "username": origin.name}});
        txn.notifications.push(audit::notification("user.pce_session_created", info));
        txn.event_type = Some("user.login".into());
        txn.event_in(home);
        Ok(())
    };
    let (_, system) = cx.app.state.write(SYSTEM, &origin, change).await?;
    let auth_username =
        format!("{}{}", super::SESSION_PREFIX, user.id.as_int().unwrap_or_default());
    let answer = user_answer(cx, &system, user.id, (&auth_username, &session));
    Ok(Reply::json(StatusCode::OK, &answer))
}

/// The login answer for a caller that has a session or key already; keys get no session.
async fn login_by_credential(cx: &Cx) -> Result<Reply, ApiError> {
    let header = cx.authorization.as_deref();
    let caller = super::authenticate(&cx.app, header, &cx.origin).map_err(|r| r.error)?;
    if !authz::address_allowed(&cx.app, &caller, &cx.client, None) {
        return Err(ApiError::Unauthenticated);
    }
    let now = cx.app.state.clock.now().as_millisecond();
    cx.app.rates.count(&caller.credential, now).map_err(ApiError::TooMany)?;
    let (username, secret) = header.and_then(super::basic).ok_or(ApiError::Unauthenticated)?;
    let token = if caller.proof == Proof::Session { secret.as_str() } else { "" };
    let system = cx.app.state.world(SYSTEM).ok_or(ApiError::Unauthenticated)?;
    let answer = match caller.account {
        Account::User(id) => user_answer(cx, &system, id, (&username, token)),
        Account::Service(..) => {
            let account = json!({
                "href": caller.href,
                "type": "service_account",
                "full_name": caller.name,
            });
            let orgs = orgs_of(cx, &system, caller.account, (&caller.href, &caller.name));
            complete(&system, account, orgs, (&username, token))
        }
    };
    let origin = Origin {
        href: caller.href.clone(),
        name: caller.name.clone(),
        ..Origin::clone(&cx.origin)
    };
    let home = super::home(&cx.app, &caller).unwrap_or(SYSTEM);
    let mut event = Event::info("user.login");
    event.http_status = Some(200);
    let row = audit::row(home, &origin, cx.app.state.clock.now(), event);
    cx.app.state.note(home, vec![Op::AddEvent(row)]);
    Ok(Reply::json(StatusCode::OK, &answer))
}

fn user_answer(cx: &Cx, system: &World, user: Id, credential: (&str, &str)) -> Value {
    let Some(obj) = system.get(Kind::User, user) else { return Value::Null };
    let view = View::draft(system, Caps::default()).value(obj, None);
    let href = audit::href_of(system, obj).to_string();
    let name = obj.doc.str("username").unwrap_or_default();
    let mut account = json!({
        "href": href,
        "local": obj.doc.str("type") == Some("local"),
        "last_login_on": crate::clock::wire_time(cx.app.state.clock.now()),
    });
    if let Some(map) = account.as_object_mut() {
        for field in
            ["username", "full_name", "type", "time_zone", "last_login_on", "last_login_ip_address"]
        {
            if let Some(v) =
                view.get(field).filter(|v| v.as_str() != Some("") || field == "full_name")
            {
                map.insert(field.into(), v.clone());
            }
        }
    }
    let orgs = orgs_of(cx, system, Account::User(user), (&href, name));
    complete(system, account, orgs, credential)
}

fn complete(system: &World, mut account: Value, orgs: Value, (user, token): (&str, &str)) -> Value {
    if let Some(map) = account.as_object_mut() {
        map.insert("auth_username".into(), user.into());
        map.insert("session_token".into(), token.into());
        map.insert("inactivity_expiration_minutes".into(), sessions::idle_minutes(system).into());
        map.insert("product_version".into(), crate::resource::system::product_version());
        map.insert("orgs".into(), orgs);
    }
    account
}

/// The organisations of an account with its roles, as the login answer has them.
fn orgs_of(cx: &Cx, system: &World, account: Account, (href, name): (&str, &str)) -> Value {
    let worlds = cx.app.state.worlds();
    let mut out = Vec::new();
    for world in worlds.values().filter(|w| w.org != SYSTEM) {
        let permissions = super::permissions(system, world, account, name);
        if permissions.is_empty() {
            continue;
        }
        let org = format!("/orgs/{}", world.org);
        let holder = match account {
            Account::User(_) => format!("{org}{href}"),
            Account::Service(..) => href.to_owned(),
        };
        let scopes: Vec<Value> = permissions
            .iter()
            .map(|p| {
                let value = View::draft(world, Caps::default()).value(p, None);
                json!({
                    "href": format!("{holder}/role_scopes/{}", p.id.as_uuid()),
                    "role": value.get("role"),
                    "scope": value.get("scope"),
                })
            })
            .collect();
        let display_name = system
            .get(Kind::Org, Id::int(world.org.into()))
            .and_then(|o| o.doc.str("display_name"));
        out.push(json!({
            "org_id": world.org,
            "org_href": org,
            "href": org,
            "display_name": display_name.unwrap_or_default(),
            "role_scopes": scopes,
        }));
    }
    out.into()
}

async fn logout(cx: &Cx) -> Result<Reply, ApiError> {
    let caller = cx.caller.as_ref().ok_or(ApiError::Unauthenticated)?;
    if caller.proof != Proof::Session {
        return Err(ApiError::Forbidden("only a session can log out; delete the key".into()));
    }
    let session = Id::text(&caller.credential);
    cx.write("user.logout", |txn| {
        let user = txn.world.get(Kind::Session, session).and_then(|s| s.parent);
        let user = user.ok_or(ApiError::Unauthenticated)?;
        txn.notifications.push(sessions::ended(&txn.world, user, "user_logout"));
        txn.revert(Kind::Session, session);
        Ok(())
    })
    .await?;
    Ok(Reply::no_content())
}

/// A change of a password: whose, by which proof, and to what.
struct Change<'a> {
    user: Arc<Obj>,
    origin: Origin,
    old: Option<&'a str>,
    new: &'a str,
    session: Option<Id>,
    event_type: &'static str,
}

async fn login_users_password(cx: &Cx) -> Result<Reply, ApiError> {
    let (email, given) = credentials(cx)?;
    let system = cx.app.state.world(SYSTEM).ok_or(ApiError::Unauthenticated)?;
    let now = cx.app.state.clock.now();
    let invited = find(&system, &email).filter(|u| invitation_fits(u, &given, now));
    let event_type = "user.update_password";
    let (user, old) = match invited {
        Some(user) => (user, None),
        None => {
            let tried = attempt(&cx.app, &cx.origin, (&email, &given), (event_type, true)).await;
            cx.recorded.store(matches!(tried, Err(ApiError::Unauthenticated)), Ordering::Relaxed);
            (tried?, Some(given.as_str()))
        }
    };
    let number = user.id.as_int().unwrap_or_default().to_string();
    if !["me", &number].contains(&cx.param("id")) {
        return Err(ApiError::Forbidden("only the own password can be changed".into()));
    }
    let allowed = super::user_caller(&system, user.id, Proof::Password, "")
        .filter(|c| authz::address_allowed(&cx.app, c, &cx.client, None));
    if allowed.is_none() {
        return Err(ApiError::Unauthenticated);
    }
    let new = cx.body.get("password").and_then(Value::as_str).unwrap_or_default();
    let event_type = if old.is_some() { event_type } else { "user.accept_invitation" };
    let origin = origin_of(cx, &system, &user);
    set_password(cx, Change { user, origin, old, new, session: None, event_type }).await
}

/// Whether a text is the user's open invitation.
fn invitation_fits(user: &Obj, given: &str, now: Timestamp) -> bool {
    user.doc.str("type") == Some("local")
        && user.doc.int("_invitation_until_us").is_some_and(|t| now.as_microsecond() < t)
        && user.doc.str("_invitation").is_some_and(|stored| super::matches(given, stored))
}

async fn profile_password(cx: &Cx) -> Result<Reply, ApiError> {
    let caller = cx.caller.as_ref().ok_or(ApiError::Unauthenticated)?;
    let Account::User(id) = caller.account else {
        return Err(ApiError::Forbidden("service accounts have no password".into()));
    };
    let text = |name: &str| cx.body.get(name).and_then(Value::as_str).unwrap_or_default();
    let event_type = "user_local_profile.update_password";
    let user = cx.world.get(Kind::User, id).cloned().ok_or(ApiError::NotFound)?;
    if user.doc.str("type") != Some("local") {
        return Err(ApiError::MethodNotAllowed);
    }
    let old = text("current_password");
    if locked(&user, cx.app.state.clock.now())
        || !password::right(&cx.app, Some(&user), old).await?
    {
        cx.app.state.write(SYSTEM, &cx.origin, |txn| count_failure(txn, id)).await?;
        let e = ApiError::input("`current_password` is not the password of this user");
        let info = json!({"reason": "wrong current password"});
        return Err(tell(
            cx,
            told_in(&cx.app, Some(&user)),
            event_type,
            ("user.pw_change_failure", info),
            e,
        ));
    }
    let session = (caller.proof == Proof::Session).then(|| Id::text(&caller.credential));
    let (new, origin) = (text("new_password"), Origin::clone(&cx.origin));
    set_password(cx, Change { user, origin, old: Some(old), new, session, event_type }).await
}

/// Writes the event of a refusal with a notification; gives the refusal back.
fn tell(
    cx: &Cx,
    org: u32,
    event_type: &str,
    (notification, info): (&str, Value),
    e: ApiError,
) -> ApiError {
    let notes = [audit::notification(notification, info)];
    let now = cx.app.state.clock.now();
    cx.app.state.note(org, vec![audit::refused(org, &cx.origin, now, (event_type, &notes), &e)]);
    cx.recorded.store(true, Ordering::Relaxed);
    e
}

async fn set_password(cx: &Cx, change: Change<'_>) -> Result<Reply, ApiError> {
    let Change { user, origin, old, new, session, event_type } = change;
    let home = told_in(&cx.app, Some(&user));
    let system = cx.app.state.world(SYSTEM).ok_or(ApiError::NotFound)?;
    let policy = system.get(Kind::PasswordPolicy, Id::SINGLETON).cloned();
    let hash = match password::renew(&cx.app, policy, &user, (old, new)).await {
        Ok(hash) => hash,
        Err(e @ ApiError::Invalid(_)) => {
            let reason = e.items().first().map(|i| i.message.clone());
            let note = ("user.pw_complexity_not_met", json!({"reason": reason}));
            return Err(tell(cx, home, event_type, note, e));
        }
        Err(e) => return Err(e),
    };
    let before = user.doc.str("_password").map(str::to_owned);
    let write = |txn: &mut Txn<'_>| {
        let now = txn.world.get(Kind::User, user.id).ok_or(ApiError::NotFound)?;
        // Of two changes at once the second was checked against a password that is no more.
        if now.doc.str("_password") != before.as_deref() {
            return Err(ApiError::input("the password was changed meanwhile: try again"));
        }
        put_password(txn, user.id, &hash, session)?;
        let info = json!({"user": {"href": origin.href, "username": origin.name}});
        txn.notifications.push(audit::notification("user.pw_changed", info));
        txn.event_type = Some(event_type.to_owned());
        txn.event_in(home);
        Ok(())
    };
    cx.app.state.write(SYSTEM, &origin, write).await?;
    Ok(Reply::no_content())
}

/// Stores a password hash: unlocks the account, ends its sessions but for one, takes up its invitation.
///
/// # Errors
/// `NotFound` without the user.
pub fn put_password(
    txn: &mut Txn<'_>,
    id: Id,
    hash: &str,
    keep: Option<Id>,
) -> Result<(), ApiError> {
    let user = txn.world.get(Kind::User, id).cloned().ok_or(ApiError::NotFound)?;
    let former = user.doc.str("_password").into_iter();
    let older = user.doc.list("_history").iter().filter_map(|h| h.as_str());
    let history: Vec<&str> = former.chain(older).take(limits::PASSWORD_HISTORY_MAX).collect();
    sessions::end_all(txn, id, keep);
    let change = json!({
        "_password": hash,
        "_password_us": txn.now.as_microsecond(),
        "_history": history,
        "_failures": null,
        "_invitation": null,
        "_invitation_until_us": null,
        "updated_at": txn.time(),
    });
    patch(txn, id, object(change))
}
