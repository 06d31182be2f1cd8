//! One side of an organisation's policy, ready to compute with.

use std::collections::BTreeMap;
use std::sync::Arc;

use bulkhead_ids::Id;

use crate::change::Change;
use crate::object::{
    FirewallSettings, IpList, Label, LabelGroup, ServiceBinding, VirtualServer, VirtualService,
};
use crate::rule::{AllowRule, DenyRule, EssentialRule, IpTablesRule, RuleKey, RuleSet};
use crate::service::Service;
use crate::workload::Workload;

/// Labels, workloads and bindings as they are, and one version of every versioned object.
///
/// Ordered maps keyed by id: two snapshots with the same content are equal and iterate alike.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// Labels.
    pub labels: BTreeMap<Id, Arc<Label>>,
    /// Label groups.
    pub label_groups: BTreeMap<Id, Arc<LabelGroup>>,
    /// Workloads, managed and not.
    pub workloads: BTreeMap<Id, Arc<Workload>>,
    /// IP lists.
    pub ip_lists: BTreeMap<Id, Arc<IpList>>,
    /// Services.
    pub services: BTreeMap<Id, Arc<Service>>,
    /// Virtual services.
    pub virtual_services: BTreeMap<Id, Arc<VirtualService>>,
    /// Virtual servers.
    pub virtual_servers: BTreeMap<Id, Arc<VirtualServer>>,
    /// Service bindings.
    pub bindings: BTreeMap<Id, Arc<ServiceBinding>>,
    /// Rule sets without their rules.
    pub rule_sets: BTreeMap<Id, Arc<RuleSet>>,
    /// Allow rules.
    pub allow_rules: BTreeMap<RuleKey, Arc<AllowRule>>,
    /// Deny and override deny rules.
    pub deny_rules: BTreeMap<RuleKey, Arc<DenyRule>>,
    /// Custom iptables rules.
    pub ip_tables_rules: BTreeMap<RuleKey, Arc<IpTablesRule>>,
    /// Enforcement boundaries; never scoped, never override.
    pub boundaries: BTreeMap<Id, Arc<DenyRule>>,
    /// Essential rules.
    pub essential: BTreeMap<Id, Arc<EssentialRule>>,
    /// Firewall settings.
    pub settings: Arc<FirewallSettings>,
}

impl Snapshot {
    /// Sets or removes one object.
    pub fn apply(&mut self, change: &Change) {
        fn put<K: Ord + Copy, V>(map: &mut BTreeMap<K, Arc<V>>, key: K, value: Option<&Arc<V>>) {
            match value {
                Some(value) => map.insert(key, Arc::clone(value)),
                None => map.remove(&key),
            };
        }
        match change {
            Change::Label(id, value) => put(&mut self.labels, *id, value.as_ref()),
            Change::LabelGroup(id, value) => put(&mut self.label_groups, *id, value.as_ref()),
            Change::Workload(id, value) => put(&mut self.workloads, *id, value.as_ref()),
            Change::IpList(id, value) => put(&mut self.ip_lists, *id, value.as_ref()),
            Change::Service(id, value) => put(&mut self.services, *id, value.as_ref()),
            Change::VirtualService(id, value) => {
                put(&mut self.virtual_services, *id, value.as_ref())
            }
            Change::VirtualServer(id, value) => put(&mut self.virtual_servers, *id, value.as_ref()),
            Change::Binding(id, value) => put(&mut self.bindings, *id, value.as_ref()),
            Change::RuleSet(id, value) => put(&mut self.rule_sets, *id, value.as_ref()),
            Change::AllowRule(key, value) => put(&mut self.allow_rules, *key, value.as_ref()),
            Change::DenyRule(key, value) => put(&mut self.deny_rules, *key, value.as_ref()),
            Change::IpTablesRule(key, value) => {
                put(&mut self.ip_tables_rules, *key, value.as_ref())
            }
            Change::Boundary(id, value) => put(&mut self.boundaries, *id, value.as_ref()),
            Change::Essential(id, value) => put(&mut self.essential, *id, value.as_ref()),
            Change::Settings(value) => self.settings = Arc::clone(value),
        }
    }
}
