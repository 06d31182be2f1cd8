//! One step from a snapshot to the next.

use std::sync::Arc;

use bulkhead_ids::Id;

use crate::object::{
    FirewallSettings, IpList, Label, LabelGroup, ServiceBinding, VirtualServer, VirtualService,
};
use crate::rule::{AllowRule, DenyRule, EssentialRule, IpTablesRule, RuleKey, RuleSet};
use crate::service::Service;
use crate::workload::Workload;

/// One object set (created or replaced) or removed (`None`).
///
/// Removing a rule set does not remove its rules: rules without their rule set match nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// A label.
    Label(Id, Option<Arc<Label>>),
    /// A label group.
    LabelGroup(Id, Option<Arc<LabelGroup>>),
    /// A workload.
    Workload(Id, Option<Arc<Workload>>),
    /// An IP list.
    IpList(Id, Option<Arc<IpList>>),
    /// A service.
    Service(Id, Option<Arc<Service>>),
    /// A virtual service.
    VirtualService(Id, Option<Arc<VirtualService>>),
    /// A virtual server.
    VirtualServer(Id, Option<Arc<VirtualServer>>),
    /// A service binding.
    Binding(Id, Option<Arc<ServiceBinding>>),
    /// The head of a rule set.
    RuleSet(Id, Option<Arc<RuleSet>>),
    /// An allow rule.
    AllowRule(RuleKey, Option<Arc<AllowRule>>),
    /// A deny or override deny rule.
    DenyRule(RuleKey, Option<Arc<DenyRule>>),
    /// A custom iptables rule.
    IpTablesRule(RuleKey, Option<Arc<IpTablesRule>>),
    /// An enforcement boundary.
    Boundary(Id, Option<Arc<DenyRule>>),
    /// An essential rule.
    Essential(Id, Option<Arc<EssentialRule>>),
    /// The firewall settings.
    Settings(Arc<FirewallSettings>),
}
