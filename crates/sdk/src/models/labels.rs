//! Labels, their groups and dimensions, and sets of them.

use super::{Json, Object};
use crate::model::model;
use crate::{Reference, Result, href_from};
use serde::{Deserialize, Serialize};

model! {
    /// A key and a value that describe workloads.
    Label, LabelPatch: mutable {
        /// The dimension: `role`, `app`, `env`, `loc`, or one of the organisation's own. Never changes.
        key: String,
        value: String,
    } read {
        deleted: bool,
        /// Where it is used; only with the filter `usage=true`.
        usage: LabelUsage,
    }
}

impl Label {
    /// A label that is to be created.
    pub fn new(key: impl Into<String>, value: impl Into<String>) -> Self {
        Self::default().key(key).value(value)
    }
}

model! {
    /// Where a label is used.
    LabelUsage {
        virtual_server: bool,
        virtual_service: bool,
        label_group: bool,
        ruleset: bool,
        rule: bool,
        pairing_profile: bool,
        permission: bool,
        workload: bool,
        container_workload: bool,
        container_workload_profile: bool,
        static_policy_scopes: bool,
        firewall_coexistence_scope: bool,
        containers_inherit_host_policy_scopes: bool,
        blocked_connection_reject_scope: bool,
        blocked_connection_reject_scopes: bool,
        loopback_interfaces_in_policy_scopes: bool,
        ip_forwarding_enabled_scopes: bool,
        rule_hit_count_enabled_scopes: bool,
        enforcement_boundary: bool,
        label_mapping_rule: bool,
    }
}

model! {
    /// A set of labels of one key, and of further such groups.
    LabelGroup, LabelGroupPatch: mutable {
        key: String,
        labels: [Reference],
        sub_groups: [Reference],
    } read {
        /// Where it is used; only with the filter `usage=true`.
        usage: Object,
    }
}

impl LabelGroup {
    /// A group that is to be created.
    pub fn new(key: impl Into<String>, name: impl Into<String>) -> Self {
        Self::default().key(key).name(name)
    }
}

model! {
    /// A label key.
    LabelDimension, LabelDimensionPatch: mutable {
        key: String,
        display_name: String,
        display_info: LabelDimensionDisplayInfo,
    } read {
        deleted: bool,
        usage: Json,
    }
}

model! {
    /// How a label key looks in the console.
    LabelDimensionDisplayInfo {
        icon: String,
        initial: String,
        sort_ordinal: i64,
        background_color: String,
        foreground_color: String,
        display_name_plural: String,
    }
}

/// A set of labels and label groups with different keys: one scope of a rule set.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LabelSet(pub Vec<ScopeEntry>);

model! {
    /// A label or a label group in a scope.
    ScopeEntry {
        label: Reference,
        label_group: Reference,
        /// Whether everything but this is meant.
        exclusion: bool,
    }
}

impl LabelSet {
    /// The set of these labels and label groups.
    ///
    /// # Errors
    /// [`crate::Error::Invalid`] for an object without href.
    pub fn new(labels: &[&dyn crate::ToHref]) -> Result<Self> {
        let entry = |reference: &&dyn crate::ToHref| {
            let href = href_from::<()>(&reference.to_href())?;
            let entry = ScopeEntry::default();
            Ok(match href.contains("/label_groups/") {
                true => entry.label_group(href),
                false => entry.label(href),
            })
        };
        labels.iter().map(entry).collect::<Result<_>>().map(Self)
    }
}
