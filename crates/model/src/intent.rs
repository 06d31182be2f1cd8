//! What one host is told: entries over address sets that all hosts share.

use std::sync::Arc;

use bulkhead_ids::Id;
use bulkhead_netset::{IpSet, ServiceSet};

use crate::decision::Effect;
use crate::object::IkeAuthentication;
use crate::rule::{IpTablesStatement, NetworkType, RuleRef};
use crate::workload::{Mode, Os};

/// Direction of a connection as the host sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Direction {
    /// The host is the provider.
    Inbound,
    /// The host is the consumer.
    Outbound,
}

/// Names an address set by its meaning (the canonical selector), not by its content.
///
/// INVARIANT: equal for equal selectors in every run and on every node; a relabel changes the content of
/// sets, never the id of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SetId(pub [u8; 16]);

/// Where the addresses of sets are read.
pub trait AddressSets {
    /// The addresses of a set; none for an id that is not in use.
    fn addresses(&self, id: SetId) -> Option<Arc<IpSet>>;
}

/// The peers of an entry.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Peers {
    /// Every address, IPv4 and IPv6.
    Any,
    /// The addresses of a shared set.
    Set(SetId),
    /// Addresses that the host learns by watching name answers; outbound only. Patterns, lower case,
    /// sorted; `*` stands for one label or part of one label.
    Names(Arc<[Arc<str>]>),
}

/// One alternative of an entry's services.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServiceMatch {
    /// Destination ports, ICMP types, protocols.
    pub ports: ServiceSet,
    /// Process that must own the local socket, lower case.
    pub process: Option<Arc<str>>,
    /// Windows service that must own the local socket, lower case.
    pub windows_service: Option<Arc<str>>,
}

/// What else belongs to an entry.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntryFlags {
    /// No connection tracking; the reply direction is open too.
    pub stateless: bool,
    /// IPsec required.
    pub sec_connect: bool,
    /// Machine authentication required.
    pub machine_auth: bool,
    /// Matching flows are not logged.
    pub no_log: bool,
    /// Acts on traffic forwarded to containers instead of the host's own.
    pub internal_bridge: bool,
    /// Where an endpoint must be. Servers are always on the corporate network.
    pub network_type: NetworkType,
    /// User groups, sorted; empty: any user.
    pub principals: Arc<[Id]>,
}

/// One entry: peers, services, effect, and the rules behind it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Entry {
    /// What it does.
    pub effect: Effect,
    /// With whom.
    pub peers: Peers,
    /// On which services: any of these, sorted, never empty.
    pub services: Arc<[ServiceMatch]>,
    /// What else.
    pub flags: EntryFlags,
    /// The rules that make it, sorted, never empty.
    pub rules: Arc<[RuleRef]>,
}

/// Custom iptables lines that a host gets as they are.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CustomRule {
    /// The rule they come from: (rule set, rule).
    pub rule: (Id, Id),
    /// True for IPv6.
    pub ipv6: bool,
    /// The lines in order.
    pub statements: Vec<IpTablesStatement>,
}

/// Everything that hosts of one class share. Entries are sorted and have no equal pair of everything but
/// the rules.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct RuleTable {
    /// Entries for connections to this host.
    pub inbound: Vec<Arc<Entry>>,
    /// Entries for connections from this host.
    pub outbound: Vec<Arc<Entry>>,
    /// Custom iptables rules, by rule.
    pub custom: Vec<CustomRule>,
    /// Policy is applied on demand only.
    pub static_policy: bool,
    /// Blocked connections are rejected, not dropped silently.
    pub reject_blocked: bool,
    /// Policy also acts on loopback interfaces.
    pub loopback_in_policy: bool,
    /// The host's policy also acts on traffic forwarded to containers.
    pub containers_inherit: bool,
    /// How IPsec peers prove themselves.
    pub ike: IkeAuthentication,
}

/// What one managed workload must enforce.
///
/// Precedence within a direction: essential, override deny, allow, deny, then the default of the mode.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Intent {
    /// The mode to enforce.
    pub mode: Mode,
    /// Operating system family the entries were made for.
    pub os: Os,
    /// Names of interfaces left alone, sorted.
    pub ignored_interfaces: Vec<Arc<str>>,
    /// The entries, shared with all hosts of the class.
    pub table: Arc<RuleTable>,
}
