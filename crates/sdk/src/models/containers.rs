//! Container clusters and what their namespaces get.

use crate::model::model;
use crate::{EnforcementMode, Reference, VisibilityLevel};

model! {
    /// A Kubernetes or OpenShift cluster.
    ContainerCluster, ContainerClusterPatch: immutable {
        datacenter_nat_1to1: bool,
    } read {
        pce_fqdn: String,
        manager_type: String,
        last_connected: String,
        kubelink_version: String,
        online: bool,
        nodes: [ContainerClusterNode],
        container_runtime: String,
        errors: [ContainerClusterError],
        /// Shown once, in the answer to its creation.
        container_cluster_token: String,
        cluster_mode: String,
    }
}

impl ContainerCluster {
    /// A cluster that is to be created.
    pub fn new(name: impl Into<String>) -> Self {
        Self::default().name(name)
    }
}

model! {
    /// A node of a cluster.
    ContainerClusterNode { name: String, pod_subnet: String, }
}

model! {
    /// Something that is the matter with a cluster.
    ContainerClusterError {
        audit_event: Reference,
        duplicate_ids: [String],
        error_type: String,
    }
}

model! {
    /// What a namespace of a cluster gets.
    ContainerWorkloadProfile, ContainerWorkloadProfilePatch: mutable {
        /// Deprecated in favour of `labels`.
        assign_labels: [Reference],
        labels: [LabelRestriction],
        enforcement_mode: EnforcementMode,
        visibility_level: VisibilityLevel,
        managed: bool,
    } read {
        namespace: String,
        linked: bool,
    }
}

model! {
    /// What labels of one key a namespace gets, or may choose from.
    LabelRestriction {
        key: String,
        assignment: Reference,
        restriction: [Reference],
    }
}

impl LabelRestriction {
    /// A fixed label.
    pub fn assign(key: impl Into<String>, label: impl Into<Reference>) -> Self {
        Self::default().key(key).assignment(label)
    }
}
