//! Health, version and the like: what belongs to no object.

use crate::http::Handler;

/// Handlers of the operations that are not standard.
pub fn handler(_id: &str) -> Option<Handler> {
    None
}

/// The version as answers show it.
pub fn product_version() -> serde_json::Value {
    serde_json::json!({
        "version": "25.4.0",
        "build": 1,
        "long_display": "25.4.0-1",
        "short_display": "25.4.0",
        "product_name": "asp",
    })
}
