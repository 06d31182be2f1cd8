//! Who calls: API keys and sessions over HTTP Basic.
//!
//! Source: REST API guide 25.2, "Authentication": the user name's prefix tells the kind of credential,
//! `api_` a key of a user or service account, `user_` a session. Secrets and tokens are random, and
//! stored as SHA-256 digests.

pub mod login;
pub mod password;
pub mod sessions;
pub mod upkeep;

pub use sessions::{LastUsed, Sessions};

use crate::app::App;
use crate::audit;
use crate::resource::crud;
use crate::txn::Origin;
use crate::world::{Obj, SYSTEM, Side, World};
use base64::Engine;
use bulkhead_api::{ApiError, Operation, Role, RoleSet, limits};
use bulkhead_ids::{Id, Kind};
use jiff::Timestamp;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::sync::Arc;
use subtle::ConstantTimeEq;

/// Operations that take HTTP Basic with e-mail and password: the Quickstart makes its first key so.
const PASSWORD_OPERATIONS: &[&str] = &["api_key_create", "api_key_list", "user_list"];

/// The name space of API keys in Basic user names.
pub const KEY_PREFIX: &str = "api_";
/// The name space of sessions in Basic user names.
pub const SESSION_PREFIX: &str = "user_";

/// What kind of account calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Account {
    /// A user of this PCE.
    User(Id),
    /// A service account of an organisation.
    Service(u32, Id),
}

/// How the caller proved who it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    /// An API key.
    Key,
    /// A session token.
    Session,
    /// E-mail and password.
    Password,
}

/// An authenticated caller.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The account.
    pub account: Account,
    /// Its href.
    pub href: String,
    /// Its name: e-mail address or name of the service account.
    pub name: String,
    /// How it proved that.
    pub proof: Proof,
    /// Names the credential, for rate limits.
    pub credential: String,
    /// The roles in the organisation of the path; on global paths, those in all organisations.
    pub roles: RoleSet,
    /// The organisations of the path (one, or all) with the roles there.
    pub orgs: Vec<(u32, RoleSet)>,
}

/// Why a caller is not let in: one answer whatever it was, and what the event says besides.
pub struct Refused {
    /// `Unauthenticated`, unless something else kept the server from finding out.
    pub error: ApiError,
    /// Notifications for the event.
    pub notes: Vec<Value>,
    /// The organisation to tell, where the path names none.
    pub org: Option<u32>,
    /// Whether the event is written already.
    pub recorded: bool,
}

impl Refused {
    /// A refusal of a supplied user name.
    fn of(origin: &Origin, supplied: Option<&str>) -> Self {
        let mut info = json!({
            "api_endpoint": origin.endpoint,
            "api_method": origin.method,
            "src_ip": origin.ip,
        });
        if let (Some(name), Some(map)) = (supplied, info.as_object_mut()) {
            map.insert("associated_user".into(), json!({"supplied_username": shown(name)}));
        }
        let note = audit::notification("request.authentication_failed", info);
        Self { error: ApiError::Unauthenticated, notes: vec![note], org: None, recorded: false }
    }
}

/// A supplied user name as events may show it: what looks like none may be a secret in the wrong field.
pub fn shown(name: &str) -> String {
    let plausible = name.contains('@')
        || name.strip_prefix(KEY_PREFIX).is_some_and(|k| k.len() <= 20)
        || name.strip_prefix(SESSION_PREFIX).is_some_and(|n| n.len() <= 20);
    let name: String = name.chars().take(limits::NAME_CHARS_MAX).collect();
    if plausible { name } else { "(withheld)".to_owned() }
}

/// The SHA-256 digest of a secret, in hexadecimal: what is stored of it.
pub fn digest(secret: &str) -> String {
    crate::clock::hex(&Sha256::digest(secret.as_bytes()))
}

/// Compares a secret with a stored digest in constant time.
pub fn matches(secret: &str, stored: &str) -> bool {
    digest(secret).as_bytes().ct_eq(stored.as_bytes()).into()
}

/// User and password of a Basic header.
pub fn basic(header: &str) -> Option<(String, String)> {
    let (scheme, rest) = header.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let bytes = base64::engine::general_purpose::STANDARD.decode(rest.trim()).ok()?;
    let text = String::from_utf8(bytes).ok()?;
    let (user, password) = text.split_once(':')?;
    Some((user.to_owned(), password.to_owned()))
}

/// [`authenticate`], and for the few operations that also take e-mail and password, those.
///
/// # Errors
/// [`Refused`].
pub async fn identify(
    app: &App,
    op: &Operation,
    header: Option<&str>,
    origin: &Origin,
) -> Result<Caller, Refused> {
    if PASSWORD_OPERATIONS.contains(&op.id.as_str())
        && let Some((user, password)) = header.and_then(basic)
        && user.contains('@')
    {
        let refused = |error| Refused { error, notes: Vec::new(), org: None, recorded: true };
        let user = login::check(app, origin, &user, &password).await.map_err(refused)?;
        let system = app.state.world(SYSTEM).ok_or_else(|| refused(ApiError::NotFound))?;
        let credential = format!("password of {}", user.doc.str("_username").unwrap_or_default());
        return user_caller(&system, user.id, Proof::Password, &credential)
            .ok_or_else(|| refused(ApiError::Unauthenticated));
    }
    authenticate(app, header, origin)
}

/// Finds who calls, from the `Authorization` header.
///
/// # Errors
/// [`Refused`], with the same error whatever is wrong: which part it was is not told.
pub fn authenticate(app: &App, header: Option<&str>, origin: &Origin) -> Result<Caller, Refused> {
    let (user, password) = header.and_then(basic).ok_or_else(|| Refused::of(origin, None))?;
    let now = app.state.clock.now();
    let refused = || Refused::of(origin, Some(&user));
    if let Some(key) = user.strip_prefix(KEY_PREFIX) {
        by_key(app, key, &password, now).map_err(|expired| Refused {
            org: expired.as_ref().map(|(org, _)| *org),
            notes: refused().notes.into_iter().chain(expired.map(|(_, note)| note)).collect(),
            ..refused()
        })
    } else if user.starts_with(SESSION_PREFIX) {
        by_session(app, &user, &password, now).ok_or_else(refused)
    } else {
        Err(refused())
    }
}

/// Finds the account of a key; an error tells the organisation of a key that has expired.
fn by_key(
    app: &App,
    key: &str,
    secret: &str,
    now: Timestamp,
) -> Result<Caller, Option<(u32, Value)>> {
    let id = Id::text(key);
    let worlds = app.state.worlds();
    let system = worlds.get(&SYSTEM).ok_or(None)?;
    if let Some(obj) = system.get(Kind::ApiKey, id) {
        let right = obj.doc.str("_secret").is_some_and(|stored| matches(secret, stored));
        let caller = obj.parent.and_then(|user| user_caller(system, user, Proof::Key, key));
        let caller = caller.filter(|_| right).ok_or(None)?;
        app.keys.touch(id, now);
        return Ok(caller);
    }
    let found = worlds.values().find_map(|w| Some((w, w.get(Kind::ServiceAccountKey, id)?)));
    let (world, obj) = found.ok_or(None)?;
    if !obj.doc.str("_secret").is_some_and(|stored| matches(secret, stored)) {
        return Err(None);
    }
    if expired(obj, now) {
        let info = json!({
            "api_key": {"key_id": key, "state": "expired"},
            "expired_at": time_of(obj, "_expires_us"),
            "last_login_on": time_of(obj, "_used_us"),
        });
        let note = audit::notification("request.authentication_failed", info);
        return Err(Some((world.org, note)));
    }
    app.keys.touch(id, now);
    let account = obj.parent.and_then(|p| world.get(Kind::ServiceAccount, p)).ok_or(None)?;
    Ok(Caller {
        account: Account::Service(world.org, account.id),
        href: crate::audit::href_of(world, account).to_string(),
        name: account.doc.str("name").unwrap_or_default().to_owned(),
        proof: Proof::Key,
        credential: key.to_owned(),
        roles: RoleSet::NONE,
        orgs: Vec::new(),
    })
}

/// A stored time in microseconds since 1970 as the wire has it.
pub fn time_of(obj: &Obj, field: &str) -> Option<String> {
    let at = Timestamp::from_microsecond(obj.doc.int(field)?).ok()?;
    Some(crate::clock::wire_time(at))
}

/// Whether a key's `_expires_us` has passed.
pub fn expired(obj: &Obj, now: Timestamp) -> bool {
    obj.doc.int("_expires_us").is_some_and(|t| now.as_microsecond() >= t)
}

fn by_session(app: &App, user: &str, token: &str, now: Timestamp) -> Option<Caller> {
    let system = app.state.world(SYSTEM)?;
    let digest = digest(token);
    let session = system.get(Kind::Session, Id::text(&digest))?;
    let id = session.parent?;
    let named = user.strip_prefix(SESSION_PREFIX)?.parse().ok().map(Id::int);
    if named != Some(id) || !app.sessions.touch(&system, session, now) {
        return None;
    }
    user_caller(&system, id, Proof::Session, &digest)
}

/// Whether an owner has locked the account. The lock after failed sign-ins, which anybody can
/// bring about, only stops sign-ins.
fn shut(user: &Obj) -> bool {
    user.doc.is("locked") && user.doc.int("_locked_until_us").is_none()
}

/// A user as caller; nobody when there is none, or the account is locked.
pub fn user_caller(system: &World, user: Id, proof: Proof, credential: &str) -> Option<Caller> {
    let obj = system.get(Kind::User, user).filter(|u| !shut(u))?;
    Some(Caller {
        account: Account::User(user),
        href: crate::audit::href_of(system, obj).to_string(),
        name: obj.doc.str("username").unwrap_or_default().to_owned(),
        proof,
        credential: credential.to_owned(),
        roles: RoleSet::NONE,
        orgs: Vec::new(),
    })
}

/// The principal of a user in an organisation; names are compared without regard to case.
pub fn user_principal<'a>(world: &'a World, username: &str) -> Option<&'a Arc<Obj>> {
    let key = crate::world::unique_key(0, &[&username.to_lowercase(), "user"]);
    world.get(Kind::AuthSecurityPrincipal, world.holder(Kind::AuthSecurityPrincipal, &key)?)
}

/// The principal without a name: what it is granted holds for all users who belong to the
/// organisation and have no grant of their own.
pub fn everybody(world: &World) -> Option<&Arc<Obj>> {
    user_principal(world, "")
}

/// The principal in an organisation that stands for an account, if it has one of its own.
pub fn principal<'a>(world: &'a World, caller: &Caller) -> Option<&'a Arc<Obj>> {
    match caller.account {
        Account::Service(org, id) if org == world.org => world.get(Kind::AuthSecurityPrincipal, id),
        Account::Service(..) => None,
        Account::User(_) => user_principal(world, &caller.name),
    }
}

/// What a principal is granted, in order of id.
pub fn grants(world: &World, principal: Id) -> impl Iterator<Item = &Arc<Obj>> {
    let target = (Kind::AuthSecurityPrincipal, principal);
    world
        .referrers_of(Side::Draft, target, Kind::Permission)
        .filter_map(|p| world.get(Kind::Permission, p))
}

/// The permissions that an account holds in an organisation.
///
/// Users who belong to the organisation and have no grant of their own hold the grants of the
/// principal without a name: the organisation-wide default.
pub fn permissions<'a>(
    system: &World,
    world: &'a World,
    account: Account,
    name: &str,
) -> Vec<&'a Arc<Obj>> {
    let held = |p: Option<&'a Arc<Obj>>| -> Vec<&'a Arc<Obj>> {
        p.map(|p| grants(world, p.id).collect()).unwrap_or_default()
    };
    match account {
        Account::Service(org, id) if org == world.org => {
            held(world.get(Kind::AuthSecurityPrincipal, id))
        }
        Account::Service(..) => Vec::new(),
        Account::User(_) => {
            let own = held(user_principal(world, name));
            if own.is_empty() && belongs(system, account, world.org) {
                return held(everybody(world));
            }
            own
        }
    }
}

/// The roles of an account in an organisation: those of its [`permissions`].
pub fn roles(system: &World, world: &World, caller: &Caller) -> RoleSet {
    permissions(system, world, caller.account, &caller.name)
        .into_iter()
        .filter_map(|p| permission_role(&p.doc))
        .fold(RoleSet::NONE, RoleSet::with)
}

/// The organisations in which an account has roles, with these.
pub fn organisations(app: &App, caller: &Caller) -> Vec<(u32, RoleSet)> {
    let worlds = app.state.worlds();
    let Some(system) = worlds.get(&SYSTEM) else { return Vec::new() };
    worlds
        .values()
        .filter(|w| w.org != SYSTEM)
        .map(|w| (w.org, roles(system, w, caller)))
        .filter(|(_, roles)| !roles.is_empty())
        .collect()
}

/// Whether an account belongs to an organisation: it was made there. A grant elsewhere gives rights
/// there, but no rights over the account to the owners there.
pub fn belongs(system: &World, account: Account, org: u32) -> bool {
    let org_val = crate::doc::Val::Int(i64::from(org));
    match account {
        Account::Service(o, _) => o == org,
        Account::User(id) => {
            system.get(Kind::User, id).is_some_and(|u| u.doc.list("_orgs").contains(&org_val))
        }
    }
}

/// The organisation to which events about an account go: the first that it belongs to.
pub fn home(app: &App, caller: &Caller) -> Option<u32> {
    let worlds = app.state.worlds();
    let system = worlds.get(&SYSTEM)?;
    worlds.keys().copied().find(|o| *o != SYSTEM && belongs(system, caller.account, *o))
}

/// The role that a permission grants.
pub fn permission_role(doc: &crate::doc::Val) -> Option<Role> {
    let href = doc.get("role")?.str("href")?;
    Role::from_name(href.rsplit('/').next()?)
}

/// Makes an API key for a user; returns key id and secret, which is shown this once.
///
/// # Errors
/// 406 from the checks of the kind; `Internal` without a random source.
pub fn new_key(
    txn: &mut crate::txn::Txn<'_>,
    user: Id,
    name: &str,
    description: &str,
) -> Result<(String, String), ApiError> {
    let (key_id, secret) = new_secret()?;
    let body = json!({
        "name": name,
        "description": description,
        "key_id": key_id,
        "auth_username": format!("{KEY_PREFIX}{key_id}"),
        "_secret": digest(&secret),
    });
    if let serde_json::Value::Object(body) = body {
        crud::create(txn, Kind::ApiKey, Some(user), body)?;
    }
    Ok((key_id, secret))
}

/// A new key id (17 hexadecimal digits, as the product's) and a 256-bit secret.
///
/// # Errors
/// `Internal` without a random source.
pub fn new_secret() -> Result<(String, String), ApiError> {
    let failed = |e: getrandom::Error| ApiError::Internal(format!("no randomness: {e}"));
    let id = crate::clock::hex(&crate::clock::random::<9>().map_err(failed)?);
    let secret = crate::clock::hex(&crate::clock::random::<32>().map_err(failed)?);
    Ok((format!("1{}", id.get(..16).unwrap_or(&id)), secret))
}
