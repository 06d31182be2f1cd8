//! Health, version and the like: what belongs to no object.

use crate::http::Handler;

/// Handlers of the operations that are not standard.
pub fn handler(_id: &str) -> Option<Handler> {
    None
}
