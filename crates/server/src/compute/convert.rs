//! Documents of objects as the engine reads them.
//!
//! Bodies were checked when they were written. What cannot be read all the same (a document of another
//! release) becomes an object that matches nothing: narrow, never wide.

mod actors;
mod rules;
mod services;
mod workloads;

use crate::doc::Val;
use crate::world::Obj;
use bulkhead_ids::{Id, Kind};
use bulkhead_model::{
    Change, FirewallSettings, IkeAuthentication, IpList, Label, LabelGroup, RuleSet,
};
use bulkhead_netset::{IpRange, IpSetBuilder};
use std::sync::Arc;

pub use actors::actors;
pub use rules::{principal, service_refs};
pub use services::ports;

/// Kinds that the engine computes with, referents before those that refer to them.
pub const KINDS: &[Kind] = &[
    Kind::Label,
    Kind::LabelGroup,
    Kind::IpList,
    Kind::Service,
    Kind::Workload,
    Kind::VirtualService,
    Kind::VirtualServer,
    Kind::ServiceBinding,
    Kind::RuleSet,
    Kind::SecRule,
    Kind::DenyRule,
    Kind::IpTablesRule,
    Kind::EnforcementBoundary,
    Kind::FirewallSettings,
];

/// The change that brings an object of a kind to what it is now; none for a kind that is not computed with.
///
/// `parent` is the rule set of a rule, also when the object is gone.
pub fn change(kind: Kind, id: Id, parent: Option<Id>, now: Option<&Obj>) -> Option<Change> {
    let doc = now.filter(|o| !o.doc.is("deleted")).map(|o| &*o.doc);
    let key = (parent.unwrap_or(Id::SINGLETON), id);
    Some(match kind {
        Kind::Label => Change::Label(id, doc.map(|d| Arc::new(label(d)))),
        Kind::LabelGroup => Change::LabelGroup(id, doc.map(|d| Arc::new(label_group(d)))),
        Kind::IpList => Change::IpList(id, doc.map(|d| Arc::new(ip_list(d)))),
        Kind::Service => Change::Service(id, doc.map(|d| Arc::new(services::service(d)))),
        Kind::Workload => Change::Workload(id, doc.map(|d| Arc::new(workloads::workload(d)))),
        Kind::VirtualService => {
            Change::VirtualService(id, doc.map(|d| Arc::new(services::virtual_service(d))))
        }
        Kind::VirtualServer => {
            Change::VirtualServer(id, doc.map(|d| Arc::new(services::virtual_server(d))))
        }
        Kind::ServiceBinding => Change::Binding(id, doc.and_then(services::binding).map(Arc::new)),
        Kind::RuleSet => Change::RuleSet(id, doc.map(|d| Arc::new(rule_set(d)))),
        Kind::SecRule => Change::AllowRule(key, doc.map(|d| Arc::new(rules::allow(d)))),
        Kind::DenyRule => Change::DenyRule(key, doc.map(|d| Arc::new(rules::deny(d)))),
        Kind::IpTablesRule => Change::IpTablesRule(key, doc.map(|d| Arc::new(rules::ip_tables(d)))),
        Kind::EnforcementBoundary => {
            Change::Boundary(id, doc.map(|d| Arc::new(rules::boundary(d))))
        }
        Kind::FirewallSettings => Change::Settings(Arc::new(doc.map(settings).unwrap_or_default())),
        _ => return None,
    })
}

/// The ids that a list of `{"href": ...}` names, sorted.
fn targets(list: &[Val]) -> Vec<Id> {
    let mut ids: Vec<Id> = list.iter().filter_map(Val::target).map(|(_, id)| id).collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}

/// The id that a member `{"href": ...}` names.
fn target(doc: &Val, name: &str) -> Option<Id> {
    doc.get(name).and_then(Val::target).map(|(_, id)| id)
}

fn label(doc: &Val) -> Label {
    Label {
        key: doc.str("key").unwrap_or_default().into(),
        value: doc.str("value").unwrap_or_default().into(),
    }
}

fn label_group(doc: &Val) -> LabelGroup {
    LabelGroup {
        key: doc.str("key").unwrap_or_default().into(),
        labels: targets(doc.list("labels")),
        sub_groups: targets(doc.list("sub_groups")),
    }
}

fn ip_list(doc: &Val) -> IpList {
    let mut set = IpSetBuilder::new();
    for entry in doc.list("ip_ranges") {
        let Some(from) = entry.str("from_ip") else { continue };
        let Ok(range) = IpRange::from_fields(from, entry.str("to_ip")) else { continue };
        if entry.is("exclusion") {
            set.exclude(range);
        } else {
            set.include(range);
        }
    }
    let names = doc.list("fqdns").iter().filter_map(|f| f.str("fqdn"));
    IpList {
        addresses: Arc::new(set.effective()),
        fqdns: names.map(|n| n.to_lowercase().into()).collect(),
    }
}

fn rule_set(doc: &Val) -> RuleSet {
    RuleSet { enabled: doc.is("enabled"), scopes: actors::scopes(doc.list("scopes")) }
}

fn settings(doc: &Val) -> FirewallSettings {
    let scopes = |name| actors::scopes(doc.list(name));
    FirewallSettings {
        static_policy: scopes("static_policy_scopes"),
        containers_inherit: scopes("containers_inherit_host_policy_scopes"),
        reject_blocked: scopes("blocked_connection_reject_scopes"),
        loopback_in_policy: scopes("loopback_interfaces_in_policy_scopes"),
        ike: match doc.str("ike_authentication_type") {
            Some("certificate") => IkeAuthentication::Certificate,
            _ => IkeAuthentication::Psk,
        },
    }
}
