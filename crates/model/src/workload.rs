//! Workloads as the engine sees them.

use std::net::IpAddr;
use std::sync::Arc;

use bulkhead_ids::Id;

/// What the agent of a workload does with policy.
///
/// Source: Security Policy Guide 25.4, "Workload Enforcement States".
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Mode {
    /// The host firewall is left alone.
    Idle,
    /// Managed, nothing is dropped.
    #[default]
    VisibilityOnly,
    /// Deny rules act, the rest passes.
    Selective,
    /// Only what is allowed passes.
    Full,
}

impl Mode {
    /// All modes in the order of increasing enforcement.
    pub const ALL: [Self; 4] = [Self::Idle, Self::VisibilityOnly, Self::Selective, Self::Full];

    /// The value of `enforcement_mode` on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::VisibilityOnly => "visibility_only",
            Self::Selective => "selective",
            Self::Full => "full",
        }
    }

    /// The mode of a wire value; none for any other text.
    pub fn from_wire(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mode| mode.as_str() == text)
    }
}

/// Operating system family, as far as policy depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Os {
    /// Linux, other systems, and hosts that do not say: entries of Windows services mean nothing there.
    #[default]
    Other,
    /// Windows: entries of Windows services match by process and service.
    Windows,
}

/// One network interface address.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Interface {
    /// Interface name, for example `eth0`.
    pub name: Arc<str>,
    /// Its address.
    pub address: IpAddr,
    /// Prefix length of its subnet, where known (0..=32 or 0..=128).
    pub prefix: Option<u8>,
    /// The network (address space) it is in; none is the organisation's default network.
    pub network: Option<Id>,
    /// True when it stands in `ignored_interface_names`: no policy, no peer address.
    pub ignored: bool,
}

/// A workload, managed or not.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Workload {
    /// Its labels, sorted; at most one for each key.
    pub labels: Vec<Id>,
    /// Its interfaces in the order of the API.
    pub interfaces: Vec<Interface>,
    /// Address under which other networks see it.
    pub public_ip: Option<IpAddr>,
    /// Desired enforcement mode; without effect on an unmanaged workload.
    pub mode: Mode,
    /// True when an agent enforces its policy.
    pub managed: bool,
    /// Operating system family.
    pub os: Os,
    /// True when it hosts containers.
    pub container_host: bool,
    /// True for an endpoint (a user's machine, not a server).
    pub endpoint: bool,
}
