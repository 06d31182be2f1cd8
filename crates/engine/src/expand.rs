//! From a rule to statements: who is told what about whom.
//!
//! A statement is programmed on the workloads of one selector, in one direction, towards one kind of peers.

use std::sync::Arc;

use bulkhead_ids::Id;
use bulkhead_model::{
    AllowRule, DenyRule, Direction, Effect, EntryFlags, EssentialRule, Peers, Resolve, RuleRef,
    ServiceBinding, ServiceEntry, Snapshot,
};
use bulkhead_netset::{IpSet, ServiceSet};
use rustc_hash::FxHashMap;

use crate::selector::{Base, Conj, Selector, Term};
use crate::service::{
    Programs, entries, entries_of, plain, r_egress, r_proc_in, r_proc_out, r_vs_ports,
};
use crate::side::{Context, Side};

/// Where the addresses of peers come from.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Source {
    /// Workloads, as addresses or as subnets.
    Workloads(Selector, bool),
    /// An IP list.
    List(Id),
    /// `ip_overrides` of a virtual service, and the workloads that they stand for.
    Overrides(Id, Selector),
    /// An address of a virtual service, by its place.
    Address(Id, usize),
    /// A virtual server.
    Server(Id),
    /// An essential rule's own addresses.
    Essential(Id),
    /// Workloads with their addresses in every network, as addresses or as subnets.
    Everywhere(Selector, bool),
    /// Every address except these (R-ALL-IPS-EXCEPT).
    Except(Vec<Source>),
}

/// The peers of a statement.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Target {
    Any,
    Source(Source),
    Names(Arc<[Arc<str>]>),
}

/// A statement whose selectors have no numbers yet.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Draft {
    pub(crate) effect: Effect,
    pub(crate) direction: Direction,
    pub(crate) hosts: Selector,
    pub(crate) target: Target,
    pub(crate) programs: Programs,
    pub(crate) flags: EntryFlags,
}

/// Bindings by virtual service.
pub(crate) type Bindings = FxHashMap<Id, Vec<Arc<ServiceBinding>>>;

/// Reads rules and makes statements.
#[derive(Clone, Copy)]
pub(crate) struct Expander<'a> {
    pub(crate) context: Context<'a>,
    pub(crate) bindings: &'a Bindings,
}

/// Who offers: the workloads that enforce it, how peers see them, and what they offer.
struct Offer {
    hosts: Selector,
    targets: Vec<Target>,
    entries: Arc<[ServiceEntry]>,
    bridge: bool,
}

/// What the two kinds of rules share.
struct Head<'a> {
    effect: Effect,
    flags: EntryFlags,
    principals: &'a [Id],
    egress: &'a [Id],
    subnets: (bool, bool),
    except: (bool, bool),
}

impl<'a> Expander<'a> {
    const fn snapshot(&self) -> &'a Snapshot {
        self.context.snapshot
    }

    /// The statements of any rule; none when it is missing or does nothing.
    pub(crate) fn rule(&self, rule: RuleRef) -> Vec<Draft> {
        let snapshot = self.snapshot();
        let mut drafts = match rule {
            RuleRef::Allow(key) => snapshot.allow_rules.get(&key).map(|r| self.allow(key, r)),
            RuleRef::Deny(key) => snapshot.deny_rules.get(&key).map(|r| self.deny(Some(key.0), r)),
            RuleRef::Boundary(id) => snapshot.boundaries.get(&id).map(|r| self.deny(None, r)),
            RuleRef::Essential(id) => snapshot.essential.get(&id).map(|r| vec![r_essential(id, r)]),
        }
        .unwrap_or_default();
        drafts.retain(|d| !d.programs.is_none() && !d.hosts.is_none());
        if drafts.len() > 1 {
            let mut seen = rustc_hash::FxHashSet::default();
            drafts.retain(|d| seen.insert(d.clone()));
        }
        drafts
    }

    /// R-DISABLED: the scopes of the rule set of an enabled rule; none when the rule does nothing.
    fn r_disabled(&self, enabled: bool, rule_set: Option<Id>, split: bool) -> Option<Vec<Conj>> {
        if !enabled {
            return None;
        }
        let Some(id) = rule_set else { return Some(vec![Conj::default()]) };
        let head = self.snapshot().rule_sets.get(&id).filter(|head| head.enabled)?;
        Some(self.context.r_scopes(&head.scopes, split))
    }

    /// The scopes of providers and of consumers that a rule is expanded in; none when it is switched off.
    fn scope_pairs(
        &self,
        enabled: bool,
        rule_set: Option<Id>,
        (unscoped_consumers, except_providers): (bool, bool),
    ) -> Vec<(Conj, Conj)> {
        // What is left out differs from scope to scope, so they cannot be told as one.
        let split = !unscoped_consumers || except_providers;
        let scopes = self.r_disabled(enabled, rule_set, split).unwrap_or_default();
        let pair = |scope: Conj| {
            let consumers = if unscoped_consumers { Conj::default() } else { scope.clone() };
            (scope, consumers)
        };
        scopes.into_iter().map(pair).collect()
    }

    fn allow(&self, key: (Id, Id), rule: &AllowRule) -> Vec<Draft> {
        let head = Head {
            effect: Effect::Allow,
            flags: EntryFlags {
                stateless: rule.stateless,
                sec_connect: rule.sec_connect,
                machine_auth: rule.machine_auth,
                no_log: rule.no_log,
                network_type: rule.network_type,
                ..EntryFlags::default()
            },
            principals: &rule.principals,
            egress: &rule.egress_services,
            subnets: (rule.provider_subnets, rule.consumer_subnets),
            except: (rule.all_ips_except_providers, rule.all_ips_except_consumers),
        };
        let services: Arc<[ServiceEntry]> = entries(&rule.services, self.snapshot()).into();
        let mut out = Vec::new();
        let bound = (rule.unscoped_consumers, rule.all_ips_except_providers);
        for (scope, consumer_scope) in self.scope_pairs(rule.enabled, Some(key.0), bound) {
            let providers = self.context.r_side(&rule.providers, &scope, rule.resolve_providers);
            let consumers =
                self.context.r_side(&rule.consumers, &consumer_scope, rule.resolve_consumers);
            self.r_one_end(&head, (&providers, &consumers), &services, &mut out);
        }
        out
    }

    fn deny(&self, rule_set: Option<Id>, rule: &DenyRule) -> Vec<Draft> {
        let override_deny = rule.override_deny && rule_set.is_some();
        let head = Head {
            effect: if override_deny { Effect::OverrideDeny } else { Effect::Deny },
            flags: EntryFlags {
                no_log: rule.no_log,
                network_type: rule.network_type,
                ..EntryFlags::default()
            },
            principals: &[],
            egress: &rule.egress_services,
            subnets: (false, false),
            except: (rule.all_ips_except_providers, rule.all_ips_except_consumers),
        };
        let services: Arc<[ServiceEntry]> = entries(&rule.services, self.snapshot()).into();
        let mut out = Vec::new();
        let bound = (rule.unscoped_consumers, rule.all_ips_except_providers);
        for (scope, consumer_scope) in self.scope_pairs(rule.enabled, rule_set, bound) {
            let side = |actors, scope: &Conj| {
                r_deny_workloads(self.context.r_side(actors, scope, Resolve::default()))
            };
            let providers = side(&rule.providers, &scope);
            let consumers = side(&rule.consumers, &consumer_scope);
            self.r_deny_dir(&head, (&providers, &consumers), &services, &mut out);
        }
        out
    }

    /// R-ONE-END: inbound at each provider that is a workload, outbound at each consumer that is one.
    fn r_one_end(
        &self,
        head: &Head<'_>,
        (providers, consumers): (&Side, &Side),
        services: &Arc<[ServiceEntry]>,
        out: &mut Vec<Draft>,
    ) {
        let offers = self.offers(head, providers, services);
        let peers = self.consumers(head, consumers);
        for offer in &offers {
            self.inbound(head, offer, &peers, out);
        }
        if head.except.1 {
            return;
        }
        for (hosts, bridge) in self.openers(consumers) {
            for offer in &offers {
                self.outbound(head, offer, (&hosts, bridge), out);
            }
        }
    }

    /// R-DENY-DIR: inbound at each provider; outbound at each consumer only towards IP lists.
    fn r_deny_dir(
        &self,
        head: &Head<'_>,
        (providers, consumers): (&Side, &Side),
        services: &Arc<[ServiceEntry]>,
        out: &mut Vec<Draft>,
    ) {
        let peers = self.consumers(head, consumers);
        for offer in self.offers(head, providers, services) {
            self.inbound(head, &offer, &peers, out);
            // R-DENY-FQDN: names in a deny are dropped.
            let lists = offer.targets.iter().filter(|t| match t {
                Target::Any | Target::Source(Source::List(_) | Source::Except(_)) => true,
                Target::Source(_) | Target::Names(_) => false,
            });
            let targets: Vec<Target> = lists.cloned().collect();
            if !head.except.1 {
                let offer = Offer { targets, ..offer };
                self.outbound(head, &offer, (&consumers.workloads, false), out);
            }
        }
    }

    fn inbound(&self, head: &Head<'_>, offer: &Offer, peers: &[Target], out: &mut Vec<Draft>) {
        if offer.hosts.is_none() || peers.is_empty() {
            return;
        }
        let programs = r_proc_in(&offer.entries);
        let flags = EntryFlags { internal_bridge: offer.bridge, ..head.flags.clone() };
        out.extend(peers.iter().map(|target| Draft {
            effect: head.effect,
            direction: Direction::Inbound,
            hosts: offer.hosts.clone(),
            target: target.clone(),
            programs: programs.clone(),
            flags: flags.clone(),
        }));
    }

    fn outbound(
        &self,
        head: &Head<'_>,
        offer: &Offer,
        (hosts, bridge): (&Selector, bool),
        out: &mut Vec<Draft>,
    ) {
        if hosts.is_none() || offer.targets.is_empty() {
            return;
        }
        let programs = r_egress(r_proc_out(&offer.entries), head.egress, self.snapshot());
        let flags = r_principals(&head.flags, head.principals, bridge);
        out.extend(offer.targets.iter().map(|target| Draft {
            effect: head.effect,
            direction: Direction::Outbound,
            hosts: hosts.clone(),
            target: target.clone(),
            programs: programs.clone(),
            flags: flags.clone(),
        }));
    }

    /// Everything that a provider side offers.
    fn offers(&self, head: &Head<'_>, side: &Side, services: &Arc<[ServiceEntry]>) -> Vec<Offer> {
        if head.except.0 {
            let targets = self.r_all_ips_except(side, head.subnets.0, true).into_iter().collect();
            let entries = Arc::clone(services);
            return vec![Offer { hosts: Selector::default(), targets, entries, bridge: false }];
        }
        let mut targets: Vec<Target> =
            workload_target(&side.workloads, head.subnets.0).into_iter().collect();
        for id in &side.lists {
            targets.extend(self.list(*id));
            targets.extend(self.list_names(*id));
        }
        let own = Offer {
            hosts: side.workloads.clone(),
            targets,
            entries: Arc::clone(services),
            bridge: false,
        };
        let mut offers = vec![own];
        side.services.iter().for_each(|id| self.service_offers(*id, head.subnets.0, &mut offers));
        offers.extend(side.servers.iter().filter_map(|id| self.r_vserver(*id)));
        offers
    }

    /// R-VSERVER: peers reach its address with its own ports; nobody enforces there.
    fn r_vserver(&self, id: Id) -> Option<Offer> {
        let server = self.snapshot().virtual_servers.get(&id)?;
        server.address?;
        Some(Offer {
            hosts: Selector::default(),
            targets: vec![Target::Source(Source::Server(id))],
            entries: vec![plain(server.ports.clone())].into(),
            bridge: false,
        })
    }

    /// R-VS-PROVIDER: what a virtual service offers: on its bound workloads with the ports that each
    /// binding leaves (R-VS-PORTS), and at its own addresses and names.
    fn service_offers(&self, id: Id, subnets: bool, out: &mut Vec<Offer>) {
        let Some(vs) = self.snapshot().virtual_services.get(&id) else { return };
        let entries = entries_of(vs, self.snapshot());
        let mut kinds: Vec<&Vec<(ServiceSet, ServiceSet)>> =
            self.bindings_of(id).map(|b| &b.port_overrides).collect();
        kinds.sort_unstable();
        kinds.dedup();
        for overrides in kinds {
            let hosts = bound(id, Some(overrides.clone()));
            let target = if vs.ip_overrides.is_empty() {
                workload_target(&hosts, subnets)
            } else {
                Some(Target::Source(Source::Overrides(id, hosts.clone())))
            };
            out.push(Offer {
                hosts,
                targets: target.into_iter().collect(),
                entries: r_vs_ports(&entries, overrides).into(),
                bridge: vs.internal_bridge,
            });
        }
        let own = |ports: &Option<ServiceSet>| -> Arc<[ServiceEntry]> {
            ports.as_ref().map_or_else(|| entries.clone(), |p| vec![plain(p.clone())]).into()
        };
        let at = |targets, entries| Offer {
            hosts: Selector::default(),
            targets,
            entries,
            bridge: false,
        };
        for (place, (_, ports)) in vs.addresses.iter().enumerate() {
            out.push(at(vec![Target::Source(Source::Address(id, place))], own(ports)));
        }
        for (name, ports) in &vs.fqdns {
            out.push(at(vec![Target::Names(vec![Arc::clone(name)].into())], own(ports)));
        }
    }

    /// What providers see of a consumer side. Names match nothing there (R-FQDN).
    fn consumers(&self, head: &Head<'_>, side: &Side) -> Vec<Target> {
        if head.except.1 {
            return self.r_all_ips_except(side, head.subnets.1, false).into_iter().collect();
        }
        let sources = self.workload_sources(side, head.subnets.1);
        let mut targets: Vec<Target> = sources.into_iter().map(Target::Source).collect();
        targets.extend(side.lists.iter().filter_map(|id| self.list(*id)));
        targets
    }

    /// The workload-like part of a side as peers see it: workloads, and virtual services (R-VS-CONSUMER).
    fn workload_sources(&self, side: &Side, subnets: bool) -> Vec<Source> {
        let mut terms = side.workloads.0.clone();
        let mut sources = Vec::new();
        for id in &side.services {
            let overridden = self.snapshot().virtual_services.get(id);
            if overridden.is_some_and(|vs| !vs.ip_overrides.is_empty()) {
                let one = self.bindings_of(*id).next();
                sources.extend(one.map(|_| Source::Overrides(*id, bound(*id, None))));
            } else {
                terms.extend(bound(*id, None).0);
            }
        }
        let selector = Selector::new(terms);
        if !selector.is_none() {
            sources.push(Source::Workloads(selector, subnets));
        }
        sources
    }

    /// The bindings of a virtual service to workloads that exist.
    fn bindings_of(&self, id: Id) -> impl Iterator<Item = &'a ServiceBinding> {
        let workloads = &self.snapshot().workloads;
        let all = self.bindings.get(&id).into_iter().flatten().map(|b| &**b);
        all.filter(|binding| workloads.contains_key(&binding.workload))
    }

    /// Who opens connections on a consumer side, and whether for containers behind a bridge.
    fn openers(&self, side: &Side) -> Vec<(Selector, bool)> {
        let mut terms = side.workloads.0.clone();
        let mut bridged = Vec::new();
        for id in &side.services {
            let vs = self.snapshot().virtual_services.get(id);
            let terms =
                if vs.is_some_and(|vs| vs.internal_bridge) { &mut bridged } else { &mut terms };
            terms.extend(bound(*id, None).0);
        }
        vec![(Selector::new(terms), false), (Selector::new(bridged), true)]
    }

    /// R-ALL-IPS-EXCEPT: every address but those that the side resolves to, in whatever network; none when
    /// something is missing among the actors, as it is not known what to leave out.
    fn r_all_ips_except(&self, side: &Side, subnets: bool, provides: bool) -> Option<Target> {
        if !side.complete {
            return None;
        }
        let everywhere = |source| match source {
            Source::Workloads(selector, subnets) => Source::Everywhere(selector, subnets),
            other => other,
        };
        let workloads = self.workload_sources(side, subnets);
        let mut sources: Vec<Source> = workloads.into_iter().map(everywhere).collect();
        sources.extend(side.lists.iter().map(|id| Source::List(*id)));
        if provides {
            sources.extend(side.servers.iter().map(|id| Source::Server(*id)));
            for id in &side.services {
                let vs = self.snapshot().virtual_services.get(id);
                let places = 0..vs.map_or(0, |vs| vs.addresses.len());
                sources.extend(places.map(|place| Source::Address(*id, place)));
            }
        }
        sources.sort_unstable();
        sources.dedup();
        Some(Target::Source(Source::Except(sources)))
    }

    /// The addresses of an IP list; none when it has none.
    fn list(&self, id: Id) -> Option<Target> {
        let list = self.snapshot().ip_lists.get(&id).filter(|l| !l.addresses.is_empty())?;
        if list.addresses.is_all() {
            Some(Target::Any)
        } else {
            Some(Target::Source(Source::List(id)))
        }
    }

    /// The names of an IP list; none when it has none.
    fn list_names(&self, id: Id) -> Option<Target> {
        let list = self.snapshot().ip_lists.get(&id)?;
        let mut names: Vec<Arc<str>> =
            list.fqdns.iter().map(|name| name.to_lowercase().into()).collect();
        names.sort_unstable();
        names.dedup();
        if names.is_empty() { None } else { Some(Target::Names(names.into())) }
    }
}

/// R-DENY-WORKLOADS: virtual services and servers match nothing in a deny.
fn r_deny_workloads(side: Side) -> Side {
    Side { services: Vec::new(), servers: Vec::new(), ..side }
}

/// R-PRINCIPALS: user groups restrict the outbound statements.
fn r_principals(flags: &EntryFlags, principals: &[Id], internal_bridge: bool) -> EntryFlags {
    let mut principals = principals.to_vec();
    principals.sort_unstable();
    principals.dedup();
    EntryFlags { principals: principals.into(), internal_bridge, ..flags.clone() }
}

/// R-ESSENTIAL: on every workload; who enforces nothing is told nothing of it.
fn r_essential(id: Id, rule: &EssentialRule) -> Draft {
    let services = vec![plain(rule.services.clone())];
    Draft {
        effect: Effect::Essential,
        direction: rule.direction,
        hosts: Selector::all(),
        target: match &rule.peers {
            Some(_) => Target::Source(Source::Essential(id)),
            None => Target::Any,
        },
        programs: r_proc_out(&services),
        flags: EntryFlags::default(),
    }
}

fn bound(id: Id, overrides: Option<Vec<(ServiceSet, ServiceSet)>>) -> Selector {
    Selector::new(vec![Term { base: Base::Bound(id, overrides), conj: Conj::default() }])
}

fn workload_target(selector: &Selector, subnets: bool) -> Option<Target> {
    let some = !selector.is_none();
    some.then(|| Target::Source(Source::Workloads(selector.clone(), subnets)))
}

/// The addresses that a source without workloads means.
pub(crate) fn fixed(source: &Source, snapshot: &Snapshot) -> Option<Arc<IpSet>> {
    match source {
        Source::List(id) => snapshot.ip_lists.get(id).map(|l| Arc::clone(&l.addresses)),
        Source::Overrides(id, _) => {
            snapshot.virtual_services.get(id).map(|vs| Arc::clone(&vs.ip_overrides))
        }
        Source::Address(id, place) => {
            let vs = snapshot.virtual_services.get(id)?;
            vs.addresses.get(*place).map(|(set, _)| Arc::clone(set))
        }
        Source::Server(id) => {
            let address = snapshot.virtual_servers.get(id)?.address?;
            Some(Arc::new(std::iter::once(address).collect()))
        }
        Source::Essential(id) => snapshot.essential.get(id).and_then(|r| r.peers.clone()),
        Source::Workloads(..) | Source::Everywhere(..) | Source::Except(_) => None,
    }
}

/// How the peers of a statement stand in an entry.
pub(crate) fn peers(target: &Target, set: Option<bulkhead_model::SetId>) -> Option<Peers> {
    match target {
        Target::Any => Some(Peers::Any),
        Target::Names(names) => Some(Peers::Names(Arc::clone(names))),
        Target::Source(_) => set.map(Peers::Set),
    }
}
