//! Login, logout and sessions.

use crate::http::Handler;

/// Handlers of the operations that are not standard.
pub fn handler(_id: &str) -> Option<Handler> {
    None
}
