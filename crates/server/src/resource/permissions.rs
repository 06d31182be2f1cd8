//! Principals and what they are granted.

use super::Hooks;
use crate::http::Handler;

/// What AuthSecurityPrincipal adds to the common mechanism.
pub const AUTH_SECURITY_PRINCIPAL_HOOKS: Hooks = Hooks::NONE;

/// What Permission adds to the common mechanism.
pub const PERMISSION_HOOKS: Hooks = Hooks::NONE;

/// Handlers of the operations that are not standard.
pub fn handler(_id: &str) -> Option<Handler> {
    None
}
