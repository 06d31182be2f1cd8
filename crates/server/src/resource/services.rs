//! Services: ports, protocols and processes with a name.

use super::Hooks;
use crate::http::Handler;

/// What Service adds to the common mechanism.
pub const HOOKS: Hooks = Hooks::NONE;

/// Handlers of the operations that are not standard.
pub fn handler(_id: &str) -> Option<Handler> {
    None
}
