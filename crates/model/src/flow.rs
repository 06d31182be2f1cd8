//! A question: one flow.

use std::net::IpAddr;
use std::sync::Arc;

use bulkhead_ids::Id;
use bulkhead_netset::ProtoPorts;

/// One end of a flow: an address, a workload, or both.
///
/// With an address alone, the workload that has it is the end (see the resolution rule in
/// `docs/design/engine.md`); with a workload alone, one of its addresses is taken, the first that the other
/// end can talk to. Peers are matched by address, because that is what a packet carries; an end without
/// any address is matched by identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct FlowEnd {
    /// The workload, where known.
    pub workload: Option<Id>,
    /// The address, where known.
    pub ip: Option<IpAddr>,
}

/// One flow: the connection goes from the source (consumer) to the destination (provider).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Flow {
    /// Who opens the connection.
    pub src: FlowEnd,
    /// Who is connected to.
    pub dst: FlowEnd,
    /// Protocol with destination port, or ICMP type and code. A wider entry (every port) is allowed only
    /// where every part of it is.
    pub service: ProtoPorts,
    /// Process at the destination (inbound) or at the source (outbound), as the flow record says.
    pub process: Option<Arc<str>>,
    /// Windows service at the destination.
    pub windows_service: Option<Arc<str>>,
    /// Name under which the source looked the destination up.
    pub dst_fqdn: Option<Arc<str>>,
    /// User groups of the source's user, sorted.
    pub principals: Vec<Id>,
}

impl Flow {
    /// A flow of which nothing is known but its ends and its service: no process, name or user.
    pub const fn new(src: FlowEnd, dst: FlowEnd, service: ProtoPorts) -> Self {
        Self {
            src,
            dst,
            service,
            process: None,
            windows_service: None,
            dst_fqdn: None,
            principals: Vec::new(),
        }
    }
}
