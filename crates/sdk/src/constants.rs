//! Constants of the Developer Interface, under their names there.

/// Path segment of the active policy version.
pub const ACTIVE: &str = "active";
/// Path segment of the draft policy version.
pub const DRAFT: &str = "draft";
/// All managed workloads, as an actor of rules and enforcement boundaries.
pub const AMS: &str = "ams";
/// Labels of a rule stand for workloads.
pub const RESOLVE_AS_WORKLOADS: &str = "workloads";
/// Labels of a rule stand for virtual services.
pub const RESOLVE_AS_VIRTUAL_SERVICES: &str = "virtual_services";
/// Name of the IP list that every organisation has.
pub const ANY_IP_LIST_NAME: &str = "Any (0.0.0.0/0 and ::/0)";
/// Name of the service that every organisation has.
pub const ALL_SERVICES_NAME: &str = "All Services";
/// Largest port.
pub const PORT_MAX: i32 = 65_535;
/// Largest ICMP code.
pub const ICMP_CODE_MAX: i32 = 15;
/// Largest ICMP type.
pub const ICMP_TYPE_MAX: i32 = 255;
/// Objects of one bulk call.
pub const BULK_CHANGE_LIMIT: usize = 1_000;
