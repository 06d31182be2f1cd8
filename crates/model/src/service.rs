//! Services as rules name them.

use std::sync::Arc;

use bulkhead_ids::Id;
use bulkhead_netset::ServiceSet;

/// One alternative of a service.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServiceEntry {
    /// Protocols with their ports or ICMP types; everything for `proto: -1`, and for a Windows entry
    /// without protocol.
    pub ports: ServiceSet,
    /// True for an entry of `windows_services` or `windows_egress_services`: it means nothing on other
    /// systems.
    pub windows: bool,
    /// Process (path or name, compared without regard to case) that must own the socket.
    pub process: Option<Arc<str>>,
    /// Windows service that must own the socket, compared without regard to case.
    pub windows_service: Option<Arc<str>>,
}

/// A service object: its entries are alternatives.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Service {
    /// `service_ports` and `windows_services`.
    pub entries: Vec<ServiceEntry>,
    /// `windows_egress_services`: matched on the consumer, outbound.
    pub egress: Vec<ServiceEntry>,
}

/// One element of a rule's `ingress_services`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ServiceRef {
    /// A service object.
    Service(Id),
    /// Ports written in the rule itself.
    Inline(ServiceSet),
}
