//! The other objects that rules refer to.

use std::net::IpAddr;
use std::sync::Arc;

use bulkhead_ids::Id;
use bulkhead_netset::{IpSet, ServiceSet};

use crate::actor::Scope;

/// A label. Not versioned.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Label {
    /// Label key (dimension), for example `role`.
    pub key: Arc<str>,
    /// Label value.
    pub value: Arc<str>,
}

/// A label group: the union of its labels and of its sub-groups' labels.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct LabelGroup {
    /// Label key of all its members.
    pub key: Arc<str>,
    /// Member labels.
    pub labels: Vec<Id>,
    /// Member groups; a cycle adds nothing.
    pub sub_groups: Vec<Id>,
}

/// An IP list: effective addresses and names.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct IpList {
    /// Inclusive ranges minus excluded ranges.
    pub addresses: Arc<IpSet>,
    /// FQDN entries, lower case; `*` stands for one label or part of one label.
    pub fqdns: Vec<Arc<str>>,
}

/// A virtual service: a service offered by bound workloads or at addresses of its own.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct VirtualService {
    /// Its own labels, sorted; rules find it by these.
    pub labels: Vec<Id>,
    /// The service object that it offers; none when `ports` says it.
    pub service: Option<Id>,
    /// Its own `service_ports`.
    pub ports: ServiceSet,
    /// Addresses that replace those of the bound workloads towards peers; empty: no override.
    pub ip_overrides: Arc<IpSet>,
    /// Addresses without workloads, with their ports (all of the service's where none is given).
    pub addresses: Vec<(Arc<IpSet>, Option<ServiceSet>)>,
    /// Names without workloads, with their ports.
    pub fqdns: Vec<(Arc<str>, Option<ServiceSet>)>,
    /// True for `apply_to: internal_bridge_network`: traffic forwarded to containers.
    pub internal_bridge: bool,
}

/// A workload bound to a virtual service. Not versioned.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ServiceBinding {
    /// The virtual service.
    pub virtual_service: Id,
    /// The bound workload.
    pub workload: Id,
    /// Pairs (ports of the service, ports used on this workload instead).
    pub port_overrides: Vec<(ServiceSet, ServiceSet)>,
}

/// A load balancer's virtual address. Nothing is enforced there by agents.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct VirtualServer {
    /// Its labels, sorted.
    pub labels: Vec<Id>,
    /// The virtual address.
    pub address: Option<IpAddr>,
    /// Protocol and port of the virtual address.
    pub ports: ServiceSet,
}

/// How two hosts prove themselves for `sec_connect`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum IkeAuthentication {
    /// Pre-shared key made by the policy compute engine.
    #[default]
    Psk,
    /// Certificates of the hosts.
    Certificate,
}

/// Firewall settings that change what a host is told. Each scope list names the workloads it is on for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct FirewallSettings {
    /// `static_policy_scopes`: policy is applied on demand only.
    pub static_policy: Vec<Scope>,
    /// `containers_inherit_host_policy_scopes`: the host's policy also acts on forwarded container traffic.
    pub containers_inherit: Vec<Scope>,
    /// `blocked_connection_reject_scopes`: reject instead of a silent drop.
    pub reject_blocked: Vec<Scope>,
    /// `loopback_interfaces_in_policy_scopes`: policy also acts on loopback interfaces.
    pub loopback_in_policy: Vec<Scope>,
    /// `ike_authentication_type`.
    pub ike: IkeAuthentication,
}
