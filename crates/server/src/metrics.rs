//! Counters for Prometheus, served on a listener of its own that is off by default.

use bulkhead_api::Operation;
use std::time::Duration;

/// Counts an answered request.
pub fn request(_op: Option<&'static Operation>, _status: u16, _took: Duration) {}
