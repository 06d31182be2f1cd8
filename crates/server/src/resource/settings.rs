//! Settings of an organisation.

use super::Hooks;
use crate::http::Handler;

/// What OrgSettings adds to the common mechanism.
pub const ORG_SETTINGS_HOOKS: Hooks = Hooks::NONE;

/// What EventSettings adds to the common mechanism.
pub const EVENT_SETTINGS_HOOKS: Hooks = Hooks::NONE;

/// What WorkloadSettings adds to the common mechanism.
pub const WORKLOAD_SETTINGS_HOOKS: Hooks = Hooks::NONE;

/// What SyslogDestination adds to the common mechanism.
pub const SYSLOG_DESTINATION_HOOKS: Hooks = Hooks::NONE;

/// What TrafficCollector adds to the common mechanism.
pub const TRAFFIC_COLLECTOR_HOOKS: Hooks = Hooks::NONE;

/// Handlers of the operations that are not standard.
pub fn handler(_id: &str) -> Option<Handler> {
    None
}
