//! Rule sets and rules.

use std::sync::Arc;

use bulkhead_ids::Id;
use bulkhead_netset::{IpSet, ServiceSet};

use crate::actor::{Actor, Scope};
use crate::intent::Direction;
use crate::service::ServiceRef;

/// Head of a rule set; its rules stand in the snapshot under [`RuleKey`]s.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct RuleSet {
    /// False switches off everything in it.
    pub enabled: bool,
    /// Scopes; empty means the same as one empty scope (everything).
    pub scopes: Vec<Scope>,
}

/// A rule within its rule set: (rule set, rule).
pub type RuleKey = (Id, Id);

/// Names one rule of any kind in a reason. Sorted by kind, then ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RuleRef {
    /// An allow rule.
    Allow(RuleKey),
    /// A deny or override deny rule of a rule set.
    Deny(RuleKey),
    /// An enforcement boundary.
    Boundary(Id),
    /// A built-in essential rule.
    Essential(Id),
}

/// What labels of one side resolve to (`resolve_labels_as`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Resolve {
    /// Workloads with the labels.
    pub workloads: bool,
    /// Virtual services with the labels.
    pub virtual_services: bool,
}

impl Default for Resolve {
    fn default() -> Self {
        Self { workloads: true, virtual_services: false }
    }
}

/// Where the endpoint is for a rule to act (`network_type`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum NetworkType {
    /// Corporate network; servers are always there.
    #[default]
    Brn,
    /// Any other network.
    NonBrn,
    /// Both.
    All,
}

/// An allow rule (`sec_rules`).
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct AllowRule {
    /// False switches it off.
    pub enabled: bool,
    /// Who offers the service.
    pub providers: Vec<Actor>,
    /// Who opens the connection.
    pub consumers: Vec<Actor>,
    /// Services of workload providers; empty when only virtual services provide.
    pub services: Vec<ServiceRef>,
    /// Services whose egress entries restrict the consumer's process.
    pub egress_services: Vec<Id>,
    /// What provider labels pick.
    pub resolve_providers: Resolve,
    /// What consumer labels pick.
    pub resolve_consumers: Resolve,
    /// True: consumers are not bound by the scope.
    pub unscoped_consumers: bool,
    /// Providers are told to peers as subnets.
    pub provider_subnets: bool,
    /// Consumers are told to peers as subnets.
    pub consumer_subnets: bool,
    /// Every address except what the providers resolve to.
    pub all_ips_except_providers: bool,
    /// Every address except what the consumers resolve to.
    pub all_ips_except_consumers: bool,
    /// Traffic must use IPsec.
    pub sec_connect: bool,
    /// Machines must authenticate.
    pub machine_auth: bool,
    /// No connection tracking.
    pub stateless: bool,
    /// Where endpoints must be.
    pub network_type: NetworkType,
    /// True: matching flows are not logged (`log_flow: false`).
    pub no_log: bool,
    /// User groups (`consuming_security_principals`), sorted; empty: any user.
    pub principals: Vec<Id>,
}

/// A deny rule, override deny rule or enforcement boundary.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct DenyRule {
    /// False switches it off.
    pub enabled: bool,
    /// True: beats allow rules.
    pub override_deny: bool,
    /// Who offers the service.
    pub providers: Vec<Actor>,
    /// Who opens the connection.
    pub consumers: Vec<Actor>,
    /// Services denied.
    pub services: Vec<ServiceRef>,
    /// Services whose egress entries restrict the consumer's process.
    pub egress_services: Vec<Id>,
    /// True: consumers are not bound by the scope.
    pub unscoped_consumers: bool,
    /// Every address except what the providers resolve to.
    pub all_ips_except_providers: bool,
    /// Every address except what the consumers resolve to.
    pub all_ips_except_consumers: bool,
    /// Where endpoints must be.
    pub network_type: NetworkType,
    /// True: matching flows are not logged.
    pub no_log: bool,
}

/// A built-in rule that is above all others: allowed always.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct EssentialRule {
    /// Name shown in traffic results, for example `DNS client`.
    pub name: Arc<str>,
    /// The direction it opens, on every managed workload.
    pub direction: Direction,
    /// Peers; none: any address.
    pub peers: Option<Arc<IpSet>>,
    /// Destination ports and ICMP types.
    pub services: ServiceSet,
}

/// One line of a custom iptables rule, sent as it is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct IpTablesStatement {
    /// `nat`, `mangle` or `filter`.
    pub table: Arc<str>,
    /// Chain name.
    pub chain: Arc<str>,
    /// Rest of the line.
    pub parameters: Arc<str>,
}

/// A custom iptables rule of a rule set; outside of allow and deny.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct IpTablesRule {
    /// False switches it off.
    pub enabled: bool,
    /// Workloads that get it, bound by the rule set's scopes.
    pub actors: Vec<Actor>,
    /// True for IPv6, false for IPv4.
    pub ipv6: bool,
    /// Its lines in order.
    pub statements: Vec<IpTablesStatement>,
}
