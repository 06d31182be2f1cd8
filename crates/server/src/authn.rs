//! Who calls: API keys and sessions over HTTP Basic.
//!
//! Source: REST API guide 25.2, "Authentication": the user name's prefix tells the kind of credential,
//! `api_` a key of a user or service account, `user_` a session. Secrets and tokens are random, and
//! stored as SHA-256 digests.

pub mod login;
pub mod password;
pub mod sessions;

pub use sessions::Sessions;

use crate::app::App;
use crate::resource::crud;
use crate::world::{Obj, SYSTEM, Side, World};
use base64::Engine;
use bulkhead_api::{ApiError, Operation, Role, RoleSet};
use bulkhead_ids::{Id, Kind};
use jiff::Timestamp;
use sha2::{Digest, Sha256};
use std::net::IpAddr;
use std::sync::Arc;
use subtle::ConstantTimeEq;

/// Operations that take HTTP Basic with e-mail and password: the Quickstart makes its first key so.
const PASSWORD_OPERATIONS: &[&str] =
    &["api_key_create", "api_key_list", "login_users_password_update"];

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
    /// The roles in the organisation of the path.
    pub roles: RoleSet,
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
/// `Unauthenticated`.
pub async fn identify(
    app: &App,
    op: &Operation,
    header: Option<&str>,
    peer: IpAddr,
) -> Result<Caller, ApiError> {
    if PASSWORD_OPERATIONS.contains(&op.id.as_str())
        && let Some((user, password)) = header.and_then(basic)
        && user.contains('@')
    {
        return password::check(app, &user, &password, peer).await;
    }
    authenticate(app, header, peer)
}

/// Finds who calls, from the `Authorization` header.
///
/// # Errors
/// `Unauthenticated` whatever is wrong: which part it was is not told.
pub fn authenticate(app: &App, header: Option<&str>, peer: IpAddr) -> Result<Caller, ApiError> {
    let (user, password) = header.and_then(basic).ok_or(ApiError::Unauthenticated)?;
    let now = app.state.clock.now();
    let caller = if let Some(key) = user.strip_prefix(KEY_PREFIX) {
        by_key(app, key, &password, now)
    } else if user.starts_with(SESSION_PREFIX) {
        by_session(app, &user, &password, now)
    } else {
        None
    };
    let caller = caller.ok_or(ApiError::Unauthenticated)?;
    if !crate::authz::address_allowed(app, &caller, peer) {
        return Err(ApiError::Unauthenticated);
    }
    Ok(caller)
}

fn by_key(app: &App, key: &str, secret: &str, now: Timestamp) -> Option<Caller> {
    let id = Id::text(key);
    let worlds = app.state.worlds();
    if let Some(obj) = worlds.get(&SYSTEM).and_then(|w| w.get(Kind::ApiKey, id)) {
        let user = obj.parent?;
        let valid = matches(secret, obj.doc.str("_secret")?);
        let system = worlds.get(&SYSTEM)?;
        return if valid { user_caller(system, user, Proof::Key, key) } else { None };
    }
    let (org, obj) =
        worlds.iter().find_map(|(org, w)| Some((*org, w.get(Kind::ServiceAccountKey, id)?)))?;
    let world = worlds.get(&org)?;
    if !matches(secret, obj.doc.str("_secret")?) || expired(obj, now) {
        return None;
    }
    let account = world.get(Kind::ServiceAccount, obj.parent?)?;
    Some(Caller {
        account: Account::Service(org, account.id),
        href: crate::audit::href_of(world, account).to_string(),
        name: account.doc.str("name").unwrap_or_default().to_owned(),
        proof: Proof::Key,
        credential: key.to_owned(),
        roles: RoleSet::NONE,
    })
}

/// Whether a key's `_expires_us` has passed.
pub fn expired(obj: &Obj, now: Timestamp) -> bool {
    obj.doc.int("_expires_us").is_some_and(|t| now.as_microsecond() >= t)
}

fn by_session(app: &App, user: &str, token: &str, now: Timestamp) -> Option<Caller> {
    let system = app.state.world(SYSTEM)?;
    let digest = digest(token);
    let session = system.get(Kind::Session, Id::text(&digest))?;
    let (_, id) = session.doc.get("user")?.target()?;
    let named = user.strip_prefix(SESSION_PREFIX)?.parse().ok().map(Id::int);
    if named != Some(id) || !app.sessions.touch(&system, session, now) {
        return None;
    }
    user_caller(&system, id, Proof::Session, &digest)
}

pub(crate) fn user_caller(
    system: &World,
    user: Id,
    proof: Proof,
    credential: &str,
) -> Option<Caller> {
    let obj = system.get(Kind::User, user)?;
    if obj.doc.is("locked") && proof != Proof::Key {
        return None;
    }
    Some(Caller {
        account: Account::User(user),
        href: crate::audit::href_of(system, obj).to_string(),
        name: obj.doc.str("username").unwrap_or_default().to_owned(),
        proof,
        credential: credential.to_owned(),
        roles: RoleSet::NONE,
    })
}

/// The principal in an organisation that stands for an account, if it has one of its own.
pub fn principal<'a>(world: &'a World, caller: &Caller) -> Option<&'a Arc<Obj>> {
    match caller.account {
        Account::Service(org, id) if org == world.org => world.get(Kind::ServiceAccount, id),
        Account::Service(..) => None,
        Account::User(_) => {
            let key = crate::world::unique_key(0, &[&caller.name, "user"]);
            let id = world.holder(Kind::AuthSecurityPrincipal, &key)?;
            world.get(Kind::AuthSecurityPrincipal, id)
        }
    }
}

/// The roles of an account in an organisation.
///
/// Users who belong to the organisation and have no grant of their own hold the grants of the
/// principal without a name: the organisation-wide default.
pub fn roles(system: &World, world: &World, caller: &Caller) -> RoleSet {
    let granted = |id: Id, kind: Kind| -> RoleSet {
        world
            .referrers_of(Side::Draft, (kind, id), Kind::Permission)
            .filter_map(|p| world.get(Kind::Permission, p))
            .filter_map(|p| role_of(p))
            .fold(RoleSet::NONE, RoleSet::with)
    };
    match caller.account {
        Account::Service(org, id) if org == world.org => world
            .get(Kind::ServiceAccount, id)
            .map(|a| a.doc.list("permissions").iter().filter_map(permission_role))
            .map(|roles| roles.fold(RoleSet::NONE, RoleSet::with))
            .unwrap_or_default(),
        Account::Service(..) => RoleSet::NONE,
        Account::User(id) => {
            if let Some(p) = principal(world, caller) {
                let own = granted(p.id, Kind::AuthSecurityPrincipal);
                if !own.is_empty() {
                    return own;
                }
            }
            if !member(system, id, world.org) {
                return RoleSet::NONE;
            }
            world
                .objects(Side::Draft, Kind::AuthSecurityPrincipal)
                .filter(|p| p.doc.str("name").is_none())
                .fold(RoleSet::NONE, |set, p| {
                    granted(p.id, Kind::AuthSecurityPrincipal).iter().fold(set, RoleSet::with)
                })
        }
    }
}

/// Whether a user belongs to an organisation: it was made from there, or has a grant there.
pub fn member(system: &World, user: Id, org: u32) -> bool {
    system
        .get(Kind::User, user)
        .is_some_and(|u| u.doc.list("_orgs").contains(&crate::doc::Val::Int(i64::from(org))))
}

fn role_of(permission: &Arc<Obj>) -> Option<Role> {
    permission_role(&permission.doc)
}

fn permission_role(doc: &crate::doc::Val) -> Option<Role> {
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
    let body = serde_json::json!({
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
