//! Deny rules, override or not.

use super::{Hooks, rules};
use crate::http::Handler;

/// What DenyRule adds to the common mechanism.
pub const HOOKS: Hooks = Hooks { check: Some(|txn, doc, _| rules::check(txn, doc)), ..Hooks::NONE };

/// Handlers of the operations that are not standard.
pub fn handler(_id: &str) -> Option<Handler> {
    None
}
