//! Passwords: argon2id, a few checks at a time.

use super::{Caller, Proof, user_caller};
use crate::app::App;
use crate::world::{SYSTEM, unique_key};
use argon2::password_hash::phc::PasswordHash;
use argon2::{Argon2, PasswordHasher, PasswordVerifier};
use bulkhead_api::ApiError;
use bulkhead_ids::Kind;
use std::net::IpAddr;

/// Longest password that is looked at, in bytes.
const PASSWORD_BYTES_MAX: usize = 1024;

/// Hashes a password; takes tens of milliseconds and 19 MiB.
///
/// # Errors
/// `Internal` when the hash cannot be made.
pub fn hash(password: &str) -> Result<String, ApiError> {
    Argon2::default()
        .hash_password(password.as_bytes())
        .map(|h| h.to_string())
        .map_err(|e| ApiError::Internal(format!("password hash: {e}")))
}

/// Whether a password has that hash; as slow as [`hash`].
pub fn verify(password: &str, hash: &str) -> bool {
    password.len() <= PASSWORD_BYTES_MAX
        && PasswordHash::new(hash)
            .is_ok_and(|h| Argon2::default().verify_password(password.as_bytes(), &h).is_ok())
}

/// Checks e-mail and password of a local user.
///
/// # Errors
/// `Unauthenticated` for an unknown, locked or external user as for a wrong password, in the same
/// time.
pub async fn check(
    app: &App,
    email: &str,
    password: &str,
    _peer: IpAddr,
) -> Result<Caller, ApiError> {
    let system = app.state.world(SYSTEM).ok_or(ApiError::Unauthenticated)?;
    let user = system
        .holder(Kind::User, &unique_key(0, &[email]))
        .and_then(|id| system.get(Kind::User, id).cloned());
    let stored = user.as_ref().and_then(|u| u.doc.str("_password")).unwrap_or(NOBODY).to_owned();
    let given = password.to_owned();
    let permit = app.password_checks.acquire().await;
    let right = tokio::task::spawn_blocking(move || verify(&given, &stored))
        .await
        .map_err(|e| ApiError::Internal(e.to_string()))?;
    drop(permit);
    let user = user.filter(|_| right).ok_or(ApiError::Unauthenticated)?;
    user_caller(&system, user.id, Proof::Password, &format!("password of {email}"))
        .ok_or(ApiError::Unauthenticated)
}

/// A hash that no password has; checked in place of that of an unknown user.
const NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$\
                      AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
