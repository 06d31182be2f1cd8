//! From text to a snapshot.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use bulkhead_ids::Id;
use bulkhead_model as model;
use bulkhead_model::{Actor, Direction, Mode, Os, ScopeEntry, ScopeTarget, ServiceRef, Snapshot};
use bulkhead_netset::ProtoPorts;

use crate::cases::FlowDoc;

use super::text::{address, addresses, interface, network_type, not, resolve, services};
use super::{
    Allow, Binding, Custom, Deny, DocError, Essential, IpList, LabelGroup, RuleSet, Service,
    ServiceEntry, Settings, VirtualServer, VirtualService, Workload, World,
};

/// Names of the objects of one kind.
#[derive(Debug, Default)]
struct Names(&'static str, BTreeMap<String, u64>);

impl Names {
    fn new<'a, T: 'a>(
        kind: &'static str,
        objects: &'a BTreeMap<u64, T>,
        name: impl Fn(&'a T) -> Option<&'a String>,
    ) -> Self {
        let named = objects.iter().filter_map(|(id, object)| Some((name(object)?.clone(), *id)));
        Self(kind, named.collect())
    }

    /// The id that a reference means.
    fn id(&self, text: &str) -> Result<Id, DocError> {
        let given = text.strip_prefix('#').and_then(|id| id.parse().ok());
        let id = given.or_else(|| self.1.get(text).copied());
        id.map(Id::int).ok_or_else(|| DocError::Name { kind: self.0, name: text.into() })
    }

    /// The ids of many references.
    fn ids(&self, texts: &[String]) -> Result<Vec<Id>, DocError> {
        texts.iter().map(|text| self.id(text)).collect()
    }

    /// The same, in ascending order.
    fn sorted(&self, texts: &[String]) -> Result<Vec<Id>, DocError> {
        let mut ids = self.ids(texts)?;
        ids.sort_unstable();
        Ok(ids)
    }
}

/// Reads the references of one world.
struct Reader {
    labels: Names,
    groups: Names,
    workloads: Names,
    ip_lists: Names,
    services: Names,
    virtual_services: Names,
    virtual_servers: Names,
}

impl Reader {
    fn new(w: &World) -> Self {
        Self {
            labels: Names::new("label", &w.labels, Some),
            groups: Names::new("label group", &w.label_groups, |o| o.name.as_ref()),
            workloads: Names::new("workload", &w.workloads, |o| o.name.as_ref()),
            ip_lists: Names::new("IP list", &w.ip_lists, |o| o.name.as_ref()),
            services: Names::new("service", &w.services, |o| o.name.as_ref()),
            virtual_services: Names::new("virtual service", &w.virtual_services, |o| {
                o.name.as_ref()
            }),
            virtual_servers: Names::new("virtual server", &w.virtual_servers, |o| o.name.as_ref()),
        }
    }

    fn actor(&self, text: &str) -> Result<Actor, DocError> {
        let (exclusion, rest) = match text.strip_prefix("not ") {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let actor = match rest.split_once(' ').unwrap_or((rest, "")) {
            ("label", name) => Actor::Label { id: self.labels.id(name)?, exclusion },
            ("group", name) => Actor::LabelGroup { id: self.groups.id(name)?, exclusion },
            _ if exclusion => return Err(not(text, "an actor: only labels and groups exclude")),
            ("ams", "") => Actor::AllWorkloads,
            ("container_host", "") => Actor::ContainerHosts,
            ("dimension", key) => Actor::Dimension(key.into()),
            ("workload", name) => Actor::Workload(self.workloads.id(name)?),
            ("list", name) => Actor::IpList(self.ip_lists.id(name)?),
            ("virtual_service", name) => Actor::VirtualService(self.virtual_services.id(name)?),
            ("virtual_server", name) => Actor::VirtualServer(self.virtual_servers.id(name)?),
            _ => return Err(not(text, "an actor")),
        };
        Ok(actor)
    }

    fn actors(&self, texts: &[String]) -> Result<Vec<Actor>, DocError> {
        texts.iter().map(|text| self.actor(text)).collect()
    }

    fn scopes(&self, scopes: &[Vec<String>]) -> Result<Vec<model::Scope>, DocError> {
        let entry = |text: &String| match self.actor(text)? {
            Actor::Label { id, exclusion } => {
                Ok(ScopeEntry { target: ScopeTarget::Label(id), exclusion })
            }
            Actor::LabelGroup { id, exclusion } => {
                Ok(ScopeEntry { target: ScopeTarget::LabelGroup(id), exclusion })
            }
            _ => Err(not(text, "an entry of a scope")),
        };
        scopes.iter().map(|scope| scope.iter().map(entry).collect()).collect()
    }

    fn rule_services(&self, texts: &[String]) -> Result<Vec<ServiceRef>, DocError> {
        let one = |text: &String| match text.strip_prefix("service ") {
            Some(name) => Ok(ServiceRef::Service(self.services.id(name)?)),
            None => Ok(ServiceRef::Inline(services(text)?)),
        };
        texts.iter().map(one).collect()
    }

    fn group(&self, doc: &LabelGroup) -> Result<model::LabelGroup, DocError> {
        Ok(model::LabelGroup {
            key: doc.key.as_str().into(),
            labels: self.labels.ids(&doc.labels)?,
            sub_groups: self.groups.ids(&doc.sub_groups)?,
        })
    }

    fn workload(&self, doc: &Workload) -> Result<model::Workload, DocError> {
        let mode = doc.mode.as_ref().map_or(Some(Mode::default()), |mode| Mode::from_wire(mode));
        let interfaces = doc.addresses.iter().enumerate().map(|(i, text)| interface(i, text));
        Ok(model::Workload {
            labels: self.labels.sorted(&doc.labels)?,
            interfaces: interfaces.collect::<Result<_, _>>()?,
            public_ip: doc.public_ip.as_deref().map(address).transpose()?,
            mode: mode.ok_or_else(|| not(doc.mode.as_deref().unwrap_or_default(), "a mode"))?,
            managed: !doc.unmanaged,
            os: if doc.windows { Os::Windows } else { Os::Other },
            container_host: doc.container_host,
            endpoint: doc.endpoint,
        })
    }

    fn virtual_service(&self, doc: &VirtualService) -> Result<model::VirtualService, DocError> {
        let ports = |ports: &Option<String>| ports.as_deref().map(services).transpose();
        let mut all_addresses = Vec::new();
        for at in &doc.addresses {
            all_addresses.push((Arc::new(addresses(&at.at)?), ports(&at.ports)?));
        }
        let mut fqdns = Vec::new();
        for at in &doc.fqdns {
            for name in &at.at {
                fqdns.push((Arc::from(name.as_str()), ports(&at.ports)?));
            }
        }
        Ok(model::VirtualService {
            labels: self.labels.sorted(&doc.labels)?,
            service: doc.service.as_deref().map(|name| self.services.id(name)).transpose()?,
            ports: services(&doc.ports)?,
            ip_overrides: Arc::new(addresses(&doc.ip_overrides)?),
            addresses: all_addresses,
            fqdns,
            internal_bridge: doc.internal_bridge,
        })
    }

    fn virtual_server(&self, doc: &VirtualServer) -> Result<model::VirtualServer, DocError> {
        Ok(model::VirtualServer {
            labels: self.labels.sorted(&doc.labels)?,
            address: doc.address.as_deref().map(address).transpose()?,
            ports: services(&doc.ports)?,
        })
    }

    fn binding(&self, doc: &Binding) -> Result<model::ServiceBinding, DocError> {
        let pair = |(from, to): &(String, String)| Ok((services(from)?, services(to)?));
        Ok(model::ServiceBinding {
            virtual_service: self.virtual_services.id(&doc.virtual_service)?,
            workload: self.workloads.id(&doc.workload)?,
            port_overrides: doc.port_overrides.iter().map(pair).collect::<Result<_, _>>()?,
        })
    }

    fn allow(&self, doc: &Allow) -> Result<model::AllowRule, DocError> {
        Ok(model::AllowRule {
            enabled: !doc.disabled,
            providers: self.actors(&doc.providers)?,
            consumers: self.actors(&doc.consumers)?,
            services: self.rule_services(&doc.services)?,
            egress_services: self.services.ids(&doc.egress)?,
            resolve_providers: resolve(doc.resolve_providers.as_ref())?,
            resolve_consumers: resolve(doc.resolve_consumers.as_ref())?,
            unscoped_consumers: doc.unscoped_consumers,
            provider_subnets: doc.provider_subnets,
            consumer_subnets: doc.consumer_subnets,
            all_ips_except_providers: doc.all_ips_except_providers,
            all_ips_except_consumers: doc.all_ips_except_consumers,
            sec_connect: doc.sec_connect,
            machine_auth: doc.machine_auth,
            stateless: doc.stateless,
            network_type: network_type(doc.network_type.as_ref())?,
            no_log: doc.no_log,
            principals: doc.principals.iter().map(|id| Id::int(*id)).collect(),
        })
    }

    fn deny(&self, doc: &Deny) -> Result<model::DenyRule, DocError> {
        Ok(model::DenyRule {
            enabled: !doc.disabled,
            override_deny: doc.override_deny,
            providers: self.actors(&doc.providers)?,
            consumers: self.actors(&doc.consumers)?,
            services: self.rule_services(&doc.services)?,
            egress_services: self.services.ids(&doc.egress)?,
            unscoped_consumers: doc.unscoped_consumers,
            all_ips_except_providers: doc.all_ips_except_providers,
            all_ips_except_consumers: doc.all_ips_except_consumers,
            network_type: network_type(doc.network_type.as_ref())?,
            no_log: doc.no_log,
        })
    }

    fn custom(&self, doc: &Custom) -> Result<model::IpTablesRule, DocError> {
        let statement =
            |(table, chain, parameters): &(String, String, String)| model::IpTablesStatement {
                table: table.as_str().into(),
                chain: chain.as_str().into(),
                parameters: parameters.as_str().into(),
            };
        Ok(model::IpTablesRule {
            enabled: !doc.disabled,
            actors: self.actors(&doc.actors)?,
            ipv6: doc.ipv6,
            statements: doc.statements.iter().map(statement).collect(),
        })
    }

    fn settings(&self, doc: &Settings) -> Result<model::FirewallSettings, DocError> {
        Ok(model::FirewallSettings {
            static_policy: self.scopes(&doc.static_policy)?,
            containers_inherit: self.scopes(&doc.containers_inherit)?,
            reject_blocked: self.scopes(&doc.reject_blocked)?,
            loopback_in_policy: self.scopes(&doc.loopback_in_policy)?,
            ike: match doc.certificate {
                true => model::IkeAuthentication::Certificate,
                false => model::IkeAuthentication::Psk,
            },
        })
    }

    fn rule_set(&self, id: u64, doc: &RuleSet, s: &mut Snapshot) -> Result<(), DocError> {
        if !doc.missing {
            let head = model::RuleSet { enabled: !doc.disabled, scopes: self.scopes(&doc.scopes)? };
            s.rule_sets.insert(Id::int(id), Arc::new(head));
        }
        let key = |rule: &u64| (Id::int(id), Id::int(*rule));
        for (rule, doc) in &doc.allow {
            s.allow_rules.insert(key(rule), Arc::new(self.allow(doc)?));
        }
        for (rule, doc) in &doc.deny {
            s.deny_rules.insert(key(rule), Arc::new(self.deny(doc)?));
        }
        for (rule, doc) in &doc.custom {
            s.ip_tables_rules.insert(key(rule), Arc::new(self.custom(doc)?));
        }
        Ok(())
    }
}

fn ip_list(doc: &IpList) -> Result<model::IpList, DocError> {
    let fqdns = doc.fqdns.iter().map(|name| name.as_str().into()).collect();
    Ok(model::IpList { addresses: Arc::new(addresses(&doc.addresses)?), fqdns })
}

fn service(doc: &Service) -> Result<model::Service, DocError> {
    let entry = |doc: &ServiceEntry| {
        Ok(model::ServiceEntry {
            ports: services(&doc.ports)?,
            windows: doc.windows,
            process: doc.process.as_deref().map(Into::into),
            windows_service: doc.windows_service.as_deref().map(Into::into),
        })
    };
    Ok(model::Service {
        entries: doc.entries.iter().map(entry).collect::<Result<_, _>>()?,
        egress: doc.egress.iter().map(entry).collect::<Result<_, _>>()?,
    })
}

fn essential(doc: &Essential) -> Result<model::EssentialRule, DocError> {
    let peers = doc.peers.as_deref().map(addresses).transpose()?;
    Ok(model::EssentialRule {
        name: doc.name.as_str().into(),
        direction: if doc.inbound { Direction::Inbound } else { Direction::Outbound },
        peers: peers.map(Arc::new),
        services: services(&doc.ports)?,
    })
}

fn label(text: &str) -> Result<model::Label, DocError> {
    let (key, value) = text.split_once(':').ok_or_else(|| not(text, "a label: key:value"))?;
    Ok(model::Label { key: key.into(), value: value.into() })
}

/// Reads the objects of one kind.
fn all<D, T>(
    docs: &BTreeMap<u64, D>,
    read: impl Fn(&D) -> Result<T, DocError>,
) -> Result<BTreeMap<Id, Arc<T>>, DocError> {
    docs.iter().map(|(id, doc)| Ok((Id::int(*id), Arc::new(read(doc)?)))).collect()
}

impl World {
    /// The snapshot that the text means.
    ///
    /// Errors: a name that no object has, or a text of the wrong form.
    pub fn snapshot(&self) -> Result<Snapshot, DocError> {
        let reader = Reader::new(self);
        let mut s = Snapshot {
            labels: all(&self.labels, |text| label(text))?,
            label_groups: all(&self.label_groups, |doc| reader.group(doc))?,
            workloads: all(&self.workloads, |doc| reader.workload(doc))?,
            ip_lists: all(&self.ip_lists, ip_list)?,
            services: all(&self.services, service)?,
            virtual_services: all(&self.virtual_services, |doc| reader.virtual_service(doc))?,
            virtual_servers: all(&self.virtual_servers, |doc| reader.virtual_server(doc))?,
            bindings: all(&self.bindings, |doc| reader.binding(doc))?,
            boundaries: all(&self.boundaries, |doc| reader.deny(doc))?,
            essential: all(&self.essential, essential)?,
            settings: Arc::new(reader.settings(&self.settings)?),
            ..Snapshot::default()
        };
        for (id, doc) in &self.rule_sets {
            reader.rule_set(*id, doc, &mut s)?;
        }
        Ok(s)
    }

    /// A flow from its text: each end a workload, an address, or both with a space between.
    ///
    /// Errors: a name that no workload has, or a service of the wrong form.
    pub fn flow(&self, doc: &FlowDoc) -> Result<model::Flow, DocError> {
        let reader = Reader::new(self);
        let end = |text: &str| {
            let mut end = model::FlowEnd::default();
            for word in text.split_whitespace() {
                match word.parse::<IpAddr>() {
                    Ok(ip) => end.ip = Some(ip),
                    Err(_) => end.workload = Some(reader.workloads.id(word)?),
                }
            }
            Ok(end)
        };
        let service: ProtoPorts =
            doc.service.parse().map_err(|_| not(&doc.service, "one service"))?;
        Ok(model::Flow {
            src: end(&doc.from)?,
            dst: end(&doc.to)?,
            service,
            process: doc.process.as_deref().map(Into::into),
            windows_service: doc.windows_service.as_deref().map(Into::into),
            dst_fqdn: doc.fqdn.as_deref().map(Into::into),
            principals: doc.principals.iter().map(|id| Id::int(*id)).collect(),
        })
    }
}
