//! API keys of users.

use super::Hooks;
use crate::http::Handler;

/// What ApiKey adds to the common mechanism.
pub const HOOKS: Hooks = Hooks::NONE;

/// Handlers of the operations that are not standard.
pub fn handler(_id: &str) -> Option<Handler> {
    None
}
