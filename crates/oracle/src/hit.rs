//! Whether one rule acts on a flow at one end.

use std::collections::BTreeSet;

use bulkhead_ids::Id;
use bulkhead_model::{
    Actor, AllowRule, DenyRule, Direction, Effect, EssentialRule, Flow, FlowEnd, NetworkType,
    Resolve, RuleRef, RuleSet, ServiceBinding, ServiceEntry, Snapshot, Workload,
};
use bulkhead_netset::{IpSet, ServiceSet};

use crate::address::{everywhere, r_network};
use crate::scope::{OneScope, r_scopes};
use crate::service::{
    r_egress, r_fqdn, r_service, r_vs_ports, rule_entries, usable, virtual_service_entries,
};
use crate::side::{Side, r_side};

/// What is asked: does this host, as this end of the flow, have a rule for it?
pub(crate) struct Question<'a> {
    /// The policy.
    pub(crate) s: &'a Snapshot,
    /// The host that decides.
    pub(crate) host: (Id, &'a Workload),
    /// Whether it is the provider or the consumer.
    pub(crate) direction: Direction,
    /// The other end.
    pub(crate) peer: FlowEnd,
    /// Service, process, user and name.
    pub(crate) flow: &'a Flow,
    /// Which traffic of the host it is.
    pub(crate) traffic: Traffic,
}

/// Which traffic of a host is asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Traffic {
    /// Either kind: a decision does not tell.
    Any,
    /// The host's own.
    Own,
    /// Forwarded to or from its containers; true: the host's own policy acts there too.
    Forwarded(bool),
}

impl Traffic {
    /// Section 8, `apply_to`: entries of a virtual service on the internal bridge act on forwarded traffic.
    fn takes(self, internal_bridge: bool) -> bool {
        match self {
            Self::Any => true,
            Self::Own => !internal_bridge,
            Self::Forwarded(inherits) => internal_bridge || inherits,
        }
    }
}

/// What allow and deny rules have in common, with what denies lack already taken out.
struct Rule<'a> {
    providers: &'a [Actor],
    consumers: &'a [Actor],
    entries: Vec<ServiceEntry>,
    egress: &'a [Id],
    resolve: (Resolve, Resolve),
    unscoped_consumers: bool,
    subnets: (bool, bool),
    all_ips_except: (bool, bool),
    network_type: NetworkType,
    principals: &'a [Id],
    denies: bool,
}

/// One rule in one scope: its two sides.
struct Instance<'a> {
    rule: &'a Rule<'a>,
    providers: Side,
    consumers: Side,
}

/// Every rule that acts on the flow at this end, with its effect, sorted.
pub(crate) fn hits(q: &Question<'_>) -> Vec<(RuleRef, Effect)> {
    let mut hits = BTreeSet::new();
    for (id, rule) in &q.s.essential {
        if r_essential(q, rule) {
            hits.insert((RuleRef::Essential(*id), Effect::Essential));
        }
    }
    for (key, rule) in &q.s.allow_rules {
        if let Some(set) = r_disabled(q.s, key.0, rule.enabled)
            && acts(q, &r_scopes(q.s, &set.scopes), &allow(q.s, rule))
        {
            hits.insert((RuleRef::Allow(*key), Effect::Allow));
        }
    }
    for (key, rule) in &q.s.deny_rules {
        if let Some(set) = r_disabled(q.s, key.0, rule.enabled)
            && acts(q, &r_scopes(q.s, &set.scopes), &deny(q.s, rule))
        {
            let effect = if rule.override_deny { Effect::OverrideDeny } else { Effect::Deny };
            hits.insert((RuleRef::Deny(*key), effect));
        }
    }
    for (id, rule) in &q.s.boundaries {
        // Section 11: a boundary has no scope and never overrides.
        if rule.enabled && acts(q, &[OneScope::new()], &deny(q.s, rule)) {
            hits.insert((RuleRef::Boundary(*id), Effect::Deny));
        }
    }
    hits.into_iter().collect()
}

/// R-DISABLED: a rule acts only when it and its rule set are on; without its rule set it does nothing.
pub(crate) fn r_disabled(s: &Snapshot, rule_set: Id, enabled: bool) -> Option<&RuleSet> {
    s.rule_sets.get(&rule_set).map(AsRef::as_ref).filter(|set| enabled && set.enabled)
}

/// R-ESSENTIAL: essential rules act on every workload, with peers by address only.
fn r_essential(q: &Question<'_>, rule: &EssentialRule) -> bool {
    let peer =
        rule.peers.as_ref().is_none_or(|peers| q.peer.ip.is_some_and(|ip| peers.contains(ip)));
    q.traffic.takes(false)
        && rule.direction == q.direction
        && peer
        && r_service(&rule.services, &q.flow.service, false)
}

fn allow<'a>(s: &Snapshot, rule: &'a AllowRule) -> Rule<'a> {
    Rule {
        providers: &rule.providers,
        consumers: &rule.consumers,
        entries: rule_entries(s, &rule.services),
        egress: &rule.egress_services,
        resolve: (rule.resolve_providers, rule.resolve_consumers),
        unscoped_consumers: rule.unscoped_consumers,
        subnets: (rule.provider_subnets, rule.consumer_subnets),
        all_ips_except: (rule.all_ips_except_providers, rule.all_ips_except_consumers),
        network_type: rule.network_type,
        principals: &rule.principals,
        denies: false,
    }
}

fn deny<'a>(s: &Snapshot, rule: &'a DenyRule) -> Rule<'a> {
    Rule {
        providers: &rule.providers,
        consumers: &rule.consumers,
        entries: rule_entries(s, &rule.services),
        egress: &rule.egress_services,
        resolve: Default::default(),
        unscoped_consumers: rule.unscoped_consumers,
        subnets: (false, false),
        all_ips_except: (rule.all_ips_except_providers, rule.all_ips_except_consumers),
        network_type: rule.network_type,
        principals: &[],
        denies: true,
    }
}

/// Whether the rule acts, in any of its scopes or in several together.
fn acts(q: &Question<'_>, scopes: &[OneScope], rule: &Rule<'_>) -> bool {
    if !r_brn(rule.network_type) {
        return false;
    }
    let services = scopes.iter().map(|scope| {
        // Section 5: intra-scope binds both sides, extra-scope the providers only.
        let consumers = (!rule.unscoped_consumers).then_some(scope);
        let instance = Instance {
            rule,
            providers: r_deny_workloads(
                rule.denies,
                r_side(q.s, rule.providers, Some(scope), rule.resolve.0),
            ),
            consumers: r_deny_workloads(
                rule.denies,
                r_side(q.s, rule.consumers, consumers, rule.resolve.1),
            ),
        };
        r_one_end(q, &instance)
    });
    let services: Vec<ServiceSet> = services.collect();
    r_service(&ServiceSet::union_all(&services), &q.flow.service, rule.denies)
}

/// R-BRN: in decisions every host is on the corporate network.
fn r_brn(network_type: NetworkType) -> bool {
    network_type != NetworkType::NonBrn
}

/// R-DENY-WORKLOADS: in a deny, virtual services and virtual servers are nobody.
fn r_deny_workloads(denies: bool, side: Side) -> Side {
    if denies {
        Side { virtual_services: BTreeSet::new(), virtual_servers: BTreeSet::new(), ..side }
    } else {
        side
    }
}

/// R-ONE-END: a rule is programmed inbound on the workloads that provide and outbound on the workloads that
/// consume; an IP list, a virtual server or a service address has no host. The services that it opens (or
/// closes) here towards this peer.
fn r_one_end(q: &Question<'_>, rule: &Instance<'_>) -> ServiceSet {
    match q.direction {
        Direction::Inbound if peer_consumes(q, rule) => provided(q, rule),
        Direction::Outbound if host_consumes(q, rule) && r_principals(q, rule.rule) => {
            towards_providers(q, rule)
        }
        _ => ServiceSet::new(),
    }
}

/// The bindings of the virtual services of a side to workloads that exist.
fn bindings<'a>(s: &'a Snapshot, side: &'a Side) -> impl Iterator<Item = &'a ServiceBinding> {
    s.bindings.values().map(AsRef::as_ref).filter(|binding| {
        side.virtual_services.contains(&binding.virtual_service)
            && s.workloads.contains_key(&binding.workload)
    })
}

/// Inbound: what the host provides by this rule.
fn provided(q: &Question<'_>, rule: &Instance<'_>) -> ServiceSet {
    // R-ALL-IPS-EXCEPT: no workload is a member of such a side.
    if rule.rule.all_ips_except.0 {
        return ServiceSet::new();
    }
    let usable = |entries: &[ServiceEntry]| usable(entries, q.host.1, Direction::Inbound, q.flow);
    let mut services = ServiceSet::new();
    if rule.providers.workloads.contains(&q.host.0) && q.traffic.takes(false) {
        services = services.union(&usable(&rule.rule.entries));
    }
    // R-VS-PROVIDER: a bound workload provides the services of the virtual service, not of the rule.
    for binding in bindings(q.s, &rule.providers).filter(|b| b.workload == q.host.0) {
        if let Some(vs) = q.s.virtual_services.get(&binding.virtual_service)
            && q.traffic.takes(vs.internal_bridge)
        {
            let entries = r_vs_ports(&virtual_service_entries(q.s, vs), binding);
            services = services.union(&usable(&entries));
        }
    }
    services
}

/// Inbound: whether the peer is on the consumer side, as this host sees it (R-MATCH: by address, and by
/// identity only where it has none).
fn peer_consumes(q: &Question<'_>, rule: &Instance<'_>) -> bool {
    let side = &rule.consumers;
    if rule.rule.all_ips_except.1 {
        return q.peer.ip.is_some_and(|ip| r_all_ips_except(q.s, rule, false).contains(ip));
    }
    let Some(ip) = q.peer.ip else {
        return q.peer.workload.is_some_and(|id| is_workload_member(q.s, side, id));
    };
    let workloads = side.workloads.iter().filter_map(|id| q.s.workloads.get(id));
    let mut sets = workloads.map(|w| r_network(q.host.1, w, rule.rule.subnets.1));
    sets.any(|set| set.contains(ip))
        || bindings(q.s, side).any(|b| bound_addresses(q, b, rule.rule.subnets.1).contains(ip))
        || ip_lists(q.s, side).contains(ip)
}

/// Whether a workload opens or offers connections as a member of a side.
///
/// R-VS-CONSUMER: the workloads bound to the virtual services of a side are members of it.
fn is_workload_member(s: &Snapshot, side: &Side, id: Id) -> bool {
    side.workloads.contains(&id) || bindings(s, side).any(|binding| binding.workload == id)
}

/// The addresses under which the host sees a workload bound to a virtual service.
///
/// R-VS-PROVIDER and R-VS-CONSUMER: `ip_overrides` stand for the workload's own addresses.
fn bound_addresses(q: &Question<'_>, binding: &ServiceBinding, subnets: bool) -> IpSet {
    let overrides = q.s.virtual_services.get(&binding.virtual_service).map(|vs| &vs.ip_overrides);
    match (overrides, q.s.workloads.get(&binding.workload)) {
        (Some(overrides), Some(_)) if !overrides.is_empty() => IpSet::clone(overrides),
        (_, Some(workload)) => r_network(q.host.1, workload, subnets),
        (_, None) => IpSet::new(),
    }
}

/// The addresses of the IP lists of a side; section 14: an exclusion acts within its own list.
fn ip_lists(s: &Snapshot, side: &Side) -> IpSet {
    let lists = side.ip_lists.iter().filter_map(|id| s.ip_lists.get(id));
    IpSet::union_all(lists.map(|list| list.addresses.as_ref()))
}

/// R-ALL-IPS-EXCEPT: every address but those of the side's actors, in whatever network. With something
/// missing among the actors it is not known what to leave out, and the side is empty.
fn r_all_ips_except(s: &Snapshot, rule: &Instance<'_>, providers: bool) -> IpSet {
    let (side, subnets) = if providers {
        (&rule.providers, rule.rule.subnets.0)
    } else {
        (&rule.consumers, rule.rule.subnets.1)
    };
    if !side.complete {
        return IpSet::new();
    }
    let workloads = side.workloads.iter().filter_map(|id| s.workloads.get(id));
    let mut out: Vec<IpSet> = workloads.map(|w| everywhere(w, subnets)).collect();
    out.push(ip_lists(s, side));
    for binding in bindings(s, side) {
        let vs = s.virtual_services.get(&binding.virtual_service);
        let overrides = vs.map(|vs| IpSet::clone(&vs.ip_overrides)).unwrap_or_default();
        let own = s.workloads.get(&binding.workload).map(|w| everywhere(w, subnets));
        out.push(if overrides.is_empty() { own.unwrap_or_default() } else { overrides });
    }
    if providers {
        let vs = side.virtual_services.iter().filter_map(|id| s.virtual_services.get(id));
        out.extend(vs.flat_map(|vs| vs.addresses.iter().map(|(set, _)| IpSet::clone(set))));
        let servers = side.virtual_servers.iter().filter_map(|id| s.virtual_servers.get(id));
        out.push(servers.filter_map(|server| server.address).collect());
    }
    IpSet::union_all(&out).complement()
}

/// Outbound: whether this rule is programmed on the host as a consumer.
fn host_consumes(q: &Question<'_>, rule: &Instance<'_>) -> bool {
    let member = q.traffic.takes(false) && rule.consumers.workloads.contains(&q.host.0);
    let bound = || {
        bindings(q.s, &rule.consumers).filter(|b| b.workload == q.host.0).any(|binding| {
            let vs = q.s.virtual_services.get(&binding.virtual_service);
            vs.is_some_and(|vs| q.traffic.takes(vs.internal_bridge))
        })
    };
    !rule.rule.all_ips_except.1
        && (member || bound())
        && r_egress(q.s, rule.rule.egress, q.host.1, q.flow)
}

/// R-PRINCIPALS: a rule for user groups acts outbound only for flows that name one of them.
fn r_principals(q: &Question<'_>, rule: &Rule<'_>) -> bool {
    rule.principals.is_empty() || rule.principals.iter().any(|g| q.flow.principals.contains(g))
}

/// Outbound: the services towards this peer as a provider.
fn towards_providers(q: &Question<'_>, rule: &Instance<'_>) -> ServiceSet {
    let usable = |entries: &[ServiceEntry]| usable(entries, q.host.1, Direction::Outbound, q.flow);
    let side = &rule.providers;
    let has = |set: &IpSet| q.peer.ip.is_some_and(|ip| set.contains(ip));
    if rule.rule.all_ips_except.0 {
        let open = has(&r_all_ips_except(q.s, rule, true));
        return if open { usable(&rule.rule.entries) } else { ServiceSet::new() };
    }
    if rule.rule.denies {
        return if r_deny_dir(q, side) { usable(&rule.rule.entries) } else { ServiceSet::new() };
    }
    let mut services = Vec::new();
    let is_peer = |id: &Id, addresses: &dyn Fn() -> IpSet| match q.peer.ip {
        Some(ip) => addresses().contains(ip),
        None => q.peer.workload == Some(*id),
    };
    let workload = |id: &Id| {
        let seen = |w: &Workload| r_network(q.host.1, w, rule.rule.subnets.0);
        q.s.workloads.get(id).is_some_and(|w| is_peer(id, &|| seen(w)))
    };
    let names = ip_list_names(q, side);
    if side.workloads.iter().any(workload) || has(&ip_lists(q.s, side)) || names {
        services.push(usable(&rule.rule.entries));
    }
    for binding in bindings(q.s, side) {
        if is_peer(&binding.workload, &|| bound_addresses(q, binding, rule.rule.subnets.0))
            && let Some(vs) = q.s.virtual_services.get(&binding.virtual_service)
        {
            services.push(usable(&r_vs_ports(&virtual_service_entries(q.s, vs), binding)));
        }
    }
    services.extend(r_vs_provider_addresses(q, side));
    services.extend(r_vserver(q, side));
    ServiceSet::union_all(&services)
}

/// R-DENY-DIR: a deny is enforced at the consumer only towards the IP list part of the provider side.
/// R-DENY-FQDN: the names of those lists do not count.
fn r_deny_dir(q: &Question<'_>, providers: &Side) -> bool {
    q.peer.ip.is_some_and(|ip| ip_lists(q.s, providers).contains(ip))
}

/// Whether a name of the side's IP lists is the one that the consumer looked up.
fn ip_list_names(q: &Question<'_>, side: &Side) -> bool {
    let lists = side.ip_lists.iter().filter_map(|id| q.s.ip_lists.get(id));
    let mut patterns = lists.flat_map(|list| &list.fqdns);
    let name = q.flow.dst_fqdn.as_deref();
    name.is_some_and(|name| patterns.any(|pattern| r_fqdn(pattern, name)))
}

/// R-VS-PROVIDER: consumers reach the service addresses and names of virtual services, on the ports given
/// there or else on those of the service.
fn r_vs_provider_addresses(q: &Question<'_>, side: &Side) -> Vec<ServiceSet> {
    let mut services = Vec::new();
    for vs in side.virtual_services.iter().filter_map(|id| q.s.virtual_services.get(id)) {
        let entries = virtual_service_entries(q.s, vs);
        let own = usable(&entries, q.host.1, Direction::Outbound, q.flow);
        let ports = |given: &Option<ServiceSet>| given.clone().unwrap_or_else(|| own.clone());
        let at =
            vs.addresses.iter().filter(|(set, _)| q.peer.ip.is_some_and(|ip| set.contains(ip)));
        services.extend(at.map(|(_, given)| ports(given)));
        let name = q.flow.dst_fqdn.as_deref();
        let named = vs.fqdns.iter().filter(|(p, _)| name.is_some_and(|name| r_fqdn(p, name)));
        services.extend(named.map(|(_, given)| ports(given)));
    }
    services
}

/// R-VSERVER: consumers reach the address of a virtual server on its own ports.
fn r_vserver(q: &Question<'_>, side: &Side) -> Vec<ServiceSet> {
    let servers = side.virtual_servers.iter().filter_map(|id| q.s.virtual_servers.get(id));
    let there = servers.filter(|server| server.address.is_some() && server.address == q.peer.ip);
    there.map(|server| server.ports.clone()).collect()
}
