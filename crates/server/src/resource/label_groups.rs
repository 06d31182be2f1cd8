//! Label groups: sets of labels of one key, and of other groups.

use super::Hooks;
use crate::http::Handler;

/// What LabelGroup adds to the common mechanism.
pub const HOOKS: Hooks = Hooks::NONE;

/// Handlers of the operations that are not standard.
pub fn handler(_id: &str) -> Option<Handler> {
    None
}
