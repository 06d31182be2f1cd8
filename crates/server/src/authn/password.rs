//! Passwords: argon2id, a few checks at a time, and the rules for new ones.

use crate::app::App;
use crate::resource::password_policy;
use crate::world::Obj;
use argon2::password_hash::phc::PasswordHash;
use argon2::{Argon2, PasswordHasher, PasswordVerifier};
use bulkhead_api::ApiError;
use std::sync::Arc;

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

/// Runs slow work on passwords: few at once, and not on the threads that serve requests.
async fn slowly<T: Send + 'static>(
    app: &App,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, ApiError> {
    let internal = |e: &dyn std::fmt::Display| ApiError::Internal(e.to_string());
    let permit = app.password_checks.acquire().await.map_err(|e| internal(&e))?;
    let done = tokio::task::spawn_blocking(work).await.map_err(|e| internal(&e))?;
    drop(permit);
    Ok(done)
}

/// Whether a password is that of a user; takes the same time where there is no such user, or the user
/// has no password.
///
/// # Errors
/// `Internal` when the check cannot run.
pub async fn right(app: &App, user: Option<&Obj>, password: &str) -> Result<bool, ApiError> {
    let stored = user.and_then(|u| u.doc.str("_password")).unwrap_or(NOBODY).to_owned();
    let given = password.to_owned();
    slowly(app, move || verify(&given, &stored)).await
}

/// Checks a new password of a user against the policy and hashes it. The old one is given where the
/// user has one.
///
/// # Errors
/// 406 with token `password_complexity_not_met`.
pub async fn renew(
    app: &App,
    policy: Option<Arc<Obj>>,
    user: &Arc<Obj>,
    (old, new): (Option<&str>, &str),
) -> Result<String, ApiError> {
    let rules = password_policy::Rules::of(policy.as_deref());
    rules.check(old, new)?;
    let mut former: Vec<String> =
        user.doc.str("_password").map(str::to_owned).into_iter().collect();
    let history = user.doc.list("_history").iter().filter_map(|h| h.as_str());
    former.extend(history.map(str::to_owned));
    former.truncate(rules.history_count);
    let new = new.to_owned();
    slowly(app, move || {
        if former.iter().any(|h| verify(&new, h)) {
            return Err(password_policy::too_weak(&format!(
                "it is one of the last {} passwords",
                rules.history_count
            )));
        }
        hash(&new)
    })
    .await?
}

/// A hash that no password has; checked in place of that of an unknown user.
const NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$\
                      AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_of_nobody_costs_what_others_cost() {
        let parameters = |h: &str| {
            let h = PasswordHash::new(h).unwrap();
            (h.algorithm.to_string(), h.version, h.params.to_string())
        };
        let made = hash("Some-password-1").unwrap();
        assert_eq!(parameters(NOBODY), parameters(&made));
        assert!(!verify("Some-password-1", NOBODY));
        assert!(verify("Some-password-1", &made));
        assert!(!verify("some-password-1", &made));
    }
}
