//! What the host itself adds to the intent, and why a ruleset cannot be made.

use std::net::SocketAddr;

use bulkhead_ids::Id;
use bulkhead_model::SetId;

/// Longest name of a table, in bytes.
pub const TABLE_NAME_LEN_MAX: usize = 64;

/// What rules with `sec_connect` or `machine_auth` ask of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum SecureConnect {
    /// It must have come through IPsec, or be about to leave through it; else the rule does not match.
    #[default]
    Require,
    /// Nothing: something else on the host sees to it.
    Trust,
}

/// Settings of one host beside its policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RenderOptions {
    /// Name of the one table that is ours (family `inet`).
    pub table: String,
    /// NFLOG group of all log statements.
    pub log_group: u16,
    /// Log statements pass at most this many packets a second, each of them; none: no limit.
    pub log_rate: Option<u32>,
    /// Also log the first packet of allowed connections (unless the rule says no log).
    pub log_allowed: bool,
    /// What `sec_connect` and `machine_auth` ask.
    pub secure_connect: SecureConnect,
    /// False on an endpoint that is away from the corporate network.
    pub on_corporate_network: bool,
    /// Let IPv6 neighbour discovery and multicast listener messages pass, as ARP does without asking.
    pub neighbour_discovery: bool,
    /// Listeners of the policy compute engine: TCP to them is open whatever the policy says.
    pub pce: Vec<SocketAddr>,
    /// Interfaces that lead to containers; a `*` at the end matches any rest.
    pub container_interfaces: Vec<String>,
}

impl Default for RenderOptions {
    fn default() -> Self {
        let container_interfaces =
            ["docker0", "br-*", "cni*", "podman*", "cali*", "flannel*", "lxc*"];
        Self {
            table: "bulkhead".to_owned(),
            log_group: 4919,
            log_rate: None,
            log_allowed: false,
            secure_connect: SecureConnect::Require,
            on_corporate_network: true,
            neighbour_discovery: true,
            pce: Vec::new(),
            container_interfaces: container_interfaces.map(str::to_owned).to_vec(),
        }
    }
}

/// Why no ruleset is made; the last good one stays.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RenderError {
    /// The intent is for a Windows host.
    #[error("the intent was made for Windows, nftables is for Linux")]
    Windows,
    /// A set that an entry names is not known: the policy is incomplete.
    #[error("address set {0:?} is not known")]
    MissingSet(SetId),
    /// A table or interface name that nftables does not take.
    #[error("`{0}` is not a name that nftables takes")]
    Name(String),
    /// A line of a custom iptables rule that is more than one line, or names no table or chain.
    #[error("custom iptables rule {rule:?} of rule set {rule_set:?}: {reason}")]
    Custom {
        /// The rule set.
        rule_set: Id,
        /// The rule.
        rule: Id,
        /// What is wrong.
        reason: &'static str,
    },
    /// More classes of peers than there are class numbers.
    #[error("too many classes of peers")]
    TooManyClasses,
}
