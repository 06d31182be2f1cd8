//! From a snapshot to text.

use std::collections::BTreeMap;
use std::sync::Arc;

use bulkhead_ids::Id;
use bulkhead_model as model;
use bulkhead_model::{Actor, Direction, Mode, Os, ScopeTarget, ServiceRef, Snapshot};

use super::text::{number, print_interface, print_network_type, print_resolve, ranges};
use super::{
    Allow, Binding, Custom, Deny, DocError, Essential, IpList, LabelGroup, RuleSet, Service,
    ServiceAddress, ServiceEntry, Settings, VirtualServer, VirtualService, Workload, World,
};

/// A reference to an object of a kind: its short name if it is there, else its id.
fn name<T>(objects: &BTreeMap<Id, Arc<T>>, short: &str, id: Id) -> Result<String, DocError> {
    let n = number(id)?;
    Ok(if objects.contains_key(&id) { format!("{short}{n}") } else { format!("#{n}") })
}

/// Writes the references of one snapshot.
struct Writer<'a>(&'a Snapshot);

impl Writer<'_> {
    /// A label as `key:value`, or its id when it is missing or another label says the same.
    fn label(&self, id: Id) -> Result<String, DocError> {
        let same = |label: &model::Label| self.0.labels.values().filter(|l| ***l == *label).count();
        match self.0.labels.get(&id) {
            Some(label) if same(label) == 1 => Ok(format!("{}:{}", label.key, label.value)),
            _ => Ok(format!("#{}", number(id)?)),
        }
    }

    fn labels(&self, ids: &[Id]) -> Result<Vec<String>, DocError> {
        ids.iter().map(|id| self.label(*id)).collect()
    }

    fn service(&self, id: Id) -> Result<String, DocError> {
        name(&self.0.services, "svc", id)
    }

    fn services(&self, ids: &[Id]) -> Result<Vec<String>, DocError> {
        ids.iter().map(|id| self.service(*id)).collect()
    }

    fn actor(&self, actor: &Actor) -> Result<String, DocError> {
        let s = self.0;
        let not = |exclusion: &bool| if *exclusion { "not " } else { "" };
        Ok(match actor {
            Actor::AllWorkloads => "ams".into(),
            Actor::ContainerHosts => "container_host".into(),
            Actor::Label { id, exclusion } => {
                format!("{}label {}", not(exclusion), self.label(*id)?)
            }
            Actor::LabelGroup { id, exclusion } => {
                format!("{}group {}", not(exclusion), name(&s.label_groups, "g", *id)?)
            }
            Actor::Dimension(key) => format!("dimension {key}"),
            Actor::Workload(id) => format!("workload {}", name(&s.workloads, "w", *id)?),
            Actor::VirtualService(id) => {
                format!("virtual_service {}", name(&s.virtual_services, "vs", *id)?)
            }
            Actor::VirtualServer(id) => {
                format!("virtual_server {}", name(&s.virtual_servers, "vip", *id)?)
            }
            Actor::IpList(id) => format!("list {}", name(&s.ip_lists, "list", *id)?),
        })
    }

    fn actors(&self, actors: &[Actor]) -> Result<Vec<String>, DocError> {
        actors.iter().map(|actor| self.actor(actor)).collect()
    }

    fn scopes(&self, scopes: &[model::Scope]) -> Result<Vec<Vec<String>>, DocError> {
        let entry = |entry: &model::ScopeEntry| {
            let exclusion = entry.exclusion;
            self.actor(&match entry.target {
                ScopeTarget::Label(id) => Actor::Label { id, exclusion },
                ScopeTarget::LabelGroup(id) => Actor::LabelGroup { id, exclusion },
            })
        };
        scopes.iter().map(|scope| scope.iter().map(entry).collect()).collect()
    }

    fn rule_services(&self, services: &[ServiceRef]) -> Result<Vec<String>, DocError> {
        let one = |service: &ServiceRef| match service {
            ServiceRef::Service(id) => Ok(format!("service {}", self.service(*id)?)),
            ServiceRef::Inline(ports) => Ok(ports.to_string()),
        };
        services.iter().map(one).collect()
    }

    fn group(&self, id: u64, g: &model::LabelGroup) -> Result<LabelGroup, DocError> {
        let sub_groups = g.sub_groups.iter().map(|id| name(&self.0.label_groups, "g", *id));
        Ok(LabelGroup {
            name: Some(format!("g{id}")),
            key: g.key.to_string(),
            labels: self.labels(&g.labels)?,
            sub_groups: sub_groups.collect::<Result<_, _>>()?,
        })
    }

    fn workload(&self, id: u64, w: &model::Workload) -> Result<Workload, DocError> {
        let addresses = w.interfaces.iter().enumerate().map(|(i, x)| print_interface(i, x));
        Ok(Workload {
            name: Some(format!("w{id}")),
            labels: self.labels(&w.labels)?,
            addresses: addresses.collect::<Result<_, _>>()?,
            public_ip: w.public_ip.map(|ip| ip.to_string()),
            mode: (w.mode != Mode::default()).then(|| w.mode.as_str().to_owned()),
            unmanaged: !w.managed,
            windows: w.os == Os::Windows,
            container_host: w.container_host,
            endpoint: w.endpoint,
        })
    }

    fn virtual_service(
        &self,
        id: u64,
        vs: &model::VirtualService,
    ) -> Result<VirtualService, DocError> {
        let addresses = vs.addresses.iter().map(|(at, ports)| ServiceAddress {
            at: ranges(at),
            ports: ports.as_ref().map(ToString::to_string),
        });
        let fqdns = vs.fqdns.iter().map(|(at, ports)| ServiceAddress {
            at: vec![at.to_string()],
            ports: ports.as_ref().map(ToString::to_string),
        });
        Ok(VirtualService {
            name: Some(format!("vs{id}")),
            labels: self.labels(&vs.labels)?,
            service: vs.service.map(|id| self.service(id)).transpose()?,
            ports: vs.ports.to_string(),
            ip_overrides: ranges(&vs.ip_overrides),
            addresses: addresses.collect(),
            fqdns: fqdns.collect(),
            internal_bridge: vs.internal_bridge,
        })
    }

    fn virtual_server(&self, id: u64, v: &model::VirtualServer) -> Result<VirtualServer, DocError> {
        Ok(VirtualServer {
            name: Some(format!("vip{id}")),
            labels: self.labels(&v.labels)?,
            address: v.address.map(|ip| ip.to_string()),
            ports: v.ports.to_string(),
        })
    }

    fn binding(&self, b: &model::ServiceBinding) -> Result<Binding, DocError> {
        let overrides =
            b.port_overrides.iter().map(|(from, to)| (from.to_string(), to.to_string()));
        Ok(Binding {
            virtual_service: name(&self.0.virtual_services, "vs", b.virtual_service)?,
            workload: name(&self.0.workloads, "w", b.workload)?,
            port_overrides: overrides.collect(),
        })
    }

    fn allow(&self, r: &model::AllowRule) -> Result<Allow, DocError> {
        Ok(Allow {
            disabled: !r.enabled,
            providers: self.actors(&r.providers)?,
            consumers: self.actors(&r.consumers)?,
            services: self.rule_services(&r.services)?,
            egress: self.services(&r.egress_services)?,
            resolve_providers: print_resolve(r.resolve_providers),
            resolve_consumers: print_resolve(r.resolve_consumers),
            unscoped_consumers: r.unscoped_consumers,
            provider_subnets: r.provider_subnets,
            consumer_subnets: r.consumer_subnets,
            all_ips_except_providers: r.all_ips_except_providers,
            all_ips_except_consumers: r.all_ips_except_consumers,
            sec_connect: r.sec_connect,
            machine_auth: r.machine_auth,
            stateless: r.stateless,
            network_type: print_network_type(r.network_type),
            no_log: r.no_log,
            principals: r.principals.iter().map(|id| number(*id)).collect::<Result<_, _>>()?,
        })
    }

    fn deny(&self, r: &model::DenyRule) -> Result<Deny, DocError> {
        Ok(Deny {
            disabled: !r.enabled,
            override_deny: r.override_deny,
            providers: self.actors(&r.providers)?,
            consumers: self.actors(&r.consumers)?,
            services: self.rule_services(&r.services)?,
            egress: self.services(&r.egress_services)?,
            unscoped_consumers: r.unscoped_consumers,
            all_ips_except_providers: r.all_ips_except_providers,
            all_ips_except_consumers: r.all_ips_except_consumers,
            network_type: print_network_type(r.network_type),
            no_log: r.no_log,
        })
    }

    fn custom(&self, r: &model::IpTablesRule) -> Result<Custom, DocError> {
        let statement = |s: &model::IpTablesStatement| {
            (s.table.to_string(), s.chain.to_string(), s.parameters.to_string())
        };
        Ok(Custom {
            disabled: !r.enabled,
            actors: self.actors(&r.actors)?,
            ipv6: r.ipv6,
            statements: r.statements.iter().map(statement).collect(),
        })
    }

    fn settings(&self) -> Result<Settings, DocError> {
        let s = &self.0.settings;
        Ok(Settings {
            static_policy: self.scopes(&s.static_policy)?,
            containers_inherit: self.scopes(&s.containers_inherit)?,
            reject_blocked: self.scopes(&s.reject_blocked)?,
            loopback_in_policy: self.scopes(&s.loopback_in_policy)?,
            certificate: s.ike == model::IkeAuthentication::Certificate,
        })
    }

    /// The rule sets, also those of which only rules are there.
    fn rule_sets(&self) -> Result<BTreeMap<u64, RuleSet>, DocError> {
        let s = self.0;
        let mut sets = BTreeMap::new();
        for (id, set) in &s.rule_sets {
            let doc = RuleSet {
                disabled: !set.enabled,
                scopes: self.scopes(&set.scopes)?,
                ..RuleSet::default()
            };
            sets.insert(number(*id)?, doc);
        }
        let missing = || RuleSet { missing: true, ..RuleSet::default() };
        for (key, rule) in &s.allow_rules {
            let set = sets.entry(number(key.0)?).or_insert_with(missing);
            set.allow.insert(number(key.1)?, self.allow(rule)?);
        }
        for (key, rule) in &s.deny_rules {
            let set = sets.entry(number(key.0)?).or_insert_with(missing);
            set.deny.insert(number(key.1)?, self.deny(rule)?);
        }
        for (key, rule) in &s.ip_tables_rules {
            let set = sets.entry(number(key.0)?).or_insert_with(missing);
            set.custom.insert(number(key.1)?, self.custom(rule)?);
        }
        Ok(sets)
    }
}

fn ip_list(id: u64, list: &model::IpList) -> IpList {
    IpList {
        name: Some(format!("list{id}")),
        addresses: ranges(&list.addresses),
        fqdns: list.fqdns.iter().map(ToString::to_string).collect(),
    }
}

fn service(id: u64, service: &model::Service) -> Service {
    let entry = |e: &model::ServiceEntry| ServiceEntry {
        ports: e.ports.to_string(),
        windows: e.windows,
        process: e.process.as_deref().map(str::to_owned),
        windows_service: e.windows_service.as_deref().map(str::to_owned),
    };
    Service {
        name: Some(format!("svc{id}")),
        entries: service.entries.iter().map(entry).collect(),
        egress: service.egress.iter().map(entry).collect(),
    }
}

fn essential(rule: &model::EssentialRule) -> Essential {
    Essential {
        name: rule.name.to_string(),
        inbound: rule.direction == Direction::Inbound,
        peers: rule.peers.as_deref().map(ranges),
        ports: rule.services.to_string(),
    }
}

/// Writes the objects of one kind.
fn all<T, D>(
    objects: &BTreeMap<Id, Arc<T>>,
    write: impl Fn(u64, &T) -> Result<D, DocError>,
) -> Result<BTreeMap<u64, D>, DocError> {
    let one = |(id, object): (&Id, &Arc<T>)| {
        let id = number(*id)?;
        Ok((id, write(id, object)?))
    };
    objects.iter().map(one).collect()
}

impl World {
    /// The text of a snapshot; reading it gives the same snapshot.
    ///
    /// Errors: an id that is not an integer.
    pub fn of(s: &Snapshot) -> Result<Self, DocError> {
        let writer = Writer(s);
        Ok(Self {
            labels: all(&s.labels, |_, label| Ok(format!("{}:{}", label.key, label.value)))?,
            label_groups: all(&s.label_groups, |id, group| writer.group(id, group))?,
            workloads: all(&s.workloads, |id, workload| writer.workload(id, workload))?,
            ip_lists: all(&s.ip_lists, |id, list| Ok(ip_list(id, list)))?,
            services: all(&s.services, |id, one| Ok(service(id, one)))?,
            virtual_services: all(&s.virtual_services, |id, vs| writer.virtual_service(id, vs))?,
            virtual_servers: all(&s.virtual_servers, |id, v| writer.virtual_server(id, v))?,
            bindings: all(&s.bindings, |_, binding| writer.binding(binding))?,
            rule_sets: writer.rule_sets()?,
            boundaries: all(&s.boundaries, |_, rule| writer.deny(rule))?,
            essential: all(&s.essential, |_, rule| Ok(essential(rule)))?,
            settings: writer.settings()?,
        })
    }
}
