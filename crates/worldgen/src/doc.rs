//! A snapshot as text: the form that golden cases are written in and failing worlds are printed in.
//!
//! Objects stand under their integer ids. A reference is the name of an object (`w1`; labels are named
//! `key:value`) or `#` and an id, which may belong to nobody: that is how a dangling reference is written.
//!
//! | text | example |
//! | --- | --- |
//! | actor | `ams`, `container_host`, `label env:Prod`, `not label env:Prod`, `group nonprod`, `dimension app`, `workload w1`, `list any`, `virtual_service db`, `virtual_server vip` |
//! | scope entry | `label env:Prod`, `not group nonprod` |
//! | service of a rule | `service mysql`, `tcp/5000-5010` |
//! | services | `tcp/80,tcp/443`; the empty text is no service |
//! | interface | `10.0.1.11/24 name eth1 network 5 ignored`, all but the address may be left out |
//! | addresses | `10.0.0.0/8`, `10.0.0.1-10.0.0.9`; with `!` before it, excluded |
//!
//! Unknown fields are refused.

mod parse;
mod print;
mod text;

use std::collections::BTreeMap;

use bulkhead_ids::Id;
use serde::{Deserialize, Serialize};

pub(crate) use text::number;

/// Why a text is no snapshot, or a snapshot has no text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DocError {
    /// A reference to a name that no object has.
    #[error("no {kind} is named `{name}`")]
    Name {
        /// The kind of object.
        kind: &'static str,
        /// The name.
        name: String,
    },
    /// A text that is not of the form that is wanted here.
    #[error("`{text}` is not {wanted}")]
    Text {
        /// What stands there.
        text: String,
        /// What should.
        wanted: &'static str,
    },
    /// An object whose id is not an integer.
    #[error("the id {0} is not an integer")]
    Id(String),
}

/// A snapshot as text.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct World {
    /// Labels as `key:value`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<u64, String>,
    /// Label groups.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub label_groups: BTreeMap<u64, LabelGroup>,
    /// Workloads.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub workloads: BTreeMap<u64, Workload>,
    /// IP lists.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub ip_lists: BTreeMap<u64, IpList>,
    /// Services.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub services: BTreeMap<u64, Service>,
    /// Virtual services.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub virtual_services: BTreeMap<u64, VirtualService>,
    /// Virtual servers.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub virtual_servers: BTreeMap<u64, VirtualServer>,
    /// Service bindings.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub bindings: BTreeMap<u64, Binding>,
    /// Rule sets with their rules.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub rule_sets: BTreeMap<u64, RuleSet>,
    /// Enforcement boundaries.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub boundaries: BTreeMap<u64, Deny>,
    /// Essential rules.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub essential: BTreeMap<u64, Essential>,
    /// Firewall settings.
    #[serde(skip_serializing_if = "is_default")]
    pub settings: Settings,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// Makes the types of a world: every field may be left out and then has its default.
macro_rules! documents {
    ($($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty,)* })*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(default, deny_unknown_fields)]
        pub struct $name {
            $($(#[$field_doc])* #[serde(skip_serializing_if = "is_default")] pub $field: $type,)*
        }
    )*};
}

documents! {
    /// A label group.
    LabelGroup {
        /// Name for references.
        name: Option<String>,
        /// Label key.
        key: String,
        /// Member labels.
        labels: Vec<String>,
        /// Member groups.
        sub_groups: Vec<String>,
    }
    /// A workload; managed, in visibility_only and not Windows unless said otherwise.
    Workload {
        /// Name for references.
        name: Option<String>,
        /// Its labels.
        labels: Vec<String>,
        /// Its interfaces.
        addresses: Vec<String>,
        /// Its public address.
        public_ip: Option<String>,
        /// Enforcement mode.
        mode: Option<String>,
        /// No agent.
        unmanaged: bool,
        /// Operating system.
        windows: bool,
        /// Hosts containers.
        container_host: bool,
        /// Endpoint.
        endpoint: bool,
    }
    /// An IP list.
    IpList {
        /// Name for references.
        name: Option<String>,
        /// Addresses, excluded ones with `!`.
        addresses: Vec<String>,
        /// Name patterns.
        fqdns: Vec<String>,
    }
    /// A service.
    Service {
        /// Name for references.
        name: Option<String>,
        /// Its entries.
        entries: Vec<ServiceEntry>,
        /// Its egress entries.
        egress: Vec<ServiceEntry>,
    }
    /// An entry of a service.
    ServiceEntry {
        /// Services.
        ports: String,
        /// For Windows only.
        windows: bool,
        /// Process.
        process: Option<String>,
        /// Windows service.
        windows_service: Option<String>,
    }
    /// A virtual service.
    VirtualService {
        /// Name for references.
        name: Option<String>,
        /// Its labels.
        labels: Vec<String>,
        /// Its service object.
        service: Option<String>,
        /// Its own ports.
        ports: String,
        /// Addresses in place of the bound workloads'.
        ip_overrides: Vec<String>,
        /// Service addresses.
        addresses: Vec<ServiceAddress>,
        /// Service names; one pattern in each.
        fqdns: Vec<ServiceAddress>,
        /// Forwarded traffic.
        internal_bridge: bool,
    }
    /// A service address or name with its ports.
    ServiceAddress {
        /// Addresses, or one name pattern.
        at: Vec<String>,
        /// Ports; those of the service when left out.
        ports: Option<String>,
    }
    /// A virtual server.
    VirtualServer {
        /// Name for references.
        name: Option<String>,
        /// Its labels.
        labels: Vec<String>,
        /// Its address.
        address: Option<String>,
        /// Its ports.
        ports: String,
    }
    /// A service binding.
    Binding {
        /// The virtual service.
        virtual_service: String,
        /// The workload.
        workload: String,
        /// Pairs of services: instead of the first, the second.
        port_overrides: Vec<(String, String)>,
    }
    /// A rule set.
    RuleSet {
        /// Only the rules are there, not the rule set.
        missing: bool,
        /// Switched off.
        disabled: bool,
        /// Scopes.
        scopes: Vec<Vec<String>>,
        /// Allow rules.
        allow: BTreeMap<u64, Allow>,
        /// Deny and override deny rules.
        deny: BTreeMap<u64, Deny>,
        /// Custom iptables rules.
        custom: BTreeMap<u64, Custom>,
    }
    /// An allow rule.
    Allow {
        /// Switched off.
        disabled: bool,
        /// Providers.
        providers: Vec<String>,
        /// Consumers.
        consumers: Vec<String>,
        /// Services.
        services: Vec<String>,
        /// Egress services.
        egress: Vec<String>,
        /// What provider labels pick; workloads when left out.
        resolve_providers: Option<Vec<String>>,
        /// What consumer labels pick; workloads when left out.
        resolve_consumers: Option<Vec<String>>,
        /// Extra-scope.
        unscoped_consumers: bool,
        /// Providers as subnets.
        provider_subnets: bool,
        /// Consumers as subnets.
        consumer_subnets: bool,
        /// All addresses except the providers.
        all_ips_except_providers: bool,
        /// All addresses except the consumers.
        all_ips_except_consumers: bool,
        /// IPsec.
        sec_connect: bool,
        /// Machine authentication.
        machine_auth: bool,
        /// Stateless.
        stateless: bool,
        /// `non_brn` or `all`.
        network_type: Option<String>,
        /// Not logged.
        no_log: bool,
        /// User groups.
        principals: Vec<u64>,
    }
    /// A deny rule, override deny rule or boundary.
    Deny {
        /// Switched off.
        disabled: bool,
        /// Beats allow rules.
        override_deny: bool,
        /// Providers.
        providers: Vec<String>,
        /// Consumers.
        consumers: Vec<String>,
        /// Services.
        services: Vec<String>,
        /// Egress services.
        egress: Vec<String>,
        /// Extra-scope.
        unscoped_consumers: bool,
        /// All addresses except the providers.
        all_ips_except_providers: bool,
        /// All addresses except the consumers.
        all_ips_except_consumers: bool,
        /// `non_brn` or `all`.
        network_type: Option<String>,
        /// Not logged.
        no_log: bool,
    }
    /// A custom iptables rule.
    Custom {
        /// Switched off.
        disabled: bool,
        /// Actors.
        actors: Vec<String>,
        /// IPv6 instead of IPv4.
        ipv6: bool,
        /// Table, chain, parameters.
        statements: Vec<(String, String, String)>,
    }
    /// An essential rule.
    Essential {
        /// Its name.
        name: String,
        /// Inbound instead of outbound.
        inbound: bool,
        /// Peers; any when left out.
        peers: Option<Vec<String>>,
        /// Services.
        ports: String,
    }
    /// Firewall settings.
    Settings {
        /// Scopes with policy on demand.
        static_policy: Vec<Vec<String>>,
        /// Scopes whose containers inherit the host's policy.
        containers_inherit: Vec<Vec<String>>,
        /// Scopes that reject.
        reject_blocked: Vec<Vec<String>>,
        /// Scopes with loopback in policy.
        loopback_in_policy: Vec<Vec<String>>,
        /// Certificates for IPsec.
        certificate: bool,
    }
}

impl World {
    /// How a flow names a workload: by its name, or by its id when it has none.
    pub(crate) fn workload_name(&self, id: Id) -> Result<String, DocError> {
        let n = number(id)?;
        let name = self.workloads.get(&n).and_then(|workload| workload.name.clone());
        Ok(name.unwrap_or_else(|| format!("#{n}")))
    }

    /// This world with the objects of another on top, which replace those of the same id.
    #[must_use]
    pub fn with(mut self, other: Self) -> Self {
        self.labels.extend(other.labels);
        self.label_groups.extend(other.label_groups);
        self.workloads.extend(other.workloads);
        self.ip_lists.extend(other.ip_lists);
        self.services.extend(other.services);
        self.virtual_services.extend(other.virtual_services);
        self.virtual_servers.extend(other.virtual_servers);
        self.bindings.extend(other.bindings);
        self.rule_sets.extend(other.rule_sets);
        self.boundaries.extend(other.boundaries);
        self.essential.extend(other.essential);
        if other.settings != Settings::default() {
            self.settings = other.settings;
        }
        self
    }
}
