//! Who stands on one side of a rule, and what a scope names.

use std::sync::Arc;

use bulkhead_ids::Id;

/// One entry of a rule's `providers` or `consumers`.
///
/// How entries combine: within one label key any of, between keys all of; the other kinds stand beside the
/// labels as a union. Source: policy semantics, "Actors of one side".
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Actor {
    /// `actors: "ams"`: every workload of the scope, or of the organisation on an unscoped side.
    AllWorkloads,
    /// `actors: "container_host"`: workloads that host containers. Consumers only.
    ContainerHosts,
    /// Workloads with this label, or with another label of its key when it is an exclusion.
    Label {
        /// The label.
        id: Id,
        /// True: "some label of this key, but not this one".
        exclusion: bool,
    },
    /// The same for every label of a group, sub-groups included.
    LabelGroup {
        /// The label group.
        id: Id,
        /// True: "some label of this key, but none of these".
        exclusion: bool,
    },
    /// Workloads that carry some label of this key (`label_dimension`).
    Dimension(Arc<str>),
    /// One workload.
    Workload(Id),
    /// One virtual service.
    VirtualService(Id),
    /// One virtual server. Providers only.
    VirtualServer(Id),
    /// The addresses and names of one IP list.
    IpList(Id),
}

/// What one entry of a scope names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ScopeTarget {
    /// A label.
    Label(Id),
    /// A label group: expands to one scope for each label.
    LabelGroup(Id),
}

/// One entry of a scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ScopeEntry {
    /// The label or label group.
    pub target: ScopeTarget,
    /// True: workloads with another label of the key.
    pub exclusion: bool,
}

/// One scope: all its entries must hold; a key that is not named is open. Empty: every workload.
pub type Scope = Vec<ScopeEntry>;
