//! Addresses: whose they are, and under which ones a host sees another.

use std::collections::BTreeSet;
use std::net::IpAddr;

use bulkhead_ids::Id;
use bulkhead_model::{Flow, FlowEnd, Interface, Snapshot, Workload};
use bulkhead_netset::{IpRange, IpSet};

/// The interfaces that policy knows.
fn interfaces(w: &Workload) -> impl Iterator<Item = &Interface> {
    w.interfaces.iter().filter(|interface| !interface.ignored)
}

/// The networks of a workload; none stands for the default network.
fn networks(w: &Workload) -> BTreeSet<Option<Id>> {
    interfaces(w).map(|interface| interface.network).collect()
}

/// R-SUBNETS: an interface contributes its address, or its subnet where the rule asks for subnets and the
/// prefix is known.
fn r_subnets(interface: &Interface, subnets: bool) -> IpRange {
    let subnet = interface.prefix.filter(|_| subnets).and_then(|prefix| {
        IpRange::from_fields(&format!("{}/{prefix}", interface.address), None).ok()
    });
    subnet.unwrap_or(IpRange::from(interface.address))
}

/// R-NETWORK: under which addresses a host sees a peer: those in networks that the host is in, and the
/// public address when the two share no network.
pub(crate) fn r_network(host: &Workload, peer: &Workload, subnets: bool) -> IpSet {
    let here = networks(host);
    let seen = interfaces(peer).filter(|interface| here.contains(&interface.network));
    let apart = here.is_disjoint(&networks(peer));
    let public = peer.public_ip.filter(|_| apart).map(IpRange::from);
    seen.map(|interface| r_subnets(interface, subnets)).chain(public).collect()
}

/// Every address that a workload has anywhere, for the complement of R-ALL-IPS-EXCEPT.
pub(crate) fn everywhere(w: &Workload, subnets: bool) -> IpSet {
    let public = w.public_ip.map(IpRange::from);
    interfaces(w).map(|interface| r_subnets(interface, subnets)).chain(public).collect()
}

/// R-IP-OWNER: the workload that an address belongs to, as the other end sees it.
fn r_ip_owner(s: &Snapshot, ip: IpAddr, other: Option<&Workload>) -> Option<Id> {
    let mut seen_from = other.map(networks).unwrap_or_default();
    if seen_from.is_empty() {
        seen_from.insert(None);
    }
    let has =
        |w: &Workload| interfaces(w).any(|i| i.address == ip && seen_from.contains(&i.network));
    let first = |owns: &dyn Fn(&Workload) -> bool| {
        let owners = || s.workloads.iter().filter(|(_, w)| owns(w));
        let managed = owners().find(|(_, w)| w.managed);
        managed.or_else(|| owners().next()).map(|(id, _)| *id)
    };
    first(&has).or_else(|| first(&|w| w.public_ip == Some(ip)))
}

/// The address of one family under which a workload talks to another end.
fn towards(w: &Workload, other: Option<&Workload>, ipv4: bool) -> Option<IpAddr> {
    let of_family = |ip: &IpAddr| ip.is_ipv4() == ipv4;
    let Some(other) = other else {
        // An address without a workload can be talked to from every network.
        return interfaces(w).map(|i| i.address).find(of_family);
    };
    let there = networks(other);
    let shared = interfaces(w).filter(|i| there.contains(&i.network)).map(|i| i.address);
    let apart = there.is_disjoint(&networks(w));
    shared.chain(w.public_ip.filter(|_| apart)).find(of_family)
}

/// R-FLOW-ADDRESS: the two ends with the addresses that a packet between them would carry.
pub(crate) fn r_flow_address(s: &Snapshot, flow: &Flow) -> (FlowEnd, FlowEnd) {
    let known = |end: FlowEnd| FlowEnd {
        workload: end.workload.filter(|id| s.workloads.contains_key(id)),
        ..end
    };
    let get = |end: FlowEnd| end.workload.and_then(|id| s.workloads.get(&id)).map(AsRef::as_ref);
    let (src, dst) = (known(flow.src), known(flow.dst));
    // Two addresses are looked up apart: neither tells the network of the other.
    let owner = |end: FlowEnd, other: FlowEnd| {
        let found = || r_ip_owner(s, end.ip?, get(other));
        FlowEnd { workload: end.workload.or_else(found), ..end }
    };
    let (src, dst) = (owner(src, dst), owner(dst, src));
    let take = |end: FlowEnd, other: FlowEnd, ipv4: bool| {
        end.ip.or_else(|| towards(get(end)?, get(other), ipv4))
    };
    let with = |end: FlowEnd, ip: Option<IpAddr>| FlowEnd { ip, ..end };
    match (src.ip, dst.ip) {
        (Some(ip), _) => (src, with(dst, take(dst, src, ip.is_ipv4()))),
        (None, Some(ip)) => (with(src, take(src, dst, ip.is_ipv4())), dst),
        (None, None) => {
            let both = |ipv4| Some((take(src, dst, ipv4)?, take(dst, src, ipv4)?));
            let pair = both(true).or_else(|| both(false)).unzip();
            (with(src, pair.0), with(dst, pair.1))
        }
    }
}
