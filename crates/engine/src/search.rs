//! Rule search: which rules name, or would reach, given actors and services.
//!
//! Every rule has a number, and every actor and service that rules name has the set of numbers of those
//! rules. A search is set algebra over these, so that it costs what it finds, not how many rules there are.
//!
//! Two ways to match an actor. *Exact*: the rule's side lists it. *Resolved*: the rule would act on it, through
//! label groups, exclusions, the rule set's scopes, all workloads and explicit workloads. A searched label
//! stands for any workload that carries it, with whatever labels of other keys; several labels for a
//! workload that carries all of them.
//!
//! Source: REST API guide 22.2, "Rule Search".

mod index;
mod postings;
mod resolve;

pub use index::RuleIndex;
pub(crate) use resolve::labels_of;

use std::sync::Arc;

use bulkhead_ids::Id;
use bulkhead_model::{Actor, Resolve, RuleKey, RuleRef};
use bulkhead_netset::ServiceSet;

/// A rule that a search found. Sorted by kind, then ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Found {
    /// An allow rule, deny rule or boundary.
    Rule(RuleRef),
    /// A custom iptables rule.
    IpTables(RuleKey),
}

/// A kind of rule to search in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RuleKind {
    /// Allow rules.
    Allow,
    /// Deny rules that do not override, and boundaries.
    Deny,
    /// Override deny rules.
    OverrideDeny,
    /// Custom iptables rules.
    IpTables,
}

/// A service that a rule must have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WantedService {
    /// This service object.
    Service(Id),
    /// A service, or ports in the rule, that has some of these ports and belongs to this process and
    /// Windows service where they are given.
    Entry {
        /// Ports; everything when only a process or Windows service is searched.
        ports: ServiceSet,
        /// Process, compared as in decisions.
        process: Option<Arc<str>>,
        /// Windows service, compared without regard to case.
        windows_service: Option<Arc<str>>,
    },
    /// A service that lets a flow on all of these ports through, from this process and Windows service.
    Flow {
        /// Ports of the flow.
        ports: ServiceSet,
        /// Its process.
        process: Option<Arc<str>>,
        /// Its Windows service.
        windows_service: Option<Arc<str>>,
    },
}

/// What rules to find: all that is given must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Query {
    /// Kinds of rules; empty: every kind.
    pub kinds: Vec<RuleKind>,
    /// Actors of the provider side.
    pub providers: Vec<Actor>,
    /// Actors of the consumer side.
    pub consumers: Vec<Actor>,
    /// Actors of one side or the other.
    pub either: Vec<Actor>,
    /// What labels of `providers` and of `consumers` mean in resolved matches; none: both kinds of thing.
    pub labels_as: [Option<Resolve>; 2],
    /// Services, each of which the rule must have.
    pub services: Vec<WantedService>,
    /// User groups, each of which the rule must have.
    pub principals: Vec<Id>,
    /// True: resolved matches, false: exact ones.
    pub resolve: bool,
    /// Only rules that act: switched on, in a rule set that is.
    pub effective: bool,
    /// The rule is switched on (or off).
    pub enabled: Option<bool>,
    /// It requires IPsec (or does not); such a filter leaves allow rules only.
    pub sec_connect: Option<bool>,
    /// It requires machine authentication.
    pub machine_auth: Option<bool>,
    /// It is stateless.
    pub stateless: Option<bool>,
    /// Its consumers are outside of the scope.
    pub unscoped_consumers: Option<bool>,
    /// Its provider side is inverted.
    pub all_ips_except_providers: Option<bool>,
    /// Its consumer side is inverted.
    pub all_ips_except_consumers: Option<bool>,
}
