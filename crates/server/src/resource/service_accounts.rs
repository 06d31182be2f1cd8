//! Service accounts and their keys.

use super::Hooks;
use crate::http::Handler;

/// What ServiceAccount adds to the common mechanism.
pub const SERVICE_ACCOUNT_HOOKS: Hooks = Hooks::NONE;

/// What ServiceAccountKey adds to the common mechanism.
pub const SERVICE_ACCOUNT_KEY_HOOKS: Hooks = Hooks::NONE;

/// Handlers of the operations that are not standard.
pub fn handler(_id: &str) -> Option<Handler> {
    None
}
