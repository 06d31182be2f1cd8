//! Policy versions and what is provisioned.

use super::{Json, Object};
use crate::Reference;
use crate::model::model;

model! {
    /// A numbered policy version.
    PolicyVersion, PolicyVersionPatch: immutable {} read {
        version: u64,
        commit_message: String,
        workloads_affected: u64,
        object_counts: PolicyObjectCounts,
    }
}

model! {
    /// Objects of a policy version, by kind.
    PolicyObjectCounts {
        label_groups: u64,
        services: u64,
        rule_sets: u64,
        ip_lists: u64,
        virtual_services: u64,
        firewall_settings: u64,
        enforcement_boundaries: u64,
        secure_connect_gateways: u64,
        virtual_servers: u64,
    }
}

model! {
    /// The objects that are to be provisioned, by kind.
    PolicyChangeset {
        label_groups: [Reference],
        services: [Reference],
        rule_sets: [Reference],
        ip_lists: [Reference],
        virtual_services: [Reference],
        firewall_settings: [Reference],
        enforcement_boundaries: [Reference],
        secure_connect_gateways: [Reference],
        virtual_servers: [Reference],
    }
}

model! {
    /// A pending change.
    PendingItem {
        href: String,
        id: Json,
        name: String,
        /// `create`, `update` or `delete`.
        update_type: String,
        updated_at: String,
        updated_by: Reference,
        caps: [String],
        related_ip_lists: [Reference],
        related_services: [Reference],
    }
}

/// Pending changes by kind of object.
pub type Pending = std::collections::BTreeMap<String, Vec<PendingItem>>;

model! {
    /// How many workloads a change would touch, and how.
    PolicyImpact {
        num_sets: u64,
        num_virtual_servers: u64,
        num_managed_workloads: u64,
        num_container_workloads: u64,
        num_unmanaged_workloads: u64,
        all_workloads_optimization: bool,
    }
}

model! {
    /// An object that a change set must name as well, and why.
    PolicyDependency { dependency: Object, required_by: Object, }
}
